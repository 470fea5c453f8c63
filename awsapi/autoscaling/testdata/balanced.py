"""Groups that load balancers send to, as boto3 and terraform see them: run by autoscaling_test.go, whose zones launch and terminate."""
import time

import boto3
from botocore.exceptions import ClientError

asg, ec2, elb, classic = (boto3.client(name) for name in ("autoscaling", "ec2", "elbv2", "elb"))


def refused(words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == "ValidationError" and words in str(e), e
        return
    raise AssertionError(f"{words} expected of {arguments}")


def until(what, holds, seconds=20):
    end = time.time() + seconds
    while not (value := holds()):
        assert time.time() < end, f"{what}: {asg.describe_scaling_activities()['Activities'][:3]}"
        time.sleep(0.05)
    return value


def targets():
    return {t["Target"]["Id"] for t in elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] if t["TargetHealth"]["State"] != "draining"}


def instances():
    (found,) = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["g"])["AutoScalingGroups"]
    return {i["InstanceId"] for i in found["Instances"] if i["LifecycleState"] == "InService"}


subnets = sorted(ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"], key=lambda s: s["AvailabilityZone"])
vpc = subnets[0]["VpcId"]
image = [i for i in ec2.describe_images(Owners=["amazon"])["Images"] if i["Architecture"] == "x86_64"][0]["ImageId"]
ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": image, "InstanceType": "m5.large"})
arn = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]
classic.create_load_balancer(LoadBalancerName="old", Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}], Subnets=[subnets[0]["SubnetId"]])
how = dict(LaunchTemplate={"LaunchTemplateName": "web"}, MinSize=0, MaxSize=4, DesiredCapacity=2, VPCZoneIdentifier=",".join(s["SubnetId"] for s in subnets[:2]))

for given, words in [({"TargetGroupARNs": [arn[:-1] + "x"]}, "Provided Target Groups may not be valid. Please ensure they exist and try again."),
                     ({"LoadBalancerNames": ["none"]}, "Provided Load Balancers may not be valid. Please ensure they exist and try again.")]:
    refused(words, asg.create_auto_scaling_group, AutoScalingGroupName="g", **given, **how)
asg.create_auto_scaling_group(AutoScalingGroupName="g", TargetGroupARNs=[arn], HealthCheckType="ELB", HealthCheckGracePeriod=300, **how)
until("two targets", lambda: len(targets()) == 2 and targets() == instances())
(shown,) = asg.describe_load_balancer_target_groups(AutoScalingGroupName="g")["LoadBalancerTargetGroups"]
assert shown == {"LoadBalancerTargetGroupARN": arn, "State": "InService"}, shown

# A classic one is attached as another source of traffic.
asg.attach_traffic_sources(AutoScalingGroupName="g", TrafficSources=[{"Identifier": "old", "Type": "elb"}])
until("two instances", lambda: len(classic.describe_instance_health(LoadBalancerName="old")["InstanceStates"]) == 2)
until("added", lambda: asg.describe_load_balancers(AutoScalingGroupName="g")["LoadBalancers"] == [{"LoadBalancerName": "old", "State": "Added"}])
shown = [(t["Type"], t["Identifier"]) for t in asg.describe_traffic_sources(AutoScalingGroupName="g")["TrafficSources"]]
assert sorted(shown) == [("elb", "old"), ("elbv2", arn)], shown

# Standby takes an instance out of both, and the way back brings it back.
one = sorted(instances())[0]
asg.enter_standby(AutoScalingGroupName="g", InstanceIds=[one], ShouldDecrementDesiredCapacity=True)
assert one not in targets(), targets()
asg.exit_standby(AutoScalingGroupName="g", InstanceIds=[one])
until("it is back", lambda: one in targets())

# What is detached is a target no more; what was not attached cannot be detached.
asg.detach_load_balancer_target_groups(AutoScalingGroupName="g", TargetGroupARNs=[arn])
until("no targets", lambda: not targets() and asg.describe_load_balancer_target_groups(AutoScalingGroupName="g")["LoadBalancerTargetGroups"] == [])
refused("Trying to remove Target Groups that are not part of the group", asg.detach_load_balancer_target_groups, AutoScalingGroupName="g", TargetGroupARNs=[arn])
refused("Trying to remove Load Balancers that are not part of the group", asg.detach_load_balancers, AutoScalingGroupName="g", LoadBalancerNames=["none"])

"""Groups through their lives as boto3 sees them: run by autoscaling_test.go, whose zones launch and terminate."""
import time

import boto3
from botocore.exceptions import ClientError

asg, ec2 = boto3.client("autoscaling"), boto3.client("ec2")


def refused(code, words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code and words in str(e), e
        return
    raise AssertionError(f"{words} expected of {arguments}")


def group(name="g"):
    (found,) = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return found


def until(what, holds, seconds=20):
    end = time.time() + seconds
    while not (value := holds()):
        assert time.time() < end, f"{what}: {group() if asg.describe_auto_scaling_groups(AutoScalingGroupNames=['g'])['AutoScalingGroups'] else 'no group'}"
        time.sleep(0.05)
    return value


def serving(n, name="g"):
    def look():
        g = group(name)
        states = [i["LifecycleState"] for i in g["Instances"]]
        return g if states == ["InService"] * n else None
    return until(f"{n} in service", look)


subnets = sorted(ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"], key=lambda s: s["AvailabilityZone"])
image = [i for i in ec2.describe_images(Owners=["amazon"])["Images"] if i["Architecture"] == "x86_64"][0]["ImageId"]
template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": image, "InstanceType": "m5.large"})["LaunchTemplate"]
ref = {"LaunchTemplateName": "web", "Version": "$Latest"}
where = {"VPCZoneIdentifier": ",".join(s["SubnetId"] for s in subnets[:3])}

# What is refused, in AWS's words.
sizes = {"MinSize": 1, "MaxSize": 3}
refused("ValidationError", "Max bound, 1, must be greater than or equal to min bound, 3", asg.create_auto_scaling_group, AutoScalingGroupName="g", LaunchTemplate=ref, MinSize=3, MaxSize=1, **where)
refused("ValidationError", "Desired capacity:4 must be between the specified min size:1 and max size:3", asg.create_auto_scaling_group, AutoScalingGroupName="g", LaunchTemplate=ref, DesiredCapacity=4, **sizes, **where)
refused("ValidationError", "At least one Availability Zone or VPC Subnet is required.", asg.create_auto_scaling_group, AutoScalingGroupName="g", LaunchTemplate=ref, **sizes)
refused("ValidationError", "Valid requests must contain either LaunchTemplate", asg.create_auto_scaling_group, AutoScalingGroupName="g", **sizes, **where)
refused("ValidationError", "The specified launch template, with template name none, does not exist.", asg.create_auto_scaling_group, AutoScalingGroupName="g", LaunchTemplate={"LaunchTemplateName": "none"}, **sizes, **where)
refused("ValidationError", "Invalid availability zones: [us-east-1z]", asg.create_auto_scaling_group, AutoScalingGroupName="g", LaunchTemplate=ref, AvailabilityZones=["us-east-1z"], **sizes)

asg.create_auto_scaling_group(
    AutoScalingGroupName="g", LaunchTemplate=ref, MinSize=1, MaxSize=4, DesiredCapacity=3, HealthCheckGracePeriod=0,
    Tags=[{"Key": "team", "Value": "x", "PropagateAtLaunch": True}, {"Key": "only", "Value": "group", "PropagateAtLaunch": False}], **where)
refused("AlreadyExists", "A group with the name g already exists", asg.create_auto_scaling_group, AutoScalingGroupName="g", LaunchTemplate=ref, **sizes, **where)
g = serving(3)
assert {i["AvailabilityZone"] for i in g["Instances"]} == {s["AvailabilityZone"] for s in subnets[:3]}, g
assert g["LaunchTemplate"] == {"LaunchTemplateId": template["LaunchTemplateId"], "LaunchTemplateName": "web", "Version": "$Latest"}, g
assert g["Instances"][0]["LaunchTemplate"]["Version"] == "1" and g["Instances"][0]["InstanceType"] == "m5.large", g
ids = [i["InstanceId"] for i in g["Instances"]]
instances = [i for r in ec2.describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]]
for i in instances:
    tags = {t["Key"]: t["Value"] for t in i["Tags"]}
    assert tags["aws:autoscaling:groupName"] == "g" and tags["team"] == "x" and "only" not in tags, tags
    assert i["State"]["Name"] == "running" and i["ImageId"] == image, i
details = asg.describe_auto_scaling_instances(InstanceIds=ids[:1])["AutoScalingInstances"][0]
assert details["AutoScalingGroupName"] == "g" and details["HealthStatus"] == "HEALTHY", details
activities = asg.describe_scaling_activities(AutoScalingGroupName="g")["Activities"]
assert [a["StatusCode"] for a in activities] == ["Successful"] * 3, activities
assert "a user request created an AutoScalingGroup changing the desired capacity from 0 to 3." in activities[0]["Cause"], activities
page = asg.describe_scaling_activities(AutoScalingGroupName="g", MaxRecords=2)
rest = asg.describe_scaling_activities(AutoScalingGroupName="g", MaxRecords=2, NextToken=page["NextToken"])
assert [a["ActivityId"] for a in page["Activities"] + rest["Activities"]] == [a["ActivityId"] for a in activities]

# Sizes.
refused("ValidationError", "New SetDesiredCapacity value 5 is above max value 4 for the AutoScalingGroup.", asg.set_desired_capacity, AutoScalingGroupName="g", DesiredCapacity=5)
refused("ValidationError", "New SetDesiredCapacity value 0 is below min value 1 for the AutoScalingGroup.", asg.set_desired_capacity, AutoScalingGroupName="g", DesiredCapacity=0)
refused("ValidationError", "AutoScalingGroup name not found - null", asg.update_auto_scaling_group, AutoScalingGroupName="none", MinSize=1)
asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=4)
serving(4)
asg.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=2)
g = serving(2)
assert g["DesiredCapacity"] == 2 and g["MaxSize"] == 2, g
asg.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=5)

# One is terminated and replaced, one is terminated for good, one gets ill.
ids = [i["InstanceId"] for i in g["Instances"]]
asg.terminate_instance_in_auto_scaling_group(InstanceId=ids[0], ShouldDecrementDesiredCapacity=False)
until("it is replaced", lambda: len([i for i in group()["Instances"] if i["InstanceId"] not in ids and i["LifecycleState"] == "InService"]) == 1)
activity = asg.terminate_instance_in_auto_scaling_group(InstanceId=ids[1], ShouldDecrementDesiredCapacity=True)["Activity"]
assert activity["Cause"].endswith(f"instance {ids[1]} was taken out of service in response to a user request, shrinking the capacity from 2 to 1."), activity
assert activity["Description"] == f"Terminating EC2 instance: {ids[1]}" and activity["StatusCode"] == "InProgress", activity
g = serving(1)
refused("ValidationError", "Currently, desiredSize equals minSize (1).", asg.terminate_instance_in_auto_scaling_group, InstanceId=g["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=True)
refused("ValidationError", "No managed instance found for instance ID: i-00000000000000000", asg.terminate_instance_in_auto_scaling_group, InstanceId="i-00000000000000000", ShouldDecrementDesiredCapacity=True)
ill = g["Instances"][0]["InstanceId"]
asg.set_instance_health(InstanceId=ill, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False)
until("it is replaced", lambda: [i["InstanceId"] for i in group()["Instances"] if i["LifecycleState"] == "InService"] not in ([], [ill]))

# Standby, detaching, attaching, protection.
asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=2)
g = serving(2)
one = g["Instances"][0]["InstanceId"]
moved = asg.enter_standby(InstanceIds=[one], AutoScalingGroupName="g", ShouldDecrementDesiredCapacity=True)["Activities"]
assert moved[0]["Description"] == f"Moving EC2 instance to Standby: {one}", moved
assert group()["DesiredCapacity"] == 1
asg.exit_standby(InstanceIds=[one], AutoScalingGroupName="g")
serving(2)
asg.detach_instances(InstanceIds=[one], AutoScalingGroupName="g", ShouldDecrementDesiredCapacity=True)
serving(1)
assert ec2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"
asg.attach_instances(InstanceIds=[one], AutoScalingGroupName="g")
assert serving(2)["DesiredCapacity"] == 2
refused("ValidationError", f"Instance {one} is already part of AutoScalingGroup:g", asg.attach_instances, InstanceIds=[one], AutoScalingGroupName="g")
asg.set_instance_protection(InstanceIds=[one], AutoScalingGroupName="g", ProtectedFromScaleIn=True)
asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=1)
assert serving(1)["Instances"][0]["InstanceId"] == one
asg.set_instance_protection(InstanceIds=[one], AutoScalingGroupName="g", ProtectedFromScaleIn=False)

# Hooks.
asg.put_lifecycle_hook(LifecycleHookName="launch", AutoScalingGroupName="g", LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING", HeartbeatTimeout=60)
(hook,) = asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"]
assert hook["GlobalTimeout"] == 6000 and hook["DefaultResult"] == "ABANDON", hook
asg.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=2)
waiting = until("it waits", lambda: [i["InstanceId"] for i in group()["Instances"] if i["LifecycleState"] == "Pending:Wait"])[0]
asg.record_lifecycle_action_heartbeat(LifecycleHookName="launch", AutoScalingGroupName="g", InstanceId=waiting)
asg.complete_lifecycle_action(LifecycleHookName="launch", AutoScalingGroupName="g", InstanceId=waiting, LifecycleActionResult="CONTINUE")
serving(2)
refused("ValidationError", f"No active Lifecycle Action found with instance ID {waiting}", asg.complete_lifecycle_action, LifecycleHookName="launch", AutoScalingGroupName="g", InstanceId=waiting, LifecycleActionResult="CONTINUE")
asg.delete_lifecycle_hook(LifecycleHookName="launch", AutoScalingGroupName="g")

# Processes.
asg.suspend_processes(AutoScalingGroupName="g", ScalingProcesses=["Launch", "Terminate"])
assert {p["ProcessName"] for p in group()["SuspendedProcesses"]} == {"Launch", "Terminate"}
asg.resume_processes(AutoScalingGroupName="g")
assert group()["SuspendedProcesses"] == []

# A refresh to another version of the template.
ec2.create_launch_template_version(LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"InstanceType": "m5.xlarge"})
started = asg.start_instance_refresh(AutoScalingGroupName="g", Preferences={"MinHealthyPercentage": 50, "SkipMatching": True, "InstanceWarmup": 1})
refused("InstanceRefreshInProgress", "An Instance Refresh is already in progress", asg.start_instance_refresh, AutoScalingGroupName="g")
until("the refresh", lambda: asg.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"][0]["Status"] == "Successful")
g = serving(2)
assert {(i["InstanceType"], i["LaunchTemplate"]["Version"]) for i in g["Instances"]} == {("m5.xlarge", "2")}, g
(refresh,) = asg.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"]
assert refresh["InstanceRefreshId"] == started["InstanceRefreshId"] and refresh["PercentageComplete"] == 100, refresh
refused("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found", asg.cancel_instance_refresh, AutoScalingGroupName="g")

# Policies and schedules.
asg.put_scaling_policy(AutoScalingGroupName="g", PolicyName="up", AdjustmentType="ChangeInCapacity", ScalingAdjustment=2)
asg.execute_policy(AutoScalingGroupName="g", PolicyName="up")
serving(4)
refused("ScalingActivityInProgress", "cooldown", asg.execute_policy, AutoScalingGroupName="g", PolicyName="up", HonorCooldown=True)
tracking = asg.put_scaling_policy(AutoScalingGroupName="g", PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration={
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 50.5})
assert len(tracking["Alarms"]) == 2, tracking
shown = {p["PolicyName"]: p for p in asg.describe_policies(AutoScalingGroupName="g")["ScalingPolicies"]}
assert shown["cpu"]["TargetTrackingConfiguration"]["TargetValue"] == 50.5 and shown["up"]["ScalingAdjustment"] == 2, shown
asg.put_scheduled_update_group_action(AutoScalingGroupName="g", ScheduledActionName="night", Recurrence="0 22 * * *", DesiredCapacity=1)
(action,) = asg.describe_scheduled_actions(AutoScalingGroupName="g")["ScheduledUpdateGroupActions"]
assert action["Recurrence"] == "0 22 * * *" and action["DesiredCapacity"] == 1 and "MinSize" not in action, action
refused("ValidationError", "Given recurrence string:every day is invalid", asg.put_scheduled_update_group_action, AutoScalingGroupName="g", ScheduledActionName="x", Recurrence="every day", DesiredCapacity=1)

# Launch configurations and mixed groups.
asg.create_launch_configuration(LaunchConfigurationName="lc", ImageId=image, InstanceType="t3.medium")
asg.create_auto_scaling_group(AutoScalingGroupName="old", LaunchConfigurationName="lc", MinSize=1, MaxSize=1, AvailabilityZones=["us-east-1b"])
(i,) = serving(1, "old")["Instances"]
assert i["AvailabilityZone"] == "us-east-1b" and i["LaunchConfigurationName"] == "lc" and i["InstanceType"] == "t3.medium", i
refused("ResourceInUse", "Cannot delete launch configuration lc because it is attached to AutoScalingGroup old", asg.delete_launch_configuration, LaunchConfigurationName="lc")
asg.create_auto_scaling_group(AutoScalingGroupName="mixed", MinSize=2, MaxSize=2, **where, MixedInstancesPolicy={
    "LaunchTemplate": {"LaunchTemplateSpecification": {"LaunchTemplateName": "web", "Version": "1"}, "Overrides": [{"InstanceType": "c5.large"}, {"InstanceType": "m5.large"}]},
    "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 0, "SpotAllocationStrategy": "price-capacity-optimized"}})
mixed = serving(2, "mixed")
kinds = [i.get("InstanceLifecycle") for r in ec2.describe_instances(InstanceIds=[i["InstanceId"] for i in mixed["Instances"]])["Reservations"] for i in r["Instances"]]
assert sorted(k or "" for k in kinds) == ["", "spot"], kinds
policy = mixed["MixedInstancesPolicy"]
assert [o["InstanceType"] for o in policy["LaunchTemplate"]["Overrides"]] == ["c5.large", "m5.large"], policy
assert policy["InstancesDistribution"]["OnDemandAllocationStrategy"] == "prioritized", policy
(i,) = asg.describe_auto_scaling_groups(Filters=[{"Name": "tag:team", "Values": ["x"]}])["AutoScalingGroups"]
assert i["AutoScalingGroupName"] == "g"

# The ends.
refused("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances", asg.delete_auto_scaling_group, AutoScalingGroupName="g")
for name in "g", "old", "mixed":
    asg.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
until("they are gone", lambda: not asg.describe_auto_scaling_groups()["AutoScalingGroups"])
assert not [i for r in ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}])["Reservations"] for i in r["Instances"]]
asg.delete_launch_configuration(LaunchConfigurationName="lc")
gone = asg.describe_scaling_activities(AutoScalingGroupName="g", IncludeDeletedGroups=True)["Activities"]
assert gone and gone[0]["AutoScalingGroupState"] == "Deleted", gone[:1]

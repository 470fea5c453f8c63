"""What boto3 must see of Auto Scaling: run by autoscaling_test.go with the endpoint and keys in the environment."""
import boto3
from botocore.exceptions import ClientError

asg, ec2 = boto3.client("autoscaling"), boto3.client("ec2")


def refused(words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert words in str(e), e
        return
    raise AssertionError(f"{words} expected of {arguments}")


owned = [{"Name": "tag:kubernetes.io/cluster/demo", "Values": ["owned"]}]
(group,) = [g for p in asg.get_paginator("describe_auto_scaling_groups").paginate(Filters=owned) for g in p["AutoScalingGroups"]]
assert group["AutoScalingGroupName"].startswith("eks-default-") and group["DesiredCapacity"] == 4, group
assert group["AvailabilityZones"] == ["us-east-1a", "us-east-1b", "us-east-1c"] and group["LoadBalancerNames"] == [], group
ids = sorted(i["InstanceId"] for i in group["Instances"])
assert ids == sorted(i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]), ids
assert asg.describe_auto_scaling_groups(AutoScalingGroupNames=["none"])["AutoScalingGroups"] == []
assert len(asg.describe_auto_scaling_instances(InstanceIds=ids[:1])["AutoScalingInstances"]) == 1
first = asg.describe_auto_scaling_instances(MaxRecords=3)
assert len(first["AutoScalingInstances"]) == 3
assert len(asg.describe_auto_scaling_instances(MaxRecords=3, NextToken=first["NextToken"])["AutoScalingInstances"]) == 1
keys = {t["Key"] for t in asg.describe_tags(Filters=[{"Name": "auto-scaling-group", "Values": [group["AutoScalingGroupName"]]}])["Tags"]}
assert {"eks:cluster-name", "k8s.io/cluster-autoscaler/enabled"} <= keys, keys
assert asg.describe_launch_configurations()["LaunchConfigurations"] == []
assert asg.describe_scaling_activities(AutoScalingGroupName=group["AutoScalingGroupName"])["Activities"] == []
refused("ValidationError", asg.describe_scaling_activities, AutoScalingGroupName="none")
refused("Filter type nonsense is not correct", asg.describe_auto_scaling_groups, Filters=[{"Name": "nonsense", "Values": ["x"]}])
refused("AutoScalingGroup name not found", asg.set_desired_capacity, AutoScalingGroupName="x", DesiredCapacity=1)

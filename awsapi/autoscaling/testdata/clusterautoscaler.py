"""The calls of cluster-autoscaler's AWS provider in its order: auto_scaling_groups.go, aws_wrapper.go, aws_manager.go."""
import time

import boto3

asg, ec2 = boto3.client("autoscaling"), boto3.client("ec2")
image = [i for i in ec2.describe_images(Owners=["amazon"])["Images"] if i["Architecture"] == "x86_64"][0]["ImageId"]
ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData={"ImageId": image, "InstanceType": "m5.large"})
asg.create_launch_configuration(LaunchConfigurationName="nodes", ImageId=image, InstanceType="c5.large")
OWNED = [("k8s.io/cluster-autoscaler/enabled", "true"), ("k8s.io/cluster-autoscaler/demo", "owned"),
         ("k8s.io/cluster-autoscaler/node-template/label/tier", "batch"),
         ("k8s.io/cluster-autoscaler/node-template/taint/dedicated", "batch:NoSchedule"),
         ("k8s.io/cluster-autoscaler/node-template/resources/ephemeral-storage", "100G")]
common = {"MinSize": 0, "MaxSize": 3, "AvailabilityZones": ["us-east-1a", "us-east-1b", "us-east-1c"],
          "Tags": [{"Key": k, "Value": v, "PropagateAtLaunch": True} for k, v in OWNED]}
asg.create_auto_scaling_group(AutoScalingGroupName="by-template", LaunchTemplate={"LaunchTemplateName": "nodes", "Version": "$Latest"}, **common)
asg.create_auto_scaling_group(AutoScalingGroupName="by-configuration", LaunchConfigurationName="nodes", **common)
asg.create_auto_scaling_group(AutoScalingGroupName="mixed", **common, MixedInstancesPolicy={"LaunchTemplate": {
    "LaunchTemplateSpecification": {"LaunchTemplateName": "nodes", "Version": "$Default"}, "Overrides": [{"InstanceType": "m6i.large"}]}})
asg.create_auto_scaling_group(AutoScalingGroupName="not-mine", LaunchConfigurationName="nodes", MinSize=0, MaxSize=1, AvailabilityZones=["us-east-1a"])

# Start: createAWSManager asks for all instance types.
types = {t["InstanceType"]: t for p in ec2.get_paginator("describe_instance_types").paginate() for t in p["InstanceTypes"]}


def regenerate():
    """asgCache.regenerate: groups by tags, then what they are made of."""
    found = asg.get_paginator("describe_auto_scaling_groups").paginate(PaginationConfig={"PageSize": 100}, Filters=[
        {"Name": "tag-key", "Values": ["k8s.io/cluster-autoscaler/enabled"]}, {"Name": "tag:k8s.io/cluster-autoscaler/demo", "Values": ["owned"]}])
    groups = {g["AutoScalingGroupName"]: g for p in found for g in p["AutoScalingGroups"]}
    for g in groups.values():
        if g["DesiredCapacity"] > len(g["Instances"]):  # isNodeGroupAvailable: placeholders
            asg.describe_scaling_activities(AutoScalingGroupName=g["AutoScalingGroupName"])
    return groups


def instance_type(g):
    """getInstanceTypesForAsgs"""
    if g.get("LaunchConfigurationName"):
        (lc,) = asg.describe_launch_configurations(LaunchConfigurationNames=[g["LaunchConfigurationName"]], MaxRecords=50)["LaunchConfigurations"]
        return lc["InstanceType"]
    if "MixedInstancesPolicy" in g and g["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]:
        return g["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"][0]["InstanceType"]
    ref = g["LaunchTemplate"]
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName=ref["LaunchTemplateName"], Versions=[ref["Version"]])["LaunchTemplateVersions"]
    return version["LaunchTemplateData"]["InstanceType"]


groups = regenerate()
assert set(groups) == {"by-template", "by-configuration", "mixed"}, set(groups)
assert {n: instance_type(g) for n, g in groups.items()} == {"by-template": "m5.large", "by-configuration": "c5.large", "mixed": "m6i.large"}

# Scale from zero: a template node of the type and the tags.
for g in groups.values():
    t = types[instance_type(g)]
    assert t["VCpuInfo"]["DefaultVCpus"] == 2 and t["MemoryInfo"]["SizeInMiB"] >= 4096 and t["ProcessorInfo"]["SupportedArchitectures"][0] == "x86_64", t
    tags = {t["Key"]: t["Value"] for t in g["Tags"]}
    assert tags["k8s.io/cluster-autoscaler/node-template/taint/dedicated"] == "batch:NoSchedule", tags
    assert g["AvailabilityZones"][0] == "us-east-1a"

# Up: IncreaseSize, then the cache looks again each minute.
for name in groups:
    asg.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2, HonorCooldown=False)
end = time.time() + 20
while any([i["LifecycleState"] for i in g["Instances"]] != ["InService"] * 2 for g in groups.values()):
    assert time.time() < end, groups
    time.sleep(0.05)
    groups = regenerate()
for g in groups.values():
    for i in g["Instances"]:  # the provider ID's parts, and what counts for health
        assert i["AvailabilityZone"].startswith("us-east-1") and i["InstanceId"].startswith("i-") and i["HealthStatus"] == "Healthy", i

# Down: DeleteNodes.
for g in groups.values():
    activity = asg.terminate_instance_in_auto_scaling_group(InstanceId=g["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=True)["Activity"]
    assert "shrinking the capacity from 2 to 1" in activity["Cause"], activity
while any(g["DesiredCapacity"] != 1 or len(g["Instances"]) != 1 for g in groups.values()):
    assert time.time() < end, groups
    time.sleep(0.05)
    groups = regenerate()

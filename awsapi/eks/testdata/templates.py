"""What a node group takes from its launch template, SSH key and security groups, and what it may not say beside them."""
import boto3
from botocore.exceptions import ClientError

eks, ec2 = boto3.client("eks"), boto3.client("ec2")
ROLE = "arn:aws:iam::111122223333:role/worker"
subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=[{"Name": "map-public-ip-on-launch", "Values": ["false"]}])["Subnets"]]


def create(name, **more):
    return eks.create_nodegroup(clusterName="demo", nodegroupName=name, nodeRole=ROLE, subnets=subnets, **more)["nodegroup"]


def refused(code, sentence, **more):
    try:
        create("refused", **more)
    except ClientError as e:
        assert (e.response["Error"]["Code"], e.response["Error"]["Message"]) == (code, sentence), e
    else:
        raise AssertionError(f"{more} was taken")


def template(name, **data):
    return ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]


arm = template("arm", InstanceType="m6g.large")
ec2.create_launch_template_version(LaunchTemplateName="arm", LaunchTemplateData={"InstanceType": "m6g.xlarge"})
refused("InvalidParameterException", f"Could not find the specified version 3 for the launch template with ID {arm}.", launchTemplate={"id": arm, "version": "3"})
refused("InvalidRequestException", "Cannot specify instance types in launch template and API request", launchTemplate={"id": arm}, instanceTypes=["m6g.large"])
group = create("arm", launchTemplate={"name": "arm"})
assert group["launchTemplate"] == {"id": arm, "name": "arm", "version": "1"}, group
assert group["amiType"] == "AL2023_ARM_64_STANDARD" and "instanceTypes" not in group and "diskSize" not in group, group
eks.get_waiter("nodegroup_active").wait(clusterName="demo", nodegroupName="arm", WaiterConfig={"Delay": 1})
group = create("latest", launchTemplate={"id": arm, "version": "$Latest"})
assert group["launchTemplate"]["version"] == "2", group
update = eks.update_nodegroup_version(clusterName="demo", nodegroupName="arm", launchTemplate={"id": arm, "version": "2"})["update"]
assert {p["type"]: p["value"] for p in update["params"]}["LaunchTemplateVersion"] == "2", update

own = template("own-image", ImageId="ami-0123456789abcdef0")
refused("InvalidParameterException", "You cannot specify an AMI Type other than CUSTOM, when specifying an image id in your launch template.",
        launchTemplate={"id": own}, amiType="AL2023_x86_64_STANDARD")
group = create("own-image", launchTemplate={"id": own})
assert group["amiType"] == "CUSTOM" and group["instanceTypes"] == ["t3.medium"] and "releaseVersion" not in group, group

profile = template("profile", IamInstanceProfile={"Name": "x"}, InstanceType="m5.large")
refused("InvalidParameterException",
        "Launch template should not specify an instance profile. The noderole in your request will be used to construct an instance profile.", launchTemplate={"id": profile})

ec2.create_key_pair(KeyName="mine")
bastion = ec2.create_security_group(GroupName="bastion", Description="d")["GroupId"]
refused("InvalidParameterException", "The security group 'sg-00000000000000000' does not exist",
        remoteAccess={"ec2SshKey": "mine", "sourceSecurityGroups": ["sg-00000000000000000"]})
group = create("ssh", remoteAccess={"ec2SshKey": "mine", "sourceSecurityGroups": [bastion]})
(opened,) = ec2.describe_security_groups(GroupIds=[group["resources"]["remoteAccessSecurityGroup"]])["SecurityGroups"]
assert opened["IpPermissions"][0]["FromPort"] == 22 and opened["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == bastion, opened
eks.delete_nodegroup(clusterName="demo", nodegroupName="ssh")
eks.get_waiter("nodegroup_deleted").wait(clusterName="demo", nodegroupName="ssh", WaiterConfig={"Delay": 1})
assert not ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": [opened["GroupId"]]}])["SecurityGroups"]

far = ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
elsewhere = ec2.create_subnet(VpcId=far, CidrBlock="192.168.0.0/24")["Subnet"]["SubnetId"]
home = eks.describe_cluster(name="demo")["cluster"]["resourcesVpcConfig"]["vpcId"]
subnets = [elsewhere]
refused("InvalidParameterException", f"Subnets specified must belong to the same VPC: {elsewhere} is in {far}, not in the cluster's, {home}")

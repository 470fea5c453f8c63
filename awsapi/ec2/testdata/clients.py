"""What boto3 must see of EC2: run by clients_test.go with the endpoint and keys in the environment."""
import boto3
from botocore.exceptions import ClientError

ec2 = boto3.client("ec2")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, f"{code} expected: {e}"
        assert e.response["ResponseMetadata"]["RequestId"], e.response
    else:
        raise AssertionError(f"{code} expected of {call.__name__}({arguments})")


def tags_of(resource):
    return {t["Key"]: t["Value"] for t in resource["Tags"]}


def default_network():
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    assert vpc["CidrBlock"] == "10.0.0.0/16" and vpc["IsDefault"] is True and vpc["State"] == "available", vpc
    assert vpc["CidrBlockAssociationSet"][0]["CidrBlockState"]["State"] == "associated", vpc
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert len(subnets) == 6 and {s["AvailabilityZoneId"] for s in subnets} == {"use1-az1", "use1-az2", "use1-az3"}, subnets
    assert {s["AvailableIpAddressCount"] for s in subnets} >= {251}, subnets
    tables = ec2.describe_route_tables()["RouteTables"]
    assert sorted(a["Main"] for t in tables for a in t["Associations"]) == [False] * 3 + [True], tables
    assert all(a["AssociationState"]["State"] == "associated" for t in tables for a in t["Associations"]), tables
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [z["ZoneName"] for z in zones] == ["us-east-1a", "us-east-1b", "us-east-1c"] and zones[0]["State"] == "available", zones
    regions = ec2.describe_regions()["Regions"]
    assert len(regions) == 17 and {r["OptInStatus"] for r in regions} == {"opt-in-not-required"}, regions
    assert len(ec2.describe_regions(AllRegions=True)["Regions"]) > 30
    assert ec2.describe_regions(RegionNames=["us-east-1"])["Regions"][0]["Endpoint"] == "ec2.us-east-1.amazonaws.com"
    attribute = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute="enableDnsSupport")
    assert attribute["EnableDnsSupport"] == {"Value": True}, attribute
    pages = ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5})
    assert [len(p["Subnets"]) for p in pages] == [5, 1]


def own_network():
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "own <&>"}]}])["Vpc"]
    vpc_id = vpc["VpcId"]
    assert tags_of(vpc) == {"Name": "own <&>"}, vpc
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="192.168.1.0/24", AvailabilityZone="us-east-1b")["Subnet"]
    subnet_id = subnet["SubnetId"]
    assert subnet["Ipv6Native"] is False and subnet["Ipv6CidrBlockAssociationSet"] == [] and subnet["EnableDns64"] is False, subnet
    assert subnet["PrivateDnsNameOptionsOnLaunch"] == {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": False, "EnableResourceNameDnsAAAARecord": False}, subnet
    ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": False})
    ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
    assert ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute="enableDnsHostnames")["EnableDnsHostnames"] == {"Value": True}
    ec2.create_tags(Resources=[vpc_id, subnet_id], Tags=[{"Key": "team", "Value": "a"}])
    ec2.delete_tags(Resources=[vpc_id], Tags=[{"Key": "Name"}])
    assert tags_of(ec2.describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]) == {"team": "a"}
    described = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["team"]}])["Tags"]
    assert {(t["ResourceType"], t["ResourceId"]) for t in described} == {("vpc", vpc_id), ("subnet", subnet_id)}, described
    shown = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    assert shown["MapPublicIpOnLaunch"] is True and tags_of(shown) == {"team": "a"}, shown
    group_id = ec2.create_security_group(GroupName="nodes", Description="nodes", VpcId=vpc_id)["GroupId"]
    group = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    assert group["IpPermissions"] == [] and group["IpPermissionsEgress"][0]["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}], group
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc_id)
    refused("InvalidSubnet.Conflict", ec2.create_subnet, VpcId=vpc_id, CidrBlock="192.168.1.0/28")
    refused("DryRunOperation", ec2.delete_subnet, SubnetId=subnet_id, DryRun=True)
    ec2.delete_security_group(GroupId=group_id)
    ec2.delete_subnet(SubnetId=subnet_id)
    ec2.delete_vpc(VpcId=vpc_id)
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[vpc_id])
    refused("InvalidVpcID.Malformed", ec2.describe_vpcs, VpcIds=["vpc"])
    refused("InvalidAction", ec2.describe_reserved_instances)


def group_rules():
    group_id = ec2.create_security_group(GroupName="rules", Description="rules")["GroupId"]
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.1/16", "Description": "inside"}]}
    own = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}
    made = ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[ssh, own],
                                                TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "a", "Value": "b"}]}])
    first, second = made["SecurityGroupRules"]
    assert first["CidrIpv4"] == "10.0.0.0/16" and first["FromPort"] == 22 and first["IsEgress"] is False and tags_of(first) == {"a": "b"}, first
    assert second["ReferencedGroupInfo"]["GroupId"] == group_id and second["IpProtocol"] == "-1", second
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=group_id, IpPermissions=[ssh])
    refused("InvalidPermission.NotFound", ec2.revoke_security_group_egress, GroupId=group_id, IpPermissions=[ssh])
    refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, GroupId="sg-00000000000000000", IpPermissions=[ssh])
    refused("InvalidParameterValue", ec2.authorize_security_group_ingress, GroupId=group_id, IpProtocol="tcp", FromPort=9, ToPort=8, CidrIp="0.0.0.0/0")
    ec2.authorize_security_group_ingress(GroupId=group_id, IpProtocol="udp", FromPort=53, ToPort=53, CidrIp="0.0.0.0/0")
    group = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    assert [p["IpProtocol"] for p in group["IpPermissions"]] == ["tcp", "-1", "udp"], group
    assert group["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.0.0.0/16", "Description": "inside"}], group
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])["SecurityGroupRules"]
    assert len(rules) == 4, rules
    gone = ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=[first["SecurityGroupRuleId"]])
    assert gone["Return"] is True and gone["RevokedSecurityGroupRules"][0]["CidrIpv4"] == "10.0.0.0/16", gone
    refused("InvalidSecurityGroupRuleId.NotFound", ec2.describe_security_group_rules, SecurityGroupRuleIds=[first["SecurityGroupRuleId"]])
    ec2.revoke_security_group_egress(GroupId=group_id, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
    assert ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]["IpPermissionsEgress"] == []
    ec2.delete_security_group(GroupId=group_id)


def changed_rules():
    group_id = ec2.create_security_group(GroupName="changed", Description="d")["GroupId"]
    web = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "one"}]}
    rule_id = ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[web])["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group_id, IpPermissions=[{**web, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "two"}]}])
    assert ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule_id])["SecurityGroupRules"][0]["Description"] == "two"
    ec2.update_security_group_rule_descriptions_ingress(GroupName="changed", SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule_id, "Description": "three"}])
    refused("InvalidSecurityGroupRuleId.NotFound", ec2.update_security_group_rule_descriptions_egress, GroupId=group_id,
            SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule_id, "Description": "three"}])
    assert ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule_id])["SecurityGroupRules"][0]["Description"] == "three"
    ec2.modify_security_group_rules(GroupId=group_id, SecurityGroupRules=[{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": {
        "IpProtocol": "udp", "FromPort": 0, "ToPort": 53, "CidrIpv6": "2001:db8::/32", "Description": "four"}}])
    changed = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule_id])["SecurityGroupRules"][0]
    assert changed["CidrIpv6"] == "2001:db8::/32" and changed["FromPort"] == 0 and changed["Description"] == "four" and "CidrIpv4" not in changed, changed
    ec2.delete_security_group(GroupId=group_id)


def control_plane_interfaces():
    found = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["Amazon EKS demo"]}])["NetworkInterfaces"]
    assert sorted(i["PrivateIpAddress"] for i in found) == ["10.0.0.10", "10.0.32.10", "10.0.64.10"], found
    assert all(i["RequesterManaged"] and i["Status"] == "in-use" and i["Attachment"]["Status"] == "attached" for i in found), found
    assert all(i["Groups"][0]["GroupName"].startswith("eks-cluster-sg-demo-") and i["PrivateIpAddresses"][0]["Primary"] for i in found), found
    refused("InvalidNetworkInterfaceID.NotFound", ec2.describe_network_interfaces, NetworkInterfaceIds=["eni-00000000000000000"])


def internet_gateways():
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    (attachment,) = gateway["Attachments"]
    assert attachment["State"] == "available", gateway
    refused("OperationNotPermitted", ec2.detach_internet_gateway, InternetGatewayId=gateway["InternetGatewayId"], VpcId=attachment["VpcId"])
    vpc_id = ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
    own = ec2.create_internet_gateway(TagSpecifications=[{"ResourceType": "internet-gateway", "Tags": [{"Key": "a", "Value": "b"}]}])["InternetGateway"]
    assert own["Attachments"] == [] and tags_of(own) == {"a": "b"}, own
    own_id = own["InternetGatewayId"]
    refused("InvalidParameterValue", ec2.attach_internet_gateway, InternetGatewayId=own_id, VpcId=attachment["VpcId"])
    ec2.attach_internet_gateway(InternetGatewayId=own_id, VpcId=vpc_id)
    refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=own_id, VpcId=vpc_id)
    refused("DependencyViolation", ec2.delete_internet_gateway, InternetGatewayId=own_id)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc_id)
    ec2.detach_internet_gateway(InternetGatewayId=own_id, VpcId=vpc_id)
    refused("Gateway.NotAttached", ec2.detach_internet_gateway, InternetGatewayId=own_id, VpcId=vpc_id)
    ec2.delete_internet_gateway(InternetGatewayId=own_id)
    ec2.delete_vpc(VpcId=vpc_id)


def nat_gateways():
    (gateway,) = ec2.describe_nat_gateways()["NatGateways"]
    assert gateway["State"] == "available" and gateway["CreateTime"].year == 2026, gateway
    (ip,) = ec2.describe_addresses()["Addresses"]
    assert gateway["NatGatewayAddresses"][0]["PublicIp"] == ip["PublicIp"] == "203.0.113.1" and ip["AssociationId"], ip
    refused("OperationNotPermitted", ec2.release_address, AllocationId=ip["AllocationId"])
    refused("OperationNotPermitted", ec2.delete_nat_gateway, NatGatewayId=gateway["NatGatewayId"])
    own = ec2.allocate_address(Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "a", "Value": "b"}]}])
    assert own["PublicIp"] == "203.0.113.2", own
    assert tags_of(ec2.describe_addresses(PublicIps=[own["PublicIp"]])["Addresses"][0]) == {"a": "b"}
    arguments = {"SubnetId": gateway["SubnetId"], "AllocationId": own["AllocationId"], "ClientToken": "t"}
    made = ec2.create_nat_gateway(**arguments)["NatGateway"]
    assert ec2.create_nat_gateway(**arguments)["NatGateway"]["NatGatewayId"] == made["NatGatewayId"]
    refused("Resource.AlreadyAssociated", ec2.create_nat_gateway, SubnetId=gateway["SubnetId"], AllocationId=own["AllocationId"])
    refused("MissingParameter", ec2.create_nat_gateway, SubnetId=gateway["SubnetId"])
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[made["NatGatewayId"]])
    refused("InvalidIPAddress.InUse", ec2.release_address, AllocationId=own["AllocationId"])
    ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
    ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=[made["NatGatewayId"]])
    ec2.release_address(AllocationId=own["AllocationId"])
    refused("InvalidAllocationID.NotFound", ec2.describe_addresses, AllocationIds=[own["AllocationId"]])
    refused("InvalidAddress.NotFound", ec2.describe_addresses, PublicIps=["203.0.113.9"])


def routes():
    vpc_id = ec2.create_vpc(CidrBlock="172.16.0.0/16")["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="172.16.0.0/24")["Subnet"]["SubnetId"]
    gateway_id = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    table = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]
    table_id = table["RouteTableId"]
    assert [r["GatewayId"] for r in table["Routes"]] == ["local"] and table["Associations"] == [], table
    everywhere = {"RouteTableId": table_id, "DestinationCidrBlock": "0.0.0.0/0"}
    refused("InvalidParameterValue", ec2.create_route, GatewayId=gateway_id, **everywhere)
    ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    assert ec2.create_route(GatewayId=gateway_id, **everywhere)["Return"] is True
    refused("RouteAlreadyExists", ec2.create_route, GatewayId=gateway_id, **everywhere)
    refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=table_id, DestinationCidrBlock="1.0.0.0/8")
    refused("InvalidParameterValue", ec2.delete_route, RouteTableId=table_id, DestinationCidrBlock="172.16.0.0/16")
    made = ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet_id)
    assert made["AssociationState"]["State"] == "associated", made
    (found,) = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet_id]}])["RouteTables"]
    assert found["RouteTableId"] == table_id and found["Associations"][0]["RouteTableAssociationId"] == made["AssociationId"], found
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    refused("Resource.AlreadyAssociated", ec2.associate_route_table, RouteTableId=main["RouteTableId"], SubnetId=subnet_id)
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=table_id)
    refused("DependencyViolation", ec2.delete_route_table, RouteTableId=main["RouteTableId"])
    ec2.detach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    assert ec2.describe_route_tables(RouteTableIds=[table_id])["RouteTables"][0]["Routes"][1]["State"] == "blackhole"
    ec2.delete_route(**everywhere)
    ec2.disassociate_route_table(AssociationId=made["AssociationId"])
    refused("InvalidAssociationID.NotFound", ec2.disassociate_route_table, AssociationId=made["AssociationId"])
    ec2.delete_subnet(SubnetId=subnet_id)
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc_id)
    ec2.delete_route_table(RouteTableId=table_id)
    ec2.delete_internet_gateway(InternetGatewayId=gateway_id)
    ec2.delete_vpc(VpcId=vpc_id)


def acls_and_options():
    (acl,) = ec2.describe_network_acls()["NetworkAcls"]
    assert acl["IsDefault"] is True and len(acl["Associations"]) == 6 and len(acl["Entries"]) == 4, acl
    (options,) = ec2.describe_dhcp_options()["DhcpOptions"]
    assert options["DhcpConfigurations"][0] == {"Key": "domain-name", "Values": [{"Value": "ec2.internal"}]}, options
    assert ec2.describe_vpcs()["Vpcs"][0]["DhcpOptionsId"] == options["DhcpOptionsId"]


def network_acls():
    vpc_id = ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="192.168.1.0/24")["Subnet"]["SubnetId"]
    (default,) = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
    acl = ec2.create_network_acl(VpcId=vpc_id, TagSpecifications=[{"ResourceType": "network-acl", "Tags": [{"Key": "Name", "Value": "mine"}]}])["NetworkAcl"]
    assert tags_of(acl) == {"Name": "mine"} and acl["IsDefault"] is False and [e["RuleNumber"] for e in acl["Entries"]] == [32767, 32767], acl
    web = {"NetworkAclId": acl["NetworkAclId"], "RuleNumber": 100, "Egress": False}
    ec2.create_network_acl_entry(Protocol="6", RuleAction="allow", CidrBlock="10.0.0.0/8", PortRange={"From": 0, "To": 443}, **web)
    refused("NetworkAclEntryAlreadyExists", ec2.create_network_acl_entry, Protocol="-1", RuleAction="allow", CidrBlock="0.0.0.0/0", **web)
    refused("MissingParameter", ec2.create_network_acl_entry, Protocol="6", RuleAction="allow", CidrBlock="10.0.0.0/8", **{**web, "RuleNumber": 101})
    ec2.replace_network_acl_entry(Protocol="icmp", RuleAction="deny", CidrBlock="10.0.0.0/8", IcmpTypeCode={"Type": 0, "Code": -1}, **web)
    entry = next(e for e in ec2.describe_network_acls(NetworkAclIds=[acl["NetworkAclId"]])["NetworkAcls"][0]["Entries"] if e["RuleNumber"] == 100)
    assert entry["IcmpTypeCode"] == {"Type": 0, "Code": -1} and entry["Protocol"] == "1" and entry["RuleAction"] == "deny", entry
    (association,) = default["Associations"]
    ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl["NetworkAclId"])
    (found,) = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet_id]}])["NetworkAcls"]
    assert found["NetworkAclId"] == acl["NetworkAclId"], found
    refused("InvalidAssociationID.NotFound", ec2.replace_network_acl_association, AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl["NetworkAclId"])
    refused("DependencyViolation", ec2.delete_network_acl, NetworkAclId=acl["NetworkAclId"])
    ec2.delete_network_acl_entry(**web)
    refused("InvalidNetworkAclEntry.NotFound", ec2.delete_network_acl_entry, **web)
    for egress in (True, False):  # as who adopts the default ACL does
        ec2.delete_network_acl_entry(NetworkAclId=default["NetworkAclId"], RuleNumber=100, Egress=egress)
    refused("InvalidParameterValue", ec2.delete_network_acl, NetworkAclId=default["NetworkAclId"])
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc_id)
    ec2.delete_subnet(SubnetId=subnet_id)
    ec2.delete_network_acl(NetworkAclId=acl["NetworkAclId"])
    ec2.delete_vpc(VpcId=vpc_id)


def key_pairs():
    made = ec2.create_key_pair(KeyName="made")
    assert made["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----") and len(made["KeyFingerprint"]) == 59, made
    refused("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName="made")
    public = ec2.describe_key_pairs(KeyNames=["made"], IncludePublicKey=True)["KeyPairs"][0]["PublicKey"]
    imported = ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=public.encode())
    assert len(imported["KeyFingerprint"]) == 47, imported
    refused("InvalidKey.Format", ec2.import_key_pair, KeyName="bad", PublicKeyMaterial=b"ssh-rsa AAAA")
    assert [k["KeyName"] for k in ec2.describe_key_pairs(Filters=[{"Name": "fingerprint", "Values": [imported["KeyFingerprint"]]}])["KeyPairs"]] == ["mine"]
    ec2.delete_key_pair(KeyName="made")
    ec2.delete_key_pair(KeyName="made")
    ec2.delete_key_pair(KeyPairId=imported["KeyPairId"])
    refused("InvalidKeyPair.NotFound", ec2.describe_key_pairs, KeyNames=["mine"])


def two_families():
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/16", AmazonProvidedIpv6CidrBlock=True, InstanceTenancy="dedicated")["Vpc"]
    vpc_id, block = vpc["VpcId"], vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    assert block.endswith("/56") and vpc["InstanceTenancy"] == "dedicated", vpc
    ec2.modify_vpc_tenancy(VpcId=vpc_id, InstanceTenancy="default")
    more = ec2.associate_vpc_cidr_block(VpcId=vpc_id, CidrBlock="100.64.0.0/16")["CidrBlockAssociation"]
    refused("InvalidVpc.Range", ec2.associate_vpc_cidr_block, VpcId=vpc_id, CidrBlock="100.64.1.0/24")
    six = block.replace("/56", "/64")
    subnet = ec2.create_subnet(VpcId=vpc_id, CidrBlock="100.64.0.0/19", Ipv6CidrBlock=six)["Subnet"]
    assert subnet["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] == six and subnet["AvailableIpAddressCount"] == 8187, subnet
    refused("InvalidSubnet.Conflict", ec2.create_subnet, VpcId=vpc_id, CidrBlock="192.168.0.0/24", Ipv6CidrBlock=six)
    refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc_id, CidrBlock="192.168.0.0/24", Ipv6CidrBlock="2001:db9::/64")
    ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], AssignIpv6AddressOnCreation={"Value": True})
    refused("InvalidCidrBlock.InUse", ec2.disassociate_vpc_cidr_block, AssociationId=more["AssociationId"])
    refused("OperationNotPermitted", ec2.disassociate_vpc_cidr_block, AssociationId=vpc["CidrBlockAssociationSet"][0]["AssociationId"])
    (table,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"]
    local = {r.get("DestinationCidrBlock") or r["DestinationIpv6CidrBlock"] for r in table["Routes"] if r["GatewayId"] == "local"}
    assert local == {"192.168.0.0/16", "100.64.0.0/16", block}, table
    egress = ec2.create_egress_only_internet_gateway(VpcId=vpc_id)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    route = {"RouteTableId": table["RouteTableId"], "DestinationIpv6CidrBlock": "::/0"}
    ec2.create_route(EgressOnlyInternetGatewayId=egress, **route)
    refused("RouteAlreadyExists", ec2.create_route, EgressOnlyInternetGatewayId=egress, **route)
    refused("InvalidGatewayID.NotFound", ec2.replace_route, GatewayId="igw-00000000000000000", **route)
    internet = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=internet, VpcId=vpc_id)
    ec2.replace_route(GatewayId=internet, **route)
    edge = ec2.create_route_table(VpcId=vpc_id)["RouteTable"]["RouteTableId"]
    association = ec2.associate_route_table(RouteTableId=edge, GatewayId=internet)["AssociationId"]
    found = ec2.describe_route_tables(Filters=[{"Name": "association.gateway-id", "Values": [internet]}])["RouteTables"]
    assert [t["RouteTableId"] for t in found] == [edge] and found[0]["Associations"][0]["GatewayId"] == internet, found
    ec2.disassociate_route_table(AssociationId=association)
    log = ec2.create_flow_logs(ResourceIds=[vpc_id], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3", LogDestination="arn:aws:s3:::b")["FlowLogIds"]
    shown = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc_id]}])["FlowLogs"]
    assert [s["FlowLogId"] for s in shown] == log and shown[0]["MaxAggregationInterval"] == 600, shown
    assert ec2.delete_flow_logs(FlowLogIds=log)["Unsuccessful"] == [] and len(ec2.delete_flow_logs(FlowLogIds=log)["Unsuccessful"]) == 1
    ec2.delete_route(**route)
    ec2.disassociate_subnet_cidr_block(AssociationId=subnet["Ipv6CidrBlockAssociationSet"][0]["AssociationId"])
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.disassociate_vpc_cidr_block(AssociationId=more["AssociationId"])
    ec2.disassociate_vpc_cidr_block(AssociationId=vpc["Ipv6CidrBlockAssociationSet"][0]["AssociationId"])
    refused("DependencyViolation", ec2.delete_vpc, VpcId=vpc_id)
    ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=egress)
    ec2.detach_internet_gateway(InternetGatewayId=internet, VpcId=vpc_id)
    ec2.delete_route_table(RouteTableId=edge)
    ec2.delete_vpc(VpcId=vpc_id)


def routes_to_instances():
    node = ec2.describe_instances()["Reservations"][0]["Instances"][0]
    table = ec2.create_route_table(VpcId=node["VpcId"])["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.0.2.0/24", InstanceId=node["InstanceId"])
    (found,) = ec2.describe_route_tables(Filters=[{"Name": "route.instance-id", "Values": [node["InstanceId"]]}])["RouteTables"]
    route = next(r for r in found["Routes"] if r["DestinationCidrBlock"] == "192.0.2.0/24")
    assert route["NetworkInterfaceId"] == node["NetworkInterfaces"][0]["NetworkInterfaceId"] and route["State"] == "active", route
    ec2.delete_route_table(RouteTableId=table)


def what_there_is_none_of():
    assert ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["stopped"]}])["Reservations"] == []
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-00000000000000000"])
    refused("InvalidInstanceID.Malformed", ec2.describe_instances, InstanceIds=["x"])
    refused("InvalidVolume.NotFound", ec2.describe_volumes, VolumeIds=["vol-00000000000000000"])
    refused("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=["ami-00000000000000000"])
    refused("InvalidKeyPair.NotFound", ec2.describe_key_pairs, KeyNames=["mine"])
    (default,) = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert default["AttributeValues"][0]["AttributeValue"] == ec2.describe_vpcs()["Vpcs"][0]["VpcId"], default


def images_of_amazon():
    name = "amazon-eks-node-al2023-x86_64-standard-1.36-v*"
    found = ec2.describe_images(Owners=["602401143452"], Filters=[{"Name": "name", "Values": [name]}])["Images"]
    newest = max(found, key=lambda i: i["CreationDate"])
    assert len(found) == 2 and newest["ImageOwnerAlias"] == "amazon" and newest["Architecture"] == "x86_64" and newest["Public"], found
    assert newest["BlockDeviceMappings"][0]["DeviceName"] == newest["RootDeviceName"] == "/dev/xvda", newest
    assert ec2.describe_images(ImageIds=[newest["ImageId"]], Owners=["amazon"])["Images"] == [newest]
    assert ec2.describe_images(ExecutableUsers=["self"])["Images"] == []
    arm = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["arm64"]}], MaxResults=5)
    assert len(arm["Images"]) == 5 and arm["NextToken"], arm
    windows = ec2.describe_images(Filters=[{"Name": "platform", "Values": ["windows"]}])["Images"]
    assert windows and all(i["RootDeviceName"] == "/dev/sda1" for i in windows), windows


def instance_types():
    found = {t["InstanceType"]: t for p in ec2.get_paginator("describe_instance_types").paginate() for t in p["InstanceTypes"]}
    assert len(found) > 1000, len(found)
    m5, gpu, arm = found["m5.large"], found["g4dn.xlarge"], found["t4g.small"]
    assert m5["VCpuInfo"] == {"DefaultVCpus": 2, "DefaultCores": 1, "DefaultThreadsPerCore": 2, "ValidCores": [1], "ValidThreadsPerCore": [1, 2]} and m5["MemoryInfo"] == {"SizeInMiB": 8192}, m5
    assert m5["NetworkInfo"]["MaximumNetworkInterfaces"] == 3 and m5["NetworkInfo"]["Ipv4AddressesPerInterface"] == 10, m5
    assert gpu["GpuInfo"]["Gpus"][0]["Name"] == "T4" and "GpuInfo" not in m5, gpu
    assert arm["ProcessorInfo"]["SupportedArchitectures"] == ["arm64"] and arm["BurstablePerformanceSupported"] is True, arm
    assert all(t["NetworkInfo"]["NetworkCards"][t["NetworkInfo"]["DefaultNetworkCardIndex"]]["MaximumNetworkInterfaces"] for t in found.values())
    assert all(t["BareMetal"] or t["Hypervisor"] in ("nitro", "xen") for t in found.values())
    assert found["inf2.xlarge"]["NeuronInfo"]["NeuronDevices"][0]["CoreInfo"]["Count"] == 2, found["inf2.xlarge"]
    assert found["p5.48xlarge"]["NetworkInfo"]["EfaInfo"]["MaximumEfaInterfaces"] == 32, found["p5.48xlarge"]
    assert found["i4i.large"]["InstanceStorageInfo"]["TotalSizeInGB"] == 468, found["i4i.large"]
    assert len(ec2.describe_instance_types(InstanceTypes=["m5.large", "c5.large"])["InstanceTypes"]) == 2
    refused("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=["m5.tiny"])
    offered = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["t3.*"]}])["InstanceTypeOfferings"]
    assert len(offered) == 21 and {o["Location"] for o in offered} == {"us-east-1a", "us-east-1b", "us-east-1c"}, offered
    refused("InvalidParameterValue", ec2.describe_instance_type_offerings, LocationType="outpost")


def prices_and_requirements():
    prices = ec2.describe_spot_price_history(InstanceTypes=["m5.large"], ProductDescriptions=["Linux/UNIX"])["SpotPriceHistory"]
    assert {p["AvailabilityZone"] for p in prices} == {"us-east-1a", "us-east-1b", "us-east-1c"} and len(prices) == 3, prices
    assert all(0.01 < float(p["SpotPrice"]) < 0.06 for p in prices) and len({p["SpotPrice"] for p in prices}) > 1, prices
    pages = ec2.get_paginator("describe_spot_price_history").paginate(ProductDescriptions=["Linux/UNIX", "Linux/UNIX (Amazon VPC)"])
    assert sum(len(p["SpotPriceHistory"]) for p in pages) > 6000
    wanted = {"VCpuCount": {"Min": 2, "Max": 2}, "MemoryMiB": {"Min": 4096, "Max": 8192}, "InstanceGenerations": ["current"]}
    def ask(**more):
        pages = ec2.get_paginator("get_instance_types_from_instance_requirements").paginate(
            ArchitectureTypes=["x86_64"], VirtualizationTypes=["hvm"], InstanceRequirements=dict(wanted, **more))
        return [t["InstanceType"] for p in pages for t in p["InstanceTypes"]]
    names = ask()
    assert "m7i.large" in names and "t3.medium" not in names and "m7g.large" not in names and "m5.xlarge" not in names, names
    assert "t3.medium" in ask(BurstablePerformance="included"), names
    assert ask(AllowedInstanceTypes=["c7*"], CpuManufacturers=["amd"]) == ["c7a.large"], ask(AllowedInstanceTypes=["c7*"])
    gpus = ask(VCpuCount={"Min": 1}, MemoryMiB={"Min": 1}, AcceleratorManufacturers=["nvidia"], AcceleratorNames=["a10g"], AcceleratorCount={"Min": 4})
    assert gpus and all(n.startswith("g5.") for n in gpus), gpus


def launch_templates():
    data = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "m5.large", "UserData": "IyEvYmluL3NoCg==", "SecurityGroupIds": ["sg-00000000000000001"],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 80, "VolumeType": "gp3", "Encrypted": True}}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]}
    made = ec2.create_launch_template(LaunchTemplateName="nodes", LaunchTemplateData=data, ClientToken="t",
                                      TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "team", "Value": "a"}]}])["LaunchTemplate"]
    assert made["LatestVersionNumber"] == made["DefaultVersionNumber"] == 1 and tags_of(made) == {"team": "a"} and made["CreateTime"], made
    template = {"LaunchTemplateId": made["LaunchTemplateId"]}
    refused("InvalidLaunchTemplateName.AlreadyExistsException", ec2.create_launch_template, LaunchTemplateName="nodes", LaunchTemplateData=data)
    refused("InvalidLaunchTemplateName.MalformedException", ec2.create_launch_template, LaunchTemplateName="a b", LaunchTemplateData=data)
    refused("UnknownParameter", ec2.create_launch_template, LaunchTemplateName="bad", LaunchTemplateData={"RamDiskId": "ari-1"})
    (first,) = ec2.describe_launch_template_versions(Versions=["$Default"], **template)["LaunchTemplateVersions"]
    assert first["LaunchTemplateData"] == data and first["DefaultVersion"] is True, first
    second = ec2.create_launch_template_version(SourceVersion="1", LaunchTemplateData={"InstanceType": "m5.xlarge"}, **template)["LaunchTemplateVersion"]
    assert second["VersionNumber"] == 2 and second["LaunchTemplateData"] == {**data, "InstanceType": "m5.xlarge"}, second
    assert ec2.modify_launch_template(DefaultVersion="2", **template)["LaunchTemplate"]["DefaultVersionNumber"] == 2
    versions = ec2.describe_launch_template_versions(LaunchTemplateName="nodes")["LaunchTemplateVersions"]
    assert [(v["VersionNumber"], v["DefaultVersion"]) for v in versions] == [(1, False), (2, True)], versions
    assert len(ec2.describe_launch_template_versions(Versions=["$Latest"])["LaunchTemplateVersions"]) == 1
    gone = ec2.delete_launch_template_versions(Versions=["1", "2", "3"], **template)
    assert [v["VersionNumber"] for v in gone["SuccessfullyDeletedLaunchTemplateVersions"]] == [1], gone
    kept = {v["VersionNumber"]: v["ResponseError"]["Code"] for v in gone["UnsuccessfullyDeletedLaunchTemplateVersions"]}
    assert kept == {2: "unexpectedError", 3: "launchTemplateVersionDoesNotExist"}, gone
    refused("InvalidLaunchTemplateId.VersionNotFound", ec2.describe_launch_template_versions, Versions=["1"], **template)
    assert len(ec2.describe_launch_templates(LaunchTemplateNames=["nodes"])["LaunchTemplates"]) == 1
    ec2.delete_launch_template(**template)
    refused("InvalidLaunchTemplateId.NotFound", ec2.describe_launch_templates, LaunchTemplateIds=[made["LaunchTemplateId"]])
    refused("InvalidLaunchTemplateName.NotFoundException", ec2.describe_launch_templates, LaunchTemplateNames=["nodes"])


def nodes():
    owned = [{"Name": "tag:kubernetes.io/cluster/demo", "Values": ["owned"]}]
    found = [i for p in ec2.get_paginator("describe_instances").paginate(Filters=owned) for r in p["Reservations"] for i in r["Instances"]]
    assert sorted(i["Placement"]["AvailabilityZone"] for i in found) == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1c"], found
    one = found[0]
    assert one["State"] == {"Code": 16, "Name": "running"} and one["InstanceType"] == "m5.large", one
    assert tags_of(one)["eks:cluster-name"] == "demo" and tags_of(one)["Name"].startswith("demo-"), one
    by_name = ec2.describe_instances(Filters=[{"Name": "private-dns-name", "Values": [one["PrivateDnsName"]]}])
    assert [i["InstanceId"] for r in by_name["Reservations"] for i in r["Instances"]] == [one["InstanceId"]], by_name
    (status,) = ec2.describe_instance_status(InstanceIds=[one["InstanceId"]])["InstanceStatuses"]
    assert status["InstanceStatus"]["Status"] == "ok", status
    (volume,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [one["InstanceId"]]}])["Volumes"]
    assert volume["Size"] == 20 and volume["VolumeId"] == one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"], volume
    (eni,) = ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [one["InstanceId"]]}])["NetworkInterfaces"]
    assert eni["PrivateIpAddress"] == one["PrivateIpAddress"], eni
    ec2.create_tags(Resources=[one["InstanceId"]], Tags=[{"Key": "mine", "Value": "x"}])
    again = ec2.describe_instances(InstanceIds=[one["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert tags_of(again)["mine"] == "x" and tags_of(again)["eks:cluster-name"] == "demo", again
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"])


def volumes_and_snapshots():
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "CSIVolumeName", "Value": "pvc-1"}]}]
    made = ec2.create_volume(AvailabilityZone="us-east-1b", Size=10, VolumeType="gp3", Iops=4000, Throughput=200, Encrypted=True,
                             ClientToken="t", TagSpecifications=tags)
    assert made["State"] == "creating" and made["Iops"] == 4000 and made["Throughput"] == 200 and tags_of(made) == {"CSIVolumeName": "pvc-1"}, made
    (found,) = ec2.describe_volumes(Filters=[{"Name": "tag:CSIVolumeName", "Values": ["pvc-*"]}])["Volumes"]
    assert found["VolumeId"] == made["VolumeId"] and found["AvailabilityZone"] == "us-east-1b" and found["Encrypted"], found
    volume = {"VolumeId": made["VolumeId"]}
    refused("IncorrectState", ec2.delete_volume, **volume)  # its zone has not made it yet
    refused("IncorrectState", ec2.detach_volume, **volume)
    pages = list(ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5}))
    assert len({v["VolumeId"] for p in pages for v in p["Volumes"]}) == len(ec2.describe_volumes()["Volumes"]), pages
    (status,) = ec2.describe_volume_status(VolumeIds=[made["VolumeId"]])["VolumeStatuses"]
    assert status["VolumeStatus"]["Status"] == "ok", status
    ec2.modify_volume_attribute(AutoEnableIO={"Value": True}, **volume)
    assert ec2.describe_volume_attribute(Attribute="autoEnableIO", **volume)["AutoEnableIO"] == {"Value": True}
    ec2.create_tags(Resources=[made["VolumeId"]], Tags=[{"Key": "a", "Value": "b"}])
    assert {t["Key"] for t in ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [made["VolumeId"]]}])["Tags"]} == {"a", "CSIVolumeName"}

    node = ec2.describe_instances()["Reservations"][0]["Instances"][0]
    root = {"VolumeId": node["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]}
    change = ec2.modify_volume(Size=30, **root)["VolumeModification"]
    assert change["ModificationState"] == "modifying" and (change["OriginalSize"], change["TargetSize"]) == (20, 30), change
    (change,) = ec2.describe_volumes_modifications(Filters=[{"Name": "target-size", "Values": ["30"]}])["VolumesModifications"]
    assert change["ModificationState"] == "completed" and change["VolumeId"] == root["VolumeId"], change
    assert ec2.describe_volumes(VolumeIds=[root["VolumeId"]])["Volumes"][0]["Size"] == 30
    refused("OperationNotPermitted", ec2.detach_volume, **root)
    ec2.modify_volume(Size=40, **root)
    snap = ec2.create_snapshot(Description="d", TagSpecifications=[{"ResourceType": "snapshot", "Tags": [{"Key": "x", "Value": "y"}]}], **root)
    assert snap["State"] == "pending" and snap["VolumeSize"] == 40 and tags_of(snap) == {"x": "y"}, snap
    (found,) = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "volume-id", "Values": [root["VolumeId"]]}])["Snapshots"]
    assert found["SnapshotId"] == snap["SnapshotId"] and found["StorageTier"] == "standard", found
    all_of = ec2.create_snapshots(InstanceSpecification={"InstanceId": node["InstanceId"]}, CopyTagsFromSource="volume")["Snapshots"]
    assert [s["VolumeId"] for s in all_of] == [root["VolumeId"]], all_of
    refused("IncorrectState", ec2.create_volume, AvailabilityZone="us-east-1a", SnapshotId=snap["SnapshotId"])
    for s in [snap] + all_of:
        ec2.delete_snapshot(SnapshotId=s["SnapshotId"])
    refused("InvalidSnapshot.NotFound", ec2.delete_snapshot, SnapshotId=snap["SnapshotId"])


for story in (default_network, own_network, group_rules, changed_rules, control_plane_interfaces, internet_gateways, nat_gateways, routes, acls_and_options, network_acls, key_pairs, two_families, routes_to_instances, what_there_is_none_of, images_of_amazon, instance_types, prices_and_requirements, launch_templates, nodes, volumes_and_snapshots):
    try:
        story()
    except Exception as e:
        raise SystemExit(f"{story.__name__}: {type(e).__name__}: {e} (line {e.__traceback__.tb_next.tb_lineno})")

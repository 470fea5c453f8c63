"""What boto3 must see of both APIs of Elastic Load Balancing: run by elb_test.go with the endpoint and keys in the environment."""
import boto3
from botocore.exceptions import ClientError

v2, classic, ec2 = boto3.client("elbv2"), boto3.client("elb"), boto3.client("ec2")
ARN = "arn:aws:elasticloadbalancing:us-east-1:111122223333:"
INSTANCE = "i-0123456789abcdef0"


def refused(words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert words in str(e), e
        return
    raise AssertionError(f"{words} expected of {arguments}")


assert v2.describe_load_balancers()["LoadBalancers"] == []
assert v2.describe_target_groups()["TargetGroups"] == []
assert [p["LoadBalancers"] for p in v2.get_paginator("describe_load_balancers").paginate()] == [[]]
assert {"Name": "target-groups", "Max": "3000"} in v2.describe_account_limits()["Limits"]
refused("(LoadBalancerNotFound)", v2.describe_load_balancers, Names=["web"])
refused("Load balancers '[web]' not found", v2.describe_load_balancers, Names=["web"])
refused("(TargetGroupNotFound)", v2.describe_target_groups, Names=["web"])
refused("(TargetGroupNotFound)", v2.describe_target_health, TargetGroupArn=ARN + "targetgroup/x/1")
refused("(LoadBalancerNotFound)", v2.describe_listeners, LoadBalancerArn=ARN + "loadbalancer/app/x/1")
refused("(RuleNotFound)", v2.describe_rules, RuleArns=[ARN + "listener-rule/app/x/1/2/3"])
refused("Tripod does not have elasticloadbalancing:CreateTrustStore yet", v2.create_trust_store, Name="web",
        CaCertificatesBundleS3Bucket="b", CaCertificatesBundleS3Key="k")
assert v2.describe_trust_stores()["TrustStores"] == []
policies = v2.describe_ssl_policies()["SslPolicies"]
assert any(p["Name"] == "ELBSecurityPolicy-2016-08" and "TLSv1.2" in p["SslProtocols"] for p in policies), policies

# A network load balancer, its interfaces in EC2, and its capacity.
subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]]
vpc = ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
nlb = v2.create_load_balancer(Name="nlb", Type="network", Subnets=subnets, Tags=[{"Key": "a", "Value": "b"}])["LoadBalancers"][0]
v2.get_waiter("load_balancer_available").wait(Names=["nlb"], WaiterConfig={"Delay": 1, "MaxAttempts": 2})
path = nlb["LoadBalancerArn"].split(":loadbalancer/")[1]
interfaces = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB " + path]}])["NetworkInterfaces"]
assert len(interfaces) == 3 and interfaces[0]["InterfaceType"] == "network_load_balancer", interfaces
v2.modify_capacity_reservation(LoadBalancerArn=nlb["LoadBalancerArn"], MinimumLoadBalancerCapacity={"CapacityUnits": 3000})
reservation = v2.describe_capacity_reservation(LoadBalancerArn=nlb["LoadBalancerArn"])
assert [s["EffectiveCapacityUnits"] for s in reservation["CapacityReservationState"]] == [1000.0] * 3, reservation

# Tags, of all kinds of resources.
group = v2.create_target_group(Name="tcp", Protocol="TCP", Port=80, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
listener = v2.create_listener(LoadBalancerArn=nlb["LoadBalancerArn"], Protocol="TCP", Port=80,
                              DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])["Listeners"][0]["ListenerArn"]
v2.add_tags(ResourceArns=[group, listener], Tags=[{"Key": "x", "Value": "y"}])
v2.remove_tags(ResourceArns=[listener], TagKeys=["x"])
tags = {d["ResourceArn"]: d["Tags"] for d in v2.describe_tags(ResourceArns=[nlb["LoadBalancerArn"], group, listener])["TagDescriptions"]}
assert tags == {nlb["LoadBalancerArn"]: [{"Key": "a", "Value": "b"}], group: [{"Key": "x", "Value": "y"}], listener: []}, tags
refused("(DuplicateTagKeys)", v2.add_tags, ResourceArns=[group], Tags=[{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}])

# Addresses of the VPC are in a zone.
v2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.77"}, {"Id": "192.168.1.1", "AvailabilityZone": "all"}])
zones = {t["Target"]["Id"]: t["Target"]["AvailabilityZone"] for t in v2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]}
assert zones == {"10.0.0.77": "us-east-1a", "192.168.1.1": "all"}, zones
v2.delete_load_balancer(LoadBalancerArn=nlb["LoadBalancerArn"])
v2.delete_target_group(TargetGroupArn=group)

# The classic API.
assert classic.describe_load_balancers()["LoadBalancerDescriptions"] == []
refused("There is no ACTIVE Load Balancer named 'web'", classic.describe_load_balancers, LoadBalancerNames=["web"])
refused("There is no ACTIVE Load Balancer named 'web'", classic.describe_tags, LoadBalancerNames=["web"])
refused("There is no ACTIVE Load Balancer named 'web'", classic.describe_instance_health, LoadBalancerName="web", Instances=[{"InstanceId": "i-1"}])
http = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstanceProtocol": "HTTP", "InstancePort": 8080}
made = dict(LoadBalancerName="web", Listeners=[http], Subnets=subnets, Tags=[{"Key": "a", "Value": "b"}])
name = classic.create_load_balancer(**made)["DNSName"]
assert name.startswith("web-") and name.endswith(".us-east-1.elb.localhost"), name
assert classic.create_load_balancer(**made)["DNSName"] == name
refused("Load Balancer named 'web' already exists and it is configured with different parameters.", classic.create_load_balancer,
        **{**made, "Scheme": "internal"})
refused("A listener already exists for web with LoadBalancerPort 80, but with a different InstancePort", classic.create_load_balancer_listeners,
        LoadBalancerName="web", Listeners=[{**http, "InstancePort": 1}])
refused("Either AvailabilityZones or SubnetIds must be specified", classic.create_load_balancer, LoadBalancerName="x", Listeners=[http])

check = dict(Target="HTTP:8080/healthz", Interval=10, Timeout=5, UnhealthyThreshold=6, HealthyThreshold=2)
assert classic.configure_health_check(LoadBalancerName="web", HealthCheck=check)["HealthCheck"] == check
refused("HealthCheck Target must begin with one of HTTP, TCP, HTTPS, SSL", classic.configure_health_check, LoadBalancerName="web",
        HealthCheck={**check, "Target": "UDP:1"})
refused("HealthCheck timeout must be less than interval", classic.configure_health_check, LoadBalancerName="web",
        HealthCheck={**check, "Timeout": 10})

classic.modify_load_balancer_attributes(LoadBalancerName="web", LoadBalancerAttributes={
    "CrossZoneLoadBalancing": {"Enabled": True}, "ConnectionDraining": {"Enabled": True, "Timeout": 60},
    "ConnectionSettings": {"IdleTimeout": 90}, "AccessLog": {"Enabled": False}})
attributes = classic.describe_load_balancer_attributes(LoadBalancerName="web")["LoadBalancerAttributes"]
assert attributes["CrossZoneLoadBalancing"] == {"Enabled": True} and attributes["ConnectionDraining"] == {"Enabled": True, "Timeout": 60}
assert attributes["ConnectionSettings"] == {"IdleTimeout": 90} and attributes["AccessLog"] == {"Enabled": False}, attributes

classic.create_load_balancer_listeners(LoadBalancerName="web", Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 81, "InstancePort": 81}])
classic.create_load_balancer_policy(LoadBalancerName="web", PolicyName="proxy", PolicyTypeName="ProxyProtocolPolicyType",
                                    PolicyAttributes=[{"AttributeName": "ProxyProtocol", "AttributeValue": "true"}])
classic.set_load_balancer_policies_for_backend_server(LoadBalancerName="web", InstancePort=81, PolicyNames=["proxy"])
classic.create_lb_cookie_stickiness_policy(LoadBalancerName="web", PolicyName="sticky", CookieExpirationPeriod=60)
classic.set_load_balancer_policies_of_listener(LoadBalancerName="web", LoadBalancerPort=80, PolicyNames=["sticky"])
refused("can be associated only with HTTP and HTTPS listeners", classic.set_load_balancer_policies_of_listener, LoadBalancerName="web",
        LoadBalancerPort=81, PolicyNames=["sticky"])
refused("(PolicyNotFound)", classic.delete_load_balancer_policy, LoadBalancerName="web", PolicyName="none")
refused("(DuplicatePolicyName)", classic.create_lb_cookie_stickiness_policy, LoadBalancerName="web", PolicyName="sticky")

assert classic.register_instances_with_load_balancer(LoadBalancerName="web", Instances=[{"InstanceId": INSTANCE}])["Instances"] == [
    {"InstanceId": INSTANCE}]
refused("Could not find EC2 instance i-1.", classic.register_instances_with_load_balancer, LoadBalancerName="web", Instances=[{"InstanceId": "i-1"}])
states = classic.describe_instance_health(LoadBalancerName="web")["InstanceStates"]
assert states == [{"InstanceId": INSTANCE, "State": "OutOfService", "ReasonCode": "ELB",
                   "Description": "Instance registration is still in progress."}], states

web = classic.describe_load_balancers(LoadBalancerNames=["web"])["LoadBalancerDescriptions"][0]
assert {d["Listener"]["LoadBalancerPort"]: d["PolicyNames"] for d in web["ListenerDescriptions"]} == {80: ["sticky"], 81: []}, web
assert web["BackendServerDescriptions"] == [{"InstancePort": 81, "PolicyNames": ["proxy"]}] and web["HealthCheck"] == check
assert web["Policies"] == {"AppCookieStickinessPolicies": [], "LBCookieStickinessPolicies": [
    {"PolicyName": "sticky", "CookieExpirationPeriod": 60}], "OtherPolicies": ["proxy"]}, web
assert web["SourceSecurityGroup"] == {"OwnerAlias": "111122223333", "GroupName": "default"} and len(web["AvailabilityZones"]) == 3, web
assert web["Instances"] == [{"InstanceId": INSTANCE}] and web["Scheme"] == "internet-facing", web

assert len(classic.detach_load_balancer_from_subnets(LoadBalancerName="web", Subnets=subnets[:1])["Subnets"]) == 2
assert len(classic.attach_load_balancer_to_subnets(LoadBalancerName="web", Subnets=subnets[:1])["Subnets"]) == 3
classic.remove_tags(LoadBalancerNames=["web"], Tags=[{"Key": "a"}])
assert classic.describe_tags(LoadBalancerNames=["web"])["TagDescriptions"] == [{"LoadBalancerName": "web", "Tags": []}]

# What a load balancer uses stays; both are free once it is gone.
sg = ec2.create_security_group(GroupName="elb", Description="d", VpcId=vpc)["GroupId"]
classic.apply_security_groups_to_load_balancer(LoadBalancerName="web", SecurityGroups=[sg])
refused("(DependencyViolation)", ec2.delete_security_group, GroupId=sg)
refused("(DependencyViolation)", ec2.delete_subnet, SubnetId=subnets[0])
classic.deregister_instances_from_load_balancer(LoadBalancerName="web", Instances=[{"InstanceId": INSTANCE}])
states = classic.describe_instance_health(LoadBalancerName="web")["InstanceStates"]
assert states[0]["Description"] == "Instance deregistration currently in progress.", states
classic.delete_load_balancer_listeners(LoadBalancerName="web", LoadBalancerPorts=[81])
for _ in range(2):  # that there is none is no error
    classic.delete_load_balancer(LoadBalancerName="web")
ec2.delete_security_group(GroupId=sg)

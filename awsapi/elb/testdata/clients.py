"""What boto3 must see of both APIs of Elastic Load Balancing: run by elb_test.go with the endpoint and keys in the environment."""
import boto3
from botocore.exceptions import ClientError

v2, classic = boto3.client("elbv2"), boto3.client("elb")
ARN = "arn:aws:elasticloadbalancing:us-east-1:111122223333:"


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
refused("Tripod does not have elasticloadbalancing:CreateLoadBalancer yet", v2.create_load_balancer, Name="web")

assert classic.describe_load_balancers()["LoadBalancerDescriptions"] == []
refused("There is no ACTIVE Load Balancer named 'web'", classic.describe_load_balancers, LoadBalancerNames=["web"])
refused("There is no ACTIVE Load Balancer named 'web'", classic.describe_tags, LoadBalancerNames=["web"])
refused("There is no ACTIVE Load Balancer named 'web'", classic.describe_instance_health, LoadBalancerName="web", Instances=[{"InstanceId": "i-1"}])
refused("Tripod does not have elasticloadbalancing:DeleteLoadBalancer yet", classic.delete_load_balancer, LoadBalancerName="web")

"""What boto3 must see of the Parameter Store: run by ssm_test.go with the endpoint and keys in the environment."""
import json
import boto3
from botocore.exceptions import ClientError


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        return e
    raise AssertionError(f"{code} expected of {arguments}")


ssm, ec2 = boto3.client("ssm"), boto3.client("ec2")

# AWS's parameters
name = "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended"
image = ssm.get_parameter(Name=name + "/image_id")["Parameter"]
assert image["Type"] == "String" and image["ARN"].startswith("arn:aws:ssm:us-east-1::parameter/aws/service/"), image
assert json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])["image_id"] == image["Value"]
(described,) = ec2.describe_images(ImageIds=[image["Value"]])["Images"]
assert described["Name"].startswith("amazon-eks-node-al2023-x86_64-standard-1.36-v"), described
found = [p for page in ssm.get_paginator("get_parameters_by_path").paginate(Path="/aws/service/bottlerocket/aws-k8s-1.36", Recursive=True) for p in page["Parameters"]]
assert "/aws/service/bottlerocket/aws-k8s-1.36/arm64/latest/image_id" in {p["Name"] for p in found}, found
refused("ParameterNotFound", ssm.get_parameter, Name="/aws/service/eks/optimized-ami/1.01/amazon-linux-2/recommended/image_id")

# users'
assert ssm.put_parameter(Name="/app/db/url", Value="a", Type="String", Tags=[{"Key": "team", "Value": "x"}])["Version"] == 1
refused("ParameterAlreadyExists", ssm.put_parameter, Name="/app/db/url", Value="b", Type="String")
assert ssm.put_parameter(Name="/app/db/url", Value="b", Overwrite=True) ["Version"] == 2
ssm.put_parameter(Name="/app/db/password", Value="secret", Type="SecureString", Description="d")
ssm.put_parameter(Name="/app/list", Value="a,b", Type="StringList")
assert ssm.get_parameter(Name="/app/db/url")["Parameter"]["Value"] == "b"
assert ssm.get_parameter(Name="/app/db/url:1")["Parameter"]["Value"] == "a"
hidden = ssm.get_parameter(Name="/app/db/password")["Parameter"]["Value"]
assert "secret" not in hidden and ssm.get_parameter(Name="/app/db/password", WithDecryption=True)["Parameter"]["Value"] == "secret"
ssm.put_parameter(Name="/app/db/password", Value="secret", Overwrite=True)
assert ssm.get_parameter(Name="/app/db/password")["Parameter"]["Value"] != hidden  # the same value in another version
kms = boto3.client("kms")
key = kms.create_key()["KeyMetadata"]
ssm.put_parameter(Name="keyed", Value="secret", Type="SecureString", KeyId=key["KeyId"])
assert ssm.get_parameter(Name="keyed", WithDecryption=True)["Parameter"]["Value"] == "secret"
refused("InvalidKeyId", ssm.put_parameter, Name="x", Value="x", Type="SecureString", KeyId="alias/none")
account = key["Arn"].split(":")[4]
kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"},
    {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringLike": {"kms:ViaService": "ssm.*"}}}]}))
for call, arguments in ((ssm.get_parameter, {"Name": "keyed"}), (ssm.get_parameters, {"Names": ["keyed"]}),
                        (ssm.get_parameter_history, {"Name": "keyed"})):
    assert "kms:Decrypt" in str(refused("AccessDeniedException", call, WithDecryption=True, **arguments))
    call(**arguments)
ssm.delete_parameter(Name="keyed")
got = ssm.get_parameters(Names=["/app/list", "/app/none", "/app/db/url:7"])
assert [p["Name"] for p in got["Parameters"]] == ["/app/list"] and got["InvalidParameters"] == ["/app/none", "/app/db/url:7"], got
names = [p["Name"] for p in ssm.get_parameters_by_path(Path="/app")["Parameters"]]
assert names == ["/app/list"], names
names = [p["Name"] for p in ssm.get_parameters_by_path(Path="/app", Recursive=True)["Parameters"]]
assert names == ["/app/db/password", "/app/db/url", "/app/list"], names
assert ssm.label_parameter_version(Name="/app/db/url", ParameterVersion=1, Labels=["old", "1bad"]) ["InvalidLabels"] == ["1bad"]
assert ssm.get_parameter(Name="/app/db/url:old")["Parameter"]["Value"] == "a"
history = ssm.get_parameter_history(Name="/app/db/url")["Parameters"]
assert [(p["Version"], p["Value"], p["Labels"]) for p in history] == [(1, "a", ["old"]), (2, "b", [])], history
secure = ssm.describe_parameters(ParameterFilters=[{"Key": "Type", "Values": ["SecureString"]}])["Parameters"]
assert [(p["Name"], p["KeyId"], p["Description"]) for p in secure] == [("/app/db/password", "alias/aws/ssm", "d")], secure
tagged = ssm.describe_parameters(ParameterFilters=[{"Key": "tag:team", "Values": ["x"]}])["Parameters"]
assert [p["Name"] for p in tagged] == ["/app/db/url"], tagged
begins = ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/app/db"]}], MaxResults=1)
assert len(begins["Parameters"]) == 1 and begins["NextToken"], begins
ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/app/list", Tags=[{"Key": "a", "Value": "b"}])
assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/app/list")["TagList"] == [{"Key": "a", "Value": "b"}]
ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId="/app/list", TagKeys=["a"])
assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/app/list")["TagList"] == []
refused("ValidationException", ssm.put_parameter, Name="big", Value="x" * 4097, Type="String")
refused("ParameterPatternMismatchException", ssm.put_parameter, Name="n", Value="x", Type="String", AllowedPattern="^[0-9]+$")
refused("AccessDeniedException", ssm.put_parameter, Name="/aws/x", Value="x", Type="String")
ssm.put_parameter(Name="ami", Value=image["Value"], Type="String", DataType="aws:ec2:image")
refused("ParameterNotFound", ssm.delete_parameter, Name="/app/none")
ssm.delete_parameter(Name="ami")
gone = ssm.delete_parameters(Names=["/app/db/url", "/app/none"])
assert gone["DeletedParameters"] == ["/app/db/url"] and gone["InvalidParameters"] == ["/app/none"], gone

"""What boto3 must see of EventBridge: run by events_test.go with the endpoint and keys in the environment."""
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


events, sqs = boto3.client("events"), boto3.client("sqs")
url = sqs.create_queue(QueueName="spot")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

pattern = json.dumps({"source": ["mine"], "detail-type": ["Thing happened"], "detail": {"n": [{"numeric": [">", 1]}]}})
rule = events.put_rule(Name="things", EventPattern=pattern, Tags=[{"Key": "a", "Value": "b"}])["RuleArn"]
assert rule.endswith(":rule/things"), rule
assert events.put_targets(Rule="things", Targets=[{"Id": "1", "Arn": arn}])["FailedEntryCount"] == 0
assert events.describe_rule(Name="things")["State"] == "ENABLED"
assert [r["Name"] for r in events.list_rules()["Rules"]] == ["things"]
assert events.list_targets_by_rule(Rule="things")["Targets"] == [{"Id": "1", "Arn": arn}]
assert events.list_rule_names_by_target(TargetArn=arn)["RuleNames"] == ["things"]
assert events.list_tags_for_resource(ResourceARN=rule)["Tags"] == [{"Key": "a", "Value": "b"}]


def put(n):
    out = events.put_events(Entries=[{"Source": "mine", "DetailType": "Thing happened", "Detail": json.dumps({"n": n}), "Resources": ["r"]}])
    assert out["FailedEntryCount"] == 0, out


put(1)
put(2)
(message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
body = json.loads(message["Body"])
assert body["detail"] == {"n": 2} and body["detail-type"] == "Thing happened" and body["resources"] == ["r"] and body["account"] == "111122223333", body
events.disable_rule(Name="things")
put(3)
assert "Messages" not in sqs.receive_message(QueueUrl=url)
assert events.put_events(Entries=[{"Source": "aws.ec2", "DetailType": "x", "Detail": "{}"}])["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
refused("InvalidEventPatternException", events.put_rule, Name="bad", EventPattern='{"source": "x"}')
refused("InvalidEventPatternException", events.put_rule, Name="bad", EventPattern='{"source": [{"like": "x"}]}')
refused("ResourceNotFoundException", events.put_targets, Rule="none", Targets=[{"Id": "1", "Arn": arn}])
refused("ValidationException", events.delete_rule, Name="things")
events.remove_targets(Rule="things", Ids=["1"])
events.delete_rule(Name="things")
refused("ResourceNotFoundException", events.describe_rule, Name="things")
event = json.dumps({"id": "1", "account": "1", "source": "a", "time": "t", "region": "r", "resources": [], "detail-type": "d", "detail": {"state": "running"}})
assert events.test_event_pattern(EventPattern='{"detail": {"state": [{"anything-but": "stopped"}]}}', Event=event)["Result"]

# What EC2 tells of comes to queues, too.
ec2 = boto3.client("ec2")
transformer = {"InputPathsMap": {"id": "$.detail.instance-id", "state": "$.detail.state"}, "InputTemplate": '"<id> is <state>"'}
events.put_rule(Name="states", EventPattern='{"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]}')
events.put_targets(Rule="states", Targets=[{"Id": "1", "Arn": arn, "InputTransformer": transformer}])
assert events.list_targets_by_rule(Rule="states")["Targets"] == [{"Id": "1", "Arn": arn, "InputTransformer": transformer}]
refused("ValidationException", events.put_targets, Rule="states", Targets=[{"Id": "1", "Arn": arn, "Input": "1", "InputPath": "$"}])
image = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"][0]["ImageId"]
(instance,) = ec2.run_instances(ImageId=image, InstanceType="m5.large", MinCount=1, MaxCount=1)["Instances"]
(message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
assert message["Body"] == f'"{instance["InstanceId"]} is pending"', message

"""What boto3 must see of SQS: run by sqs_test.go with the endpoint and keys in the environment."""
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


import time

sqs = boto3.client("sqs")
url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "20"}, tags={"a": "b"})["QueueUrl"]
assert url.endswith("/111122223333/work") and sqs.get_queue_url(QueueName="work")["QueueUrl"] == url, url
assert sqs.create_queue(QueueName="work")["QueueUrl"] == url
refused("QueueAlreadyExists", sqs.create_queue, QueueName="work", Attributes={"VisibilityTimeout": "30"})
refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="none")
refused("AWS.SimpleQueueService.UnsupportedOperation", sqs.create_queue, QueueName="a.fifo", Attributes={"FifoQueue": "true"})
refused("InvalidAttributeValue", sqs.create_queue, QueueName="b", Attributes={"DelaySeconds": "901"})

attributes = {"n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\x01"}}
sent = sqs.send_message(QueueUrl=url, MessageBody="hello", MessageAttributes=attributes)  # boto3 checks the checksums
one, = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], AttributeNames=["All"])["Messages"]
assert one["MessageId"] == sent["MessageId"] and one["Body"] == "hello" and one["MessageAttributes"] == attributes, one
assert one["Attributes"]["ApproximateReceiveCount"] == "1", one
assert "Messages" not in sqs.receive_message(QueueUrl=url)
counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
assert counts["ApproximateNumberOfMessagesNotVisible"] == "1" and counts["ApproximateNumberOfMessages"] == "0", counts
assert counts["QueueArn"] == "arn:aws:sqs:us-east-1:111122223333:work" and counts["VisibilityTimeout"] == "20", counts
sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"], VisibilityTimeout=0)
again, = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]
assert again["Attributes"] == {"ApproximateReceiveCount": "2"}, again
sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
refused("AWS.SimpleQueueService.MessageNotInflight", sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0)
refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="x")

batch = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": f"m{i}"} for i in range(4)] + [{"Id": "bad", "MessageBody": "\x01"}])
assert len(batch["Successful"]) == 4 and batch["Failed"][0]["Id"] == "bad", batch
got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
assert [m["Body"] for m in got] == ["m0", "m1", "m2", "m3"], got
gone = sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)])
assert len(gone["Successful"]) == 4, gone
refused("AWS.SimpleQueueService.EmptyBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=[])

began = time.monotonic()
sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
late, = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]  # comes when it is visible, not after 20 seconds
assert late["Body"] == "late" and 0.5 < time.monotonic() - began < 15, time.monotonic() - began
sqs.purge_queue(QueueUrl=url)
assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"])["Attributes"] == {"ApproximateNumberOfMessagesNotVisible": "0"}

dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1}), "Policy": "{}"})
sqs.send_message(QueueUrl=url, MessageBody="poison")
assert len(sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]) == 1
assert "Messages" not in sqs.receive_message(QueueUrl=url)
assert sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "poison"

sqs.tag_queue(QueueUrl=url, Tags={"c": "d"})
sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"c": "d"}
assert sqs.list_queues(QueueNamePrefix="w")["QueueUrls"] == [url]
sqs.delete_queue(QueueUrl=dead)
refused("AWS.SimpleQueueService.NonExistentQueue", sqs.receive_message, QueueUrl=dead)

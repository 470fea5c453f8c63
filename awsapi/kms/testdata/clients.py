"""What boto3 must see of KMS: run by kms_test.go with the endpoint and keys in the environment."""
import boto3
from botocore.exceptions import ClientError

kms = boto3.client("kms")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, f"{code} expected: {e}"
        assert e.response["ResponseMetadata"]["RequestId"], e.response
        return e.response["Error"]["Message"]
    raise AssertionError(f"{code} expected of {arguments}")


key = kms.create_key(Description="secrets", Tags=[{"TagKey": "team", "TagValue": "blue"}])["KeyMetadata"]
assert key["Enabled"] is True and key["KeyState"] == "Enabled" and key["MultiRegion"] is False, key
kms.create_alias(AliasName="alias/secrets", TargetKeyId=key["KeyId"])
assert [a["TargetKeyId"] for p in kms.get_paginator("list_aliases").paginate() for a in p["Aliases"] if "TargetKeyId" in a] == [key["KeyId"]]

sealed = kms.encrypt(KeyId="alias/secrets", Plaintext=b"hello", EncryptionContext={"a": "b"})
opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"a": "b"})
assert opened["Plaintext"] == b"hello" and opened["KeyId"] == key["Arn"], opened
assert len(kms.generate_data_key(KeyId="alias/secrets", KeySpec="AES_256")["Plaintext"]) == 32
assert "Plaintext" not in kms.generate_data_key_without_plaintext(KeyId="alias/secrets", NumberOfBytes=64)
assert len(kms.generate_random(NumberOfBytes=8)["Plaintext"]) == 8

assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is False
kms.enable_key_rotation(KeyId=key["KeyId"], RotationPeriodInDays=90)
status = kms.get_key_rotation_status(KeyId=key["KeyId"])
assert status["RotationPeriodInDays"] == 90 and (status["NextRotationDate"] - key["CreationDate"]).days == 90, status

kms.untag_resource(KeyId=key["KeyId"], TagKeys=["team"])
kms.tag_resource(KeyId=key["KeyId"], Tags=[{"TagKey": "x", "TagValue": "y"}])
assert kms.list_resource_tags(KeyId=key["KeyId"])["Tags"] == [{"TagKey": "x", "TagValue": "y"}]
assert kms.list_key_policies(KeyId=key["KeyId"]) ["PolicyNames"] == ["default"]
assert "arn:aws:iam::111122223333:root" in kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]

for _ in range(3):
    kms.create_key()
first = kms.list_keys(Limit=3)
assert len(first["Keys"]) == 3 and first["Truncated"] is True, first
second = kms.list_keys(Limit=3, Marker=first["NextMarker"])
assert len(second["Keys"]) == 1 and second["Truncated"] is False, second
refused("InvalidMarkerException", kms.list_keys, Marker="nonsense")

kms.delete_alias(AliasName="alias/secrets")
refused("NotFoundException", kms.describe_key, KeyId="alias/secrets")
refused("ValidationException", kms.schedule_key_deletion, KeyId=key["KeyId"], PendingWindowInDays=3)

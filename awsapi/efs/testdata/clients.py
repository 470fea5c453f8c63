"""What boto3 must see of EFS: run by efs_test.go with the endpoint and keys in the environment, beside a file system."""
import boto3
from botocore.exceptions import ClientError

efs = boto3.client("efs")


def refused(words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert words in str(e), e
        return e
    raise AssertionError(f"{words} expected of {arguments}")


refused("(FileSystemNotFound) when calling the DescribeFileSystems operation: File system 'fs-0123456789abcdef0' does not exist.",
        efs.describe_file_systems, FileSystemId="fs-0123456789abcdef0")
e = refused("(FileSystemAlreadyExists)", efs.create_file_system, CreationToken="shared")
system = efs.describe_file_systems(CreationToken="shared")["FileSystems"][0]
assert system["LifeCycleState"] == "available" and system["NumberOfMountTargets"] == 0, system
assert e.response["FileSystemId"] == system["FileSystemId"], e.response
assert system["CreationTime"].year >= 2026 and system["SizeInBytes"]["Value"] == 6144, system
refused("Value 'fake-id' at 'fileSystemId' failed to satisfy constraint", efs.delete_file_system, FileSystemId="fake-id")
refused("(PolicyNotFound)", efs.describe_backup_policy, FileSystemId=system["FileSystemId"])
point = efs.create_access_point(FileSystemId=system["FileSystemId"], RootDirectory={"Path": "/data"},
                                Tags=[{"Key": "Name", "Value": "data"}])
assert point["Name"] == "data" and point["AccessPointArn"].endswith(point["AccessPointId"]), point
efs.untag_resource(ResourceId=point["AccessPointArn"], TagKeys=["Name"])
assert efs.list_tags_for_resource(ResourceId=point["AccessPointId"])["Tags"] == []
pages = efs.get_paginator("describe_access_points").paginate(FileSystemId=system["FileSystemId"], PaginationConfig={"PageSize": 1})
assert [p["AccessPointId"] for page in pages for p in page["AccessPoints"]] == [point["AccessPointId"]]
efs.delete_access_point(AccessPointId=point["AccessPointId"])

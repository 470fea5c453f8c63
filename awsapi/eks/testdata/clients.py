"""What boto3 must see of EKS: run by clients_test.go with the endpoint and keys in the environment. The region has the cluster demo, and no zones that act."""
import time
import boto3
from botocore.exceptions import ClientError

eks, ec2 = boto3.client("eks"), boto3.client("ec2")
USER = "arn:aws:iam::111122223333:user/nobody"
ROLE = "arn:aws:iam::111122223333:role/worker"


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, f"{code} expected: {e}"
        return e.response
    raise AssertionError(f"{code} expected of {arguments}")


subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=[{"Name": "tag:kubernetes.io/role/internal-elb", "Values": ["1"]}])["Subnets"]]
network = {"subnetIds": subnets}
made = eks.create_cluster(name="second", roleArn=ROLE, resourcesVpcConfig=network, tags={"team": "a"}, clientRequestToken="once")["cluster"]
assert made["status"] == "CREATING" and made["tags"] == {"team": "a"} and made["resourcesVpcConfig"]["endpointPublicAccess"] is True, made
again = eks.create_cluster(name="second", roleArn=ROLE, resourcesVpcConfig=network, tags={"team": "a"}, clientRequestToken="once")["cluster"]
assert again["arn"] == made["arn"], again
refused("ResourceInUseException", eks.create_cluster, name="second", roleArn=ROLE, resourcesVpcConfig=network)
assert refused("ResourceNotFoundException", eks.describe_cluster, name="none")["ResponseMetadata"]["HTTPStatusCode"] == 404
assert [c for p in eks.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 1}) for c in p["clusters"]] == ["demo", "second"]

eks.get_waiter("cluster_active").wait(name="demo")
versions = {v["clusterVersion"] for v in eks.describe_cluster_versions()["clusterVersions"]}
assert versions == {"1.36", "1.37"}, versions

group = eks.create_nodegroup(clusterName="demo", nodegroupName="workers", subnets=subnets, nodeRole=ROLE, scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 2})["nodegroup"]
assert group["scalingConfig"]["desiredSize"] == 2, group
eks.get_waiter("nodegroup_active").wait(clusterName="demo", nodegroupName="workers", WaiterConfig={"Delay": 1})
update = eks.update_nodegroup_config(clusterName="demo", nodegroupName="workers", labels={"addOrUpdateLabels": {"a": "b"}})["update"]
assert eks.describe_update(name="demo", nodegroupName="workers", updateId=update["id"])["update"]["type"] == "ConfigUpdate"
assert eks.describe_nodegroup(clusterName="demo", nodegroupName="workers")["nodegroup"]["labels"] == {"a": "b"}
refused("ResourceInUseException", eks.delete_cluster, name="demo")
while eks.describe_update(name="demo", nodegroupName="workers", updateId=update["id"])["update"]["status"] == "InProgress":
    time.sleep(0.1)
eks.delete_nodegroup(clusterName="demo", nodegroupName="workers")
eks.get_waiter("nodegroup_deleted").wait(clusterName="demo", nodegroupName="workers", WaiterConfig={"Delay": 1})

addon = eks.create_addon(clusterName="demo", addonName="coredns")["addon"]
eks.get_waiter("addon_active").wait(clusterName="demo", addonName="coredns", WaiterConfig={"Delay": 1})
offered = eks.describe_addon_versions(addonName="coredns", kubernetesVersion="1.36")["addons"][0]["addonVersions"]
assert addon["addonVersion"] in [v["addonVersion"] for v in offered], addon
assert eks.list_addons(clusterName="demo")["addons"] == ["coredns"]

# The node group's role has its own entry since; a user gets one of the usual type.
entry = eks.create_access_entry(clusterName="demo", principalArn=USER)["accessEntry"]
assert entry["type"] == "STANDARD" and USER in eks.list_access_entries(clusterName="demo")["accessEntries"], entry

begun = eks.update_cluster_version(name="demo", version="1.37", force=True)["update"]
assert begun["type"] == "VersionUpdate" and begun["status"] == "InProgress", begun
assert begun["id"] in eks.list_updates(name="demo")["updateIds"]
assert eks.describe_cluster(name="demo")["cluster"]["status"] == "UPDATING"
refused("ResourceInUseException", eks.update_cluster_version, name="demo", version="1.37")
assert {i["category"] for i in eks.list_insights(clusterName="demo")["insights"]} >= {"UPGRADE_READINESS"}

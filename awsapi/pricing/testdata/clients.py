"""What boto3 must see of the price list: run by pricing_test.go with the endpoint and keys in the environment."""
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


pricing = boto3.client("pricing")


def prices(*more):
    asked = [("regionCode", "us-east-1"), ("serviceCode", "AmazonEC2"), ("preInstalledSw", "NA"), ("operatingSystem", "Linux"),
             ("capacitystatus", "Used"), ("marketoption", "OnDemand"), *more]
    filters = [{"Field": f, "Type": "TERM_MATCH", "Value": v} for f, v in asked]
    pages = pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters, PaginationConfig={"PageSize": 100})
    found = {}
    for product in (json.loads(p) for page in pages for p in page["PriceList"]):
        (term,) = product["terms"]["OnDemand"].values()
        (dimension,) = term["priceDimensions"].values()
        found[product["product"]["attributes"]["instanceType"]] = float(dimension["pricePerUnit"]["USD"])
    return found


shared = prices(("tenancy", "Shared"), ("productFamily", "Compute Instance"))  # what Karpenter asks
assert shared["m5.large"] == 0.096 and len(shared) > 1000 and "m5.metal" not in shared, len(shared)
metal = prices(("tenancy", "Dedicated"), ("productFamily", "Compute Instance (bare metal)"))
assert metal["m5.metal"] == 4.608 and "m5.large" not in metal, metal
assert prices(("instanceType", "t3.medium")) == {"t3.medium": 0.0416}
(service,) = pricing.describe_services(ServiceCode="AmazonEC2")["Services"]
assert "instanceType" in service["AttributeNames"], service
values = pricing.get_attribute_values(ServiceCode="AmazonEC2", AttributeName="tenancy")["AttributeValues"]
assert [v["Value"] for v in values] == ["Dedicated", "Shared"], values
refused("InvalidNextTokenException", pricing.get_products, ServiceCode="AmazonEC2", NextToken="x")

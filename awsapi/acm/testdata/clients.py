"""What boto3 must see of Certificate Manager: run by acm_test.go with the endpoint and keys in the environment, beside certificates."""
import os
import ssl
import boto3
from botocore.exceptions import ClientError

acm, v2, ec2 = boto3.client("acm"), boto3.client("elbv2"), boto3.client("ec2")


def refused(words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert words in str(e), e
        return
    raise AssertionError(f"{words} expected of {arguments}")


def read(name):
    with open(os.path.join(os.path.dirname(__file__), name), "rb") as file:
        return file.read()


MISSING = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
refused("(ResourceNotFoundException)", acm.describe_certificate, CertificateArn=MISSING)
refused("Could not find certificate " + MISSING, acm.delete_certificate, CertificateArn=MISSING)
refused("(ValidationException)", acm.describe_certificate, CertificateArn="arn:aws:iam::111122223333:role/some-role")
refused("at 'domainName' failed to satisfy constraint", acm.request_certificate, DomainName="no domain")
assert acm.list_certificates()["CertificateSummaryList"] == []

# A certificate that is requested is issued after a moment, by an authority that its chain names.
request = dict(DomainName="example.com", SubjectAlternativeNames=["*.example.com"], ValidationMethod="DNS", IdempotencyToken="one",
               Tags=[{"Key": "a", "Value": "b"}])
arn = acm.request_certificate(**request)["CertificateArn"]
assert acm.request_certificate(**request)["CertificateArn"] == arn
pending = acm.describe_certificate(CertificateArn=arn)["Certificate"]
assert pending["Status"] == "PENDING_VALIDATION" and "NotAfter" not in pending, pending
assert pending["DomainValidationOptions"][0]["ResourceRecord"]["Type"] == "CNAME", pending
refused("(RequestInProgressException)", acm.get_certificate, CertificateArn=arn)
acm.get_waiter("certificate_validated").wait(CertificateArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 10})
issued = acm.describe_certificate(CertificateArn=arn)["Certificate"]
assert issued["Type"] == "AMAZON_ISSUED" and issued["KeyAlgorithm"] == "RSA-2048" and issued["InUseBy"] == [], issued
assert issued["SubjectAlternativeNames"] == ["example.com", "*.example.com"] and issued["RenewalEligibility"] == "INELIGIBLE"
body = acm.get_certificate(CertificateArn=arn)
assert ssl.PEM_cert_to_DER_cert(body["Certificate"]) and "BEGIN CERTIFICATE" in body["CertificateChain"]
listed = acm.list_certificates()["CertificateSummaryList"]
assert [(c["CertificateArn"], c["KeyAlgorithm"], c["InUse"]) for c in listed] == [(arn, "RSA_2048", False)], listed
acm.update_certificate_options(CertificateArn=arn, Options={"CertificateTransparencyLoggingPreference": "DISABLED"})

# Imported ones, which are listed where their key's type is asked for.
pem, key = read("cert.pem"), read("key.pem")
refused("The certificate is not PEM-encoded or is not valid.", acm.import_certificate, Certificate=b"no", PrivateKey=key)
refused("You can specify only one certificate in this field.", acm.import_certificate, Certificate=pem + pem, PrivateKey=key)
refused("The private key is not PEM-encoded", acm.import_certificate, Certificate=pem, PrivateKey=b"no")
refused("does not match", acm.import_certificate, Certificate=pem, PrivateKey=read("other.pem"))
imported = acm.import_certificate(Certificate=pem, PrivateKey=key)["CertificateArn"]
assert acm.import_certificate(CertificateArn=imported, Certificate=pem, PrivateKey=key)["CertificateArn"] == imported
shown = acm.describe_certificate(CertificateArn=imported)["Certificate"]
assert shown["Type"] == "IMPORTED" and shown["KeyAlgorithm"] == "EC-prime256v1" and "ImportedAt" in shown, shown
assert shown["ExtendedKeyUsages"] == [{"Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1"}], shown
elliptic = acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
assert [c["CertificateArn"] for c in elliptic] == [imported], elliptic
refused("was not imported", acm.import_certificate, CertificateArn=arn, Certificate=pem, PrivateKey=key)

acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "c", "Value": "d"}])
acm.remove_tags_from_certificate(CertificateArn=arn, Tags=[{"Key": "a", "Value": "another"}, {"Key": "c"}])
assert acm.list_tags_for_certificate(CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]

# A listener shows them: they stay until it does not.
subnets = [s["SubnetId"] for s in ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]]
alb = v2.create_load_balancer(Name="web", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
https = dict(LoadBalancerArn=alb, Protocol="HTTPS", Port=443,
             DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}])
refused("(CertificateNotFound)", v2.create_listener, Certificates=[{"CertificateArn": MISSING}], **https)
listener = v2.create_listener(Certificates=[{"CertificateArn": arn}], **https)["Listeners"][0]
assert listener["SslPolicy"] == "ELBSecurityPolicy-2016-08" and listener["Certificates"] == [{"CertificateArn": arn}], listener
v2.add_listener_certificates(ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": imported}])
both = v2.describe_listener_certificates(ListenerArn=listener["ListenerArn"])["Certificates"]
assert {c["CertificateArn"]: c["IsDefault"] for c in both} == {arn: True, imported: False}, both
assert acm.describe_certificate(CertificateArn=imported)["Certificate"]["InUseBy"] == [alb]
refused("(ResourceInUseException)", acm.delete_certificate, CertificateArn=arn)
refused("Default certificate", v2.remove_listener_certificates, ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": arn}])
v2.remove_listener_certificates(ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": imported}])
acm.delete_certificate(CertificateArn=imported)
v2.delete_load_balancer(LoadBalancerArn=alb)
acm.delete_certificate(CertificateArn=arn)

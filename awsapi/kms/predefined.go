package kms

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/wire"
	"tripod/state"
)

// reserved begins the names of aliases of AWS's own keys.
const reserved = "alias/aws/"

// predefined are the services whose aliases an account has from the start, without keys, with what their keys protect.
// A key is made when somebody describes it by its alias ("DescribeKey" of KMS's API reference).
var predefined = map[string]string{
	"acm": "ACM private keys", "dynamodb": "DynamoDB data", "ebs": "EBS volumes", "elasticfilesystem": "EFS filesystems",
	"es": "Elasticsearch data", "glue": "Glue data",
	"kinesisvideo": "Kinesis Video data", "lambda": "Lambda functions", "rds": "RDS database volumes",
	"redshift": "Redshift clusters", "s3": "S3 objects",
	"secretsmanager": "Secrets Manager data", "ssm": "SSM parameters", "xray": "X-Ray data",
}

// service is the name of the service whose predefined alias it is; empty for other names.
func service(alias string) string {
	name, found := strings.CutPrefix(alias, reserved)
	if _, known := predefined[name]; !found || !known {
		return ""
	}
	return name
}

// predefine makes the key of a predefined alias, if it has none yet. Its policy lets its service use it, and the
// account look at it, as that of AWS does.
func (s *Service) predefine(tx *state.Txn, alias string) {
	name := service(alias)
	if _, made := aliases.Get(tx, alias); name == "" || made {
		return
	}
	via := name
	if name == "ebs" {
		via = "ec2"
	}
	key := Key{ID: wire.NewRequestID(),
		Description: "Default key that protects my " + predefined[name] + " when no other key is defined", State: enabled,
		CreatedAt: s.now(),
		Service:   name, Materials: []Material{newMaterial(s.now())}, RotationDays: usualPeriod,
		RotationSince: aws.Time(s.now())}
	key.Policy = fmt.Sprintf(`{
  "Version" : "2012-10-17",
  "Id" : "auto-%[1]s-1",
  "Statement" : [ {
    "Sid" : "Allow access through %[1]s for all principals in the account that are authorized to use it",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "%[2]s",
        "kms:ViaService" : "%[3]s.%[4]s.amazonaws.com"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::%[2]s:root"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}`, name, s.AccountID, via, s.Region)
	keys.Put(tx, key.ID, key)
	aliases.Put(tx, alias, Alias{Name: alias, KeyID: key.ID, CreatedAt: s.now(), UpdatedAt: s.now()})
}

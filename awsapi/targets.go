package awsapi

import (
	"net/http"
	"strings"

	"tripod/iam"
)

// targets are the services whose calls have a target of that kind, by the part before its last full stop: from the services' models.
var targets = map[string]string{
	"DynamoDB_20120810": "dynamodb", "DynamoDBStreams_20120810": "dynamodb", "AmazonSQS": "sqs", "TrentService": "kms",
	"Logs_20140328": "logs", "secretsmanager": "secretsmanager", "AmazonSSM": "ssm", "Kinesis_20131202": "kinesis",
	"Firehose_20150804": "firehose", "AWSEvents": "events", "AWSStepFunctions": "states", "AmazonEC2ContainerServiceV20141113": "ecs",
	"AmazonEC2ContainerRegistry_V20150921": "ecr", "CertificateManager": "acm", "AWSCognitoIdentityProviderService": "cognito-idp",
	"AWSCognitoIdentityService": "cognito-identity", "CloudTrail_20131101": "cloudtrail",
	"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail", "StarlingDoveService": "config",
	"GraniteServiceVersion20100801": "monitoring", "AWSGlue": "glue", "AmazonAthena": "athena", "CodeBuild_20161006": "codebuild",
	"CodePipeline_20150709": "codepipeline", "CodeCommit_20150413": "codecommit", "Route53AutoNaming_v20170314": "servicediscovery",
	"Route53Resolver": "route53resolver", "ResourceGroupsTaggingAPI_20170126": "tagging", "AWSOrganizationsV20161128": "organizations",
	"AnyScaleFrontendService": "application-autoscaling", "AWSWAF_20190729": "wafv2", "SWBExternalService": "sso",
	"ServiceQuotasV20190624": "servicequotas", "AWSSupport_20130415": "support", "SimpleWorkflowService": "swf",
	"SageMaker": "sagemaker", "Textract": "textract", "RekognitionService": "rekognition", "Transcribe": "transcribe",
	"Comprehend_20171127": "comprehend", "AmazonMemoryDB": "memorydb", "AmazonDAXV3": "dax", "RedshiftData": "redshift-data",
	"RedshiftServerless": "redshift-serverless", "ElasticMapReduce": "elasticmapreduce", "CloudHsmFrontendService": "cloudhsm",
	"TransferService": "transfer", "FmrsService": "datasync", "AWSIdentityStore": "identitystore",
	"AWSBudgetServiceGateway": "budgets", "AWSInsightsIndexService": "ce",
}

// targetOwner is the service that the call's target is known to be of: another emulator could go by the target alone, and a permission for
// one service's action must not be good for another's. It is iam.AnyService where that is not known.
func targetOwner(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	if owner, ok := targets[target[:max(0, strings.LastIndexByte(target, '.'))]]; ok {
		return owner
	}
	return iam.AnyService
}

package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/upstream"
	"tripod/awsapi/wire"
	"tripod/iam"
)

// isUnknown says whether a service refused a call because it has no such operation.
func isUnknown(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && (e.Code == "InvalidAction" || e.Code == "UnknownOperationException" ||
		e.Code == "NotImplemented")
}

// passAll is the action that a policy can allow for calls of a service whose own actions are not known.
const passAll = "PassOn"

// passOn has the upstream emulator answer a verified call that Tripod does not have. The caller needs a permission for
// it as for any other: service:ACTION on all resources, as which one is meant only the emulator knows; for all actions,
// or service:PassOn, where that is not known either: where the path says it and no name, or where two readers could
// take the call for two actions. What a policy may deny of that is denied. Without upstream the answer is unknown and
// says how to have one.
func (s *server) passOn(w http.ResponseWriter, r *http.Request, call *operation.Call, action string,
	unknown error) error {
	x := exchangeOf(r)
	x.call = nil
	if x.operation != "" || s.upstream != nil {
		if err := call.AuthorizeUnnamed(x.protocol, clip(x.signingName()), clip(action), passAll); err != nil {
			return err
		}
	}
	if owner := targetOwner(r); s.upstream != nil && x.protocol == wire.AWSJSON && owner != x.signingName() {
		// The emulator may go by the target and not by the signature; and where nobody here knows whose that is, take
		// the call for any service's.
		if err := call.AuthorizeUnnamed(x.protocol, owner, clip(action), passAll); err != nil {
			return err
		}
	}
	if action == "" {
		action = passAll
	}
	var e *wire.Error
	if s.upstream == nil {
		if !errors.As(unknown, &e) || !isUnknown(unknown) {
			return unknown
		}
		told := *e
		told.Message += " 'tripod up --upstream http://127.0.0.1:5000' passes such calls on to another emulator " +
			"there, such as moto or LocalStack."
		return &told
	}
	x.passedOn = true
	err := s.upstream.Forward(w, r, call.Body, x.signature.Service, x.signature.Region)
	if errors.Is(err, upstream.ErrUnreachable) {
		e = x.unavailable(err, fmt.Sprintf("Tripod does not have %s:%s, and the emulator of --upstream %s does not "+
			"answer: "+
			"start it, or change the flag.",
			clip(x.signingName()), clip(action), s.Upstream.Host))
		e.Status = http.StatusBadGateway
		return e
	}
	return err
}

// targets are the services whose calls have a target of that kind, by the part before its last full stop: from the
// services' models.
var targets = map[string]string{
	"DynamoDB_20120810": "dynamodb", "DynamoDBStreams_20120810": "dynamodb", "AmazonSQS": "sqs", "TrentService": "kms",
	"Logs_20140328": "logs", "secretsmanager": "secretsmanager", "AmazonSSM": "ssm", "Kinesis_20131202": "kinesis",
	"Firehose_20150804": "firehose", "AWSEvents": "events", "AWSStepFunctions": "states",
	"AmazonEC2ContainerServiceV20141113":   "ecs",
	"AmazonEC2ContainerRegistry_V20150921": "ecr", "CertificateManager": "acm",
	"AWSCognitoIdentityProviderService": "cognito-idp",
	"AWSCognitoIdentityService":         "cognito-identity", "CloudTrail_20131101": "cloudtrail",
	"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail", "StarlingDoveService": "config",
	"GraniteServiceVersion20100801": "monitoring", "AWSGlue": "glue", "AmazonAthena": "athena",
	"CodeBuild_20161006":    "codebuild",
	"CodePipeline_20150709": "codepipeline", "CodeCommit_20150413": "codecommit",
	"Route53AutoNaming_v20170314": "servicediscovery",
	"Route53Resolver":             "route53resolver", "ResourceGroupsTaggingAPI_20170126": "tagging",
	"AWSOrganizationsV20161128": "organizations",
	"AnyScaleFrontendService":   "application-autoscaling", "AWSWAF_20190729": "wafv2", "SWBExternalService": "sso",
	"ServiceQuotasV20190624": "servicequotas", "AWSSupport_20130415": "support", "SimpleWorkflowService": "swf",
	"SageMaker": "sagemaker", "Textract": "textract", "RekognitionService": "rekognition", "Transcribe": "transcribe",
	"Comprehend_20171127": "comprehend", "AmazonMemoryDB": "memorydb", "AmazonDAXV3": "dax",
	"RedshiftData":       "redshift-data",
	"RedshiftServerless": "redshift-serverless", "ElasticMapReduce": "elasticmapreduce",
	"CloudHsmFrontendService": "cloudhsm",
	"TransferService":         "transfer", "FmrsService": "datasync", "AWSIdentityStore": "identitystore",
	"AWSBudgetServiceGateway": "budgets", "AWSInsightsIndexService": "ce",
}

// targetOwner is the service that the call's target is known to be of: another emulator could go by the target alone,
// and a permission for one service's action must not be good for another's. It is iam.AnyService where that is not
// known.
func targetOwner(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	if owner, ok := targets[target[:max(0, strings.LastIndexByte(target, '.'))]]; ok {
		return owner
	}
	return iam.AnyService
}

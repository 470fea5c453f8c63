// Package eksauth is Amazon EKS Auth: the one call, AssumeRoleForPodIdentity, by which the agent on a node exchanges a
// pod's service account token for credentials of the role that an EKS Pod Identity association names.
//
// As in AWS two must prove themselves: the caller by a signature, and it needs eks-auth:AssumeRoleForPodIdentity on the
// cluster, which AmazonEKSWorkerNodePolicy gives to nodes; and the pod by its token. The AWS SDK's module of this
// service is not in the module proxy, so its few shapes are written here, after botocore's model eks-auth 2023-11-26.
package eksauth

import (
	"encoding/json"
	"net/http"
	"regexp"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

const (
	// Name is the service's signing name.
	Name = "eks-auth"
	// Operation is the only one, and Path is where it is called, by POST.
	Operation = "AssumeRoleForPodIdentity"
	Path      = "/clusters/{clusterName}/assume-role-for-pod-identity"
	// Audience is what tokens must be for.
	Audience = "pods.eks.amazonaws.com"

	action           = "eks-auth:" + Operation
	servicePrincipal = "pods.eks.amazonaws.com"
)

// clusterName is the model's pattern.
var clusterName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

// Service answers calls from a zone's copy of the regional state.
type Service struct {
	// Region is the region's name and AccountID the account's 12 digits.
	Region, AccountID string
	// State has clusters, associations and roles.
	State state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Answer is the operation's output.
type Answer struct {
	Subject     Subject     `json:"subject"`
	Audience    string      `json:"audience"`
	Association Association `json:"podIdentityAssociation"`
	AssumedRole AssumedRole `json:"assumedRoleUser"`
	Credentials Credentials `json:"credentials"`
}

// Subject is the service account that the token is of.
type Subject struct {
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
}

// Association is what gave the role.
type Association struct {
	ARN string `json:"associationArn"`
	ID  string `json:"associationId"`
}

// AssumedRole is who the credentials make of their bearer.
type AssumedRole struct {
	ARN string `json:"arn"`
	ID  string `json:"assumeRoleId"`
}

// Credentials are temporary credentials; Expiration is in seconds since 1970.
type Credentials struct {
	SessionToken    string `json:"sessionToken"`
	SecretAccessKey string `json:"secretAccessKey"`
	AccessKeyID     string `json:"accessKeyId"`
	Expiration      int64  `json:"expiration"`
}

// assumeRole answers a verified call, whose label clusterName is the cluster.
func (s *Service) assumeRole(call *operation.Call) (any, error) {
	var in struct {
		Token *string `json:"token"`
	}
	if err := json.Unmarshal(call.Body, &in); err != nil {
		return nil, &wire.Error{Code: "SerializationException", Status: http.StatusBadRequest,
			Message: "The body is not a JSON object with a token in it."}
	}
	name := call.Labels["clusterName"]
	switch {
	case !clusterName.MatchString(name):
		return nil, refusal("InvalidParameterException",
			"The clusterName must have 1 to 100 letters, digits, hyphens and underscores.")
	case in.Token == nil || *in.Token == "":
		return nil, refusal("InvalidParameterException",
			"The token is missing: the pod's service account token for the audience "+Audience+".")
	}
	arn := "arn:aws:eks:" + s.Region + ":" + s.AccountID + ":cluster/" + name
	if decision, reason := call.Principal.Evaluate(action, arn, call.Keys); decision != iam.Allowed {
		denied := wire.AccessDenied(wire.RestJSON, call.Principal.ARN, action, arn, reason)
		denied.Status = http.StatusBadRequest // as this service's model has it
		return nil, denied
	}
	pod, err := s.identify(name, *in.Token)
	if err != nil {
		return nil, err
	}
	session, err := s.assume(pod)
	if err != nil {
		return nil, err
	}
	return s.issue(call, pod, session)
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// refusal is one of the model's exceptions that have status 400.
func refusal(code, message string) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: message}
}

func notFound(message string) error {
	return &wire.Error{Code: "ResourceNotFoundException", Status: http.StatusNotFound, Message: message}
}

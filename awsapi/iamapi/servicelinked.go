package iamapi

import (
	"crypto/rand"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// linkedRole is the role that AWS makes for a service.
type linkedRole struct{ name, policy, description string }

// linkedRoles are the services whose roles users of EKS have, by the service's name.
var linkedRoles = map[string]linkedRole{
	"eks.amazonaws.com": {"AWSServiceRoleForAmazonEKS", "AmazonEKSServiceRolePolicy",
		"Allows Amazon EKS to call AWS services on your behalf."},
	"eks-nodegroup.amazonaws.com": {"AWSServiceRoleForAmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup",
		"Allows Amazon EKS to manage node groups."},
	"eks-fargate.amazonaws.com": {"AWSServiceRoleForAmazonEKSForFargate",
		"AmazonEKSForFargateServiceRolePolicy", "Allows Amazon EKS to run pods on Fargate."},
	"autoscaling.amazonaws.com": {"AWSServiceRoleForAutoScaling", "",
		"Default Service-Linked Role enables access to AWS Services and Resources used or managed by Auto Scaling"},
	"elasticloadbalancing.amazonaws.com": {"AWSServiceRoleForElasticLoadBalancing", "",
		"Allows ELB to call AWS services on your behalf."},
	"spot.amazonaws.com": {"AWSServiceRoleForEC2Spot", "", "Default EC2 Spot Service Linked Role"},
}

type serviceRoleInput struct {
	AWSServiceName string `query:",required"`
	Description    string
	CustomSuffix   string
}

// name is the role's: with a suffix an account has several of them.
func (in serviceRoleInput) name() string {
	name := linkedRoles[in.AWSServiceName].name
	if in.CustomSuffix != "" {
		name += "_" + in.CustomSuffix
	}
	return name
}

// suffixed are the services that take a suffix.
var suffixed = []string{"autoscaling.amazonaws.com"}

func (in serviceRoleInput) subject(*operation.Call) thing {
	return thing{kindRole, "/aws-service-role/" + in.AWSServiceName + "/", in.name()}
}

func (s *Service) createServiceRole(call *operation.Call, in *serviceRoleInput) (*roleResult, error) {
	linked, known := linkedRoles[in.AWSServiceName]
	if !known {
		return nil, invalidInput("Tripod has no service-linked role for the AWSServiceName given: it has those of eks, " +
			"eks-nodegroup, eks-fargate, autoscaling, elasticloadbalancing and spot, each with .amazonaws.com.")
	}
	if in.CustomSuffix != "" && !slices.Contains(suffixed, in.AWSServiceName) {
		return nil, invalidInput("Custom suffix is not allowed for %s", in.AWSServiceName)
	}
	id, err := iam.NewID(rand.Reader, "AROA")
	if err != nil {
		return nil, wrap(call, err)
	}
	path := "/aws-service-role/" + in.AWSServiceName + "/"
	role := region.Role{
		Name: in.name(), ID: id, ARN: s.arn(kindRole, path+in.name()), Path: path, Description: linked.description,
		CreatedAt: s.now(),
		TrustPolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` +
			in.AWSServiceName + `"},"Action":"sts:AssumeRole"}]}`,
		MaxSessionSeconds: minSessionSeconds, Service: in.AWSServiceName,
	}
	if in.Description != "" {
		role.Description = in.Description
	}
	for _, policy := range iam.ManagedPolicies() {
		if policy.Name == linked.policy {
			role.Policies = []string{policy.ARN()}
		}
	}
	return change(s, call, func(tx *state.Txn) (*roleResult, error) {
		if _, err := find(tx, kindRole, role.Name); err == nil {
			return nil, invalidInput("Service role name %s has been taken in this account, please try a different suffix.",
				role.Name)
		}
		region.Roles.Put(tx, role.Name, role)
		return &roleResult{describeRole(tx, role)}, nil
	})
}

type deletionTask struct {
	DeletionTaskID string `xml:"DeletionTaskId" json:"DeletionTaskId"`
}

// deleteServiceRole deletes at once what AWS deletes in the background, so that the task that it names has always
// succeeded.
func (s *Service) deleteServiceRole(call *operation.Call, in *roleName) (*deletionTask, error) {
	task := "/" + wire.NewRequestID()
	return change(s, call, func(tx *state.Txn) (*deletionTask, error) {
		role, found := region.Roles.Get(tx, in.RoleName)
		switch {
		case !found:
			return nil, notThere(kindRole, in.RoleName)
		case role.Service == "":
			return nil, invalidInput("The role %s is not a service-linked role: use DeleteRole.", in.RoleName)
		}
		region.Roles.Delete(tx, in.RoleName)
		return &deletionTask{"task" + role.Path + role.Name + task}, nil
	})
}

type deletionStatusInput struct {
	DeletionTaskID string `query:"DeletionTaskId,required"`
}

type deletionStatus struct{ Status string }

func (s *Service) serviceRoleDeletion(call *operation.Call, in *deletionStatusInput) (*deletionStatus, error) {
	return view(s, call, func(tx *state.Txn) (*deletionStatus, error) {
		parts := strings.Split(in.DeletionTaskID, "/") // task/aws-service-role/SERVICE/ROLE/ID
		if len(parts) == 5 && strings.HasPrefix(in.DeletionTaskID, "task/aws-service-role/") && parts[3] != "" &&
			strings.HasPrefix(parts[3], linkedRoles[parts[2]].name) && linkedRoles[parts[2]].name != "" {
			if _, err := find(tx, kindRole, parts[3]); err != nil {
				return &deletionStatus{"SUCCEEDED"}, nil
			}
		}
		return nil, noSuchEntity("There is no such deletion task.")
	})
}

package fis

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/awsapi/operation"
)

// The resource types of targets.
const (
	managedType   = "aws:arc:zonal-shift-managed-resource"
	instanceType  = "aws:ec2:instance"
	spotType      = "aws:ec2:spot-instance"
	subnetType    = "aws:ec2:subnet"
	nodegroupType = "aws:eks:nodegroup"
	podType       = "aws:eks:pod"
	roleType      = "aws:iam:role"
)

// resourceType is a kind of targets.
type resourceType struct {
	name, description string
	parameters        []parameter
}

var resourceTypes = []resourceType{
	{name: managedType, description: "A resource that is managed by ARC zonal shift"},
	{name: instanceType, description: "An Amazon EC2 instance"},
	{name: spotType, description: "An Amazon EC2 Spot Instance"},
	{name: subnetType, description: "An Amazon VPC subnet", parameters: []parameter{
		{name: "availabilityZoneIdentifier", description: "The Availability Zone that contains the target subnets."},
		{name: "vpc", description: "The VPC that contains the target subnets."},
	}},
	{name: nodegroupType, description: "An Amazon EKS node group"},
	{name: podType, description: "A pod in an Amazon EKS cluster", parameters: []parameter{
		{name: "clusterIdentifier", description: "The name or ARN of the target EKS cluster.", required: true},
		{name: "namespace", description: "The Kubernetes namespace of the target pods.", required: true},
		{name: "selectorType", description: "The selector type: labelSelector, deploymentName or podName.", required: true},
		{name: "selectorValue", description: "The selector value.", required: true},
		{name: "availabilityZoneIdentifier", description: "The Availability Zone of the target pods."},
		{name: "targetContainerName", description: "The name of the target container as defined in the pod spec."},
	}},
	{name: roleType, description: "An IAM role"},
}

func resourceTypeOf(name string) (resourceType, bool) {
	i := slices.IndexFunc(resourceTypes, func(t resourceType) bool { return t.name == name })
	if i < 0 {
		return resourceType{}, false
	}
	return resourceTypes[i], true
}

func (s *Service) getResourceType(call *operation.Call, in *fis.GetTargetResourceTypeInput) (*fis.GetTargetResourceTypeOutput, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	kind, found := resourceTypeOf(aws.ToString(in.ResourceType))
	if !found {
		return nil, notFound("Target resource type %s was not found.", aws.ToString(in.ResourceType))
	}
	shown := &types.TargetResourceType{ResourceType: aws.String(kind.name), Description: aws.String(kind.description),
		Parameters: map[string]types.TargetResourceTypeParameter{}}
	for _, p := range kind.parameters {
		shown.Parameters[p.name] = types.TargetResourceTypeParameter{Description: aws.String(p.description), Required: aws.Bool(p.required)}
	}
	return &fis.GetTargetResourceTypeOutput{TargetResourceType: shown}, nil
}

func (s *Service) listResourceTypes(call *operation.Call, in *fis.ListTargetResourceTypesInput) (*fis.ListTargetResourceTypesOutput,
	error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	var all []types.TargetResourceTypeSummary
	for _, kind := range resourceTypes {
		all = append(all, types.TargetResourceTypeSummary{ResourceType: aws.String(kind.name), Description: aws.String(kind.description)})
	}
	part, next, err := page("ListTargetResourceTypes", in.MaxResults, in.NextToken, all,
		func(t types.TargetResourceTypeSummary) string { return *t.ResourceType })
	return &fis.ListTargetResourceTypesOutput{TargetResourceTypes: part, NextToken: next}, err
}

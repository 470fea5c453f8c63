package eks

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/wire"
)

// about is what a modelled exception speaks of. Its methods make the exceptions, one each, with those members that
// EKS's model gives that exception; empty fields are left out. The message is a format for one sentence that the client
// sees.
type about struct {
	cluster, nodegroup, fargateProfile, addon, subscription string
}

// notFound is ResourceNotFoundException, 404.
func (a about) notFound(format string, args ...any) error {
	return wire.Modelled(&types.ResourceNotFoundException{
		Message: sentence(format, args), ClusterName: memberOf(a.cluster), NodegroupName: memberOf(a.nodegroup),
		FargateProfileName: memberOf(a.fargateProfile), AddonName: memberOf(a.addon),
		SubscriptionId: memberOf(a.subscription),
	}, schemas.ResourceNotFoundException)
}

// inUse is ResourceInUseException, 409: the name is taken, or something still needs or changes the resource.
func (a about) inUse(format string, args ...any) error {
	return wire.Modelled(&types.ResourceInUseException{
		Message: sentence(format, args), ClusterName: memberOf(a.cluster), NodegroupName: memberOf(a.nodegroup),
		AddonName: memberOf(a.addon),
	}, schemas.ResourceInUseException)
}

// invalidParameter is InvalidParameterException, 400: a value that is never right.
func (a about) invalidParameter(format string, args ...any) error {
	return wire.Modelled(&types.InvalidParameterException{
		Message: sentence(format, args), ClusterName: memberOf(a.cluster), NodegroupName: memberOf(a.nodegroup),
		FargateProfileName: memberOf(a.fargateProfile), AddonName: memberOf(a.addon),
		SubscriptionId: memberOf(a.subscription),
	}, schemas.InvalidParameterException)
}

// invalidRequest is InvalidRequestException, 400: a request that the state of things does not allow.
func (a about) invalidRequest(format string, args ...any) error {
	return wire.Modelled(&types.InvalidRequestException{
		Message: sentence(format, args), ClusterName: memberOf(a.cluster), NodegroupName: memberOf(a.nodegroup),
		AddonName: memberOf(a.addon), SubscriptionId: memberOf(a.subscription),
	}, schemas.InvalidRequestException)
}

// limitExceeded is ResourceLimitExceededException, 400.
func (a about) limitExceeded(format string, args ...any) error {
	return wire.Modelled(&types.ResourceLimitExceededException{
		Message: sentence(format, args), ClusterName: memberOf(a.cluster), NodegroupName: memberOf(a.nodegroup),
		SubscriptionId: memberOf(a.subscription),
	}, schemas.ResourceLimitExceededException)
}

// invalidState is InvalidStateException, 400: an update that is past the point where this could be done, or that
// insights say would fail.
func (a about) invalidState(format string, args ...any) error {
	return wire.Modelled(&types.InvalidStateException{Message: sentence(format, args), ClusterName: memberOf(a.cluster)},
		schemas.InvalidStateException)
}

// The exceptions that have no members but their message.

// badRequest is BadRequestException, 400: what the tag operations have for InvalidParameterException.
func badRequest(format string, args ...any) error {
	return wire.Modelled(&types.BadRequestException{Message: sentence(format, args)}, schemas.BadRequestException)
}

// noResource is NotFoundException, 404: what the tag operations have for ResourceNotFoundException.
func noResource(format string, args ...any) error {
	return wire.Modelled(&types.NotFoundException{Message: sentence(format, args)}, schemas.NotFoundException)
}

// throttled is ThrottlingException, 429: a call of an operation that was called too often.
func throttled(message string) *wire.Error {
	return wire.Modelled(&types.ThrottlingException{Message: &message}, schemas.ThrottlingException)
}

// unavailable is ServiceUnavailableException, 503: a call that the regional state could not do at the moment.
func unavailable(message string) *wire.Error {
	return wire.Modelled(&types.ServiceUnavailableException{Message: &message}, schemas.ServiceUnavailableException)
}

// inWords is an error in EKS's own words, which begin with a capital letter.
func inWords(format string, args ...any) error { return fmt.Errorf(format, args...) }

func sentence(format string, args []any) *string { return aws.String(fmt.Sprintf(format, args...)) }

func memberOf(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// refusal is the operation's own exception for a value that breaks the constraints, with the names that the input has.
func refusal(operation string, input *wire.Input, message string) error {
	a := about{
		cluster: input.Text("clusterName"), nodegroup: input.Text("nodegroupName"),
		fargateProfile: input.Text("fargateProfileName"), addon: input.Text("addonName"),
	}
	switch refusals[operation] {
	case "BadRequestException":
		return badRequest("%s", message)
	case "InvalidRequestException":
		return a.invalidRequest("%s", message)
	}
	return a.invalidParameter("%s", message)
}

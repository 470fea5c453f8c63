package logs

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Keys are KMS's, as far as groups need them.
type Keys interface {
	// Lets says whether a key is there and enabled, and whether its policy lets a service itself do all of the actions in an
	// encryption context.
	Lets(tx *state.Txn, keyARN, service string, context map[string]string, actions ...string) (there, enabled, allowed bool)
}

// keyActions are what CloudWatch Logs does with a group's key ("Encrypt log data in CloudWatch Logs using AWS KMS").
var keyActions = []string{"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey"}

// lets asks for the key of a group.
func (s *Service) lets(tx *state.Txn, group, keyARN string, actions ...string) (there, enabled, allowed bool) {
	if s.Keys == nil {
		return true, true, true
	}
	return s.Keys.Lets(tx, keyARN, "logs."+s.Region+".amazonaws.com", map[string]string{"aws:logs:arn": s.groupARN(group)}, actions...)
}

// forbiddenKey is AWS's answer where a group's key cannot be used.
func (s *Service) forbiddenKey(group string) error {
	return &wire.Error{Code: "AccessDeniedException", Status: 400, Message: "The specified KMS key does not exist or is not allowed to " +
		"be used with Arn '" + s.groupARN(group) + "'"}
}

// usable refuses a key that a group cannot have.
func (s *Service) usable(tx *state.Txn, group, keyARN string) error {
	there, enabled, allowed := s.lets(tx, group, keyARN, keyActions...)
	switch {
	case there && !enabled:
		return invalid("The specified KMS key %s is disabled.", keyARN)
	case !there || !allowed:
		return s.forbiddenKey(group)
	}
	return nil
}

// readable refuses to read a group whose key is disabled, gone, or does not let CloudWatch Logs decrypt any more.
func (s *Service) readable(tx *state.Txn, g group) error {
	if g.KMSKeyID == "" {
		return nil
	}
	if there, enabled, allowed := s.lets(tx, g.Name, g.KMSKeyID, "Decrypt"); !there || !enabled || !allowed {
		return s.forbiddenKey(g.Name)
	}
	return nil
}

// keyedGroup is the name of the group whose key a call is about.
func (s *Service) keyedGroup(name, resource *string) (string, error) {
	if name == nil && resource != nil {
		if *resource == "arn:aws:logs:"+s.Region+":"+s.AccountID+":query-result:*" {
			return "", invalid("Tripod keeps no results of queries on a disk, so there is nothing to encrypt: name a log group.")
		}
		return s.nameInARN(*resource)
	}
	return s.groupName(name, resource)
}

func (s *Service) associateKmsKey(call *operation.Call,
	in *cloudwatchlogs.AssociateKmsKeyInput) (*cloudwatchlogs.AssociateKmsKeyOutput, error) {
	name, err := s.keyedGroup(in.LogGroupName, in.ResourceIdentifier)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.AssociateKmsKeyOutput{}, s.editWith(call, name, func(tx *state.Txn, g *group) error {
		g.KMSKeyID = aws.ToString(in.KmsKeyId)
		return s.usable(tx, name, g.KMSKeyID)
	})
}

func (s *Service) disassociateKmsKey(call *operation.Call,
	in *cloudwatchlogs.DisassociateKmsKeyInput) (*cloudwatchlogs.DisassociateKmsKeyOutput, error) {
	name, err := s.keyedGroup(in.LogGroupName, in.ResourceIdentifier)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DisassociateKmsKeyOutput{}, s.edit(call, name, func(g *group) { g.KMSKeyID = "" })
}

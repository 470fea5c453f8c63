package logs

import (
	"cmp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

// mostResourcePolicies is how many an account has in a region ("CloudWatch Logs quotas"). Each log group may have one of its own.
const mostResourcePolicies = 10

// resourcePolicy says which of AWS's services may write logs: of the account, or of one log group, whose record has it.
type resourcePolicy struct {
	Name      string    `json:"name"`
	Document  string    `json:"document"`
	Revision  string    `json:"revision,omitempty"` // of a group's
	UpdatedAt time.Time `json:"updatedAt"`
}

var resourcePolicies = state.NewTable[resourcePolicy]("log-resource-policy") // the account's, by name

// everyPolicy is what policies name resource policies by.
const everyPolicy = "*"

func (s *Service) putResourcePolicy(call *operation.Call,
	in *cloudwatchlogs.PutResourcePolicyInput) (*cloudwatchlogs.PutResourcePolicyOutput, error) {
	if err := authorize(call, everyPolicy); err != nil {
		return nil, err
	}
	made := resourcePolicy{Name: aws.ToString(in.PolicyName), Document: aws.ToString(in.PolicyDocument), UpdatedAt: s.now()}
	if made.Name == "" || made.Document == "" {
		return nil, invalid("policyName and policyDocument are required.")
	}
	if _, err := iam.ParseResource(made.Document); err != nil {
		return nil, invalid("The policy document is not valid: %s.", err)
	}
	if in.ResourceArn == nil {
		err := s.change(call, func(tx *state.Txn) error {
			_, found := resourcePolicies.Get(tx, made.Name)
			if !found && len(resourcePolicies.List(tx)) >= mostResourcePolicies {
				return limitExceeded("Resource limit exceeded.")
			}
			resourcePolicies.Put(tx, made.Name, made)
			return nil
		})
		shown := made.describe("")
		return &cloudwatchlogs.PutResourcePolicyOutput{ResourcePolicy: &shown}, err
	}
	name, err := s.nameInARN(*in.ResourceArn)
	if err != nil {
		return nil, err
	}
	made.Revision = wire.NewRequestID()
	err = s.editAllowed(call, name, func(_ *state.Txn, g *group) error {
		if err := g.expects(in.ExpectedRevisionId); err != nil {
			return err
		}
		if g.Policy != nil && g.Policy.Name != made.Name {
			return limitExceeded("A log group has one resource policy, and this one has %s.", g.Policy.Name)
		}
		g.Policy = &made
		return nil
	})
	shown := made.describe(s.groupARN(name))
	return &cloudwatchlogs.PutResourcePolicyOutput{ResourcePolicy: &shown, RevisionId: shown.RevisionId}, err
}

// expects refuses to change a group's policy that somebody else has changed.
func (g group) expects(revision *string) error {
	switch {
	case g.Policy == nil && revision == nil:
		return nil
	case g.Policy != nil && revision == nil:
		return invalid("expectedRevisionId is required: the log group has a resource policy.")
	case g.Policy == nil || *revision != g.Policy.Revision:
		return wire.Modelled(&types.OperationAbortedException{Message: aws.String("The resource policy has another revision than the one that " +
			"was expected: describe it, and try again.")}, schemas.OperationAbortedException)
	}
	return nil
}

func (s *Service) describeResourcePolicies(call *operation.Call,
	in *cloudwatchlogs.DescribeResourcePoliciesInput) (*cloudwatchlogs.DescribeResourcePoliciesOutput, error) {
	if err := authorize(call, everyPolicy); err != nil {
		return nil, err
	}
	scope, arn := cmp.Or(in.PolicyScope, types.PolicyScopeAccount), aws.ToString(in.ResourceArn)
	if arn != "" {
		scope = cmp.Or(in.PolicyScope, types.PolicyScopeResource)
	}
	if arn != "" && scope != types.PolicyScopeResource {
		return nil, invalid("resourceArn is of policies of the scope RESOURCE.")
	}
	var all []types.ResourcePolicy
	err := s.State.View(func(tx *state.Txn) error {
		if scope == types.PolicyScopeAccount {
			for _, p := range resourcePolicies.List(tx) {
				all = append(all, p.describe(""))
			}
			return nil
		}
		wanted := ""
		if arn != "" {
			name, err := s.nameInARN(arn)
			if err != nil {
				return err
			}
			if _, found := groups.Get(tx, name); !found {
				return errNoGroup
			}
			wanted = name
		}
		for _, g := range groups.List(tx) {
			if g.Policy != nil && (wanted == "" || g.Name == wanted) {
				all = append(all, g.Policy.describe(s.groupARN(g.Name)))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	page, next, err := paged([]string{call.Operation, string(scope), arn}, all,
		func(p types.ResourcePolicy) string { return aws.ToString(p.ResourceArn) + "\x00" + *p.PolicyName }, in.Limit, 50, in.NextToken)
	return &cloudwatchlogs.DescribeResourcePoliciesOutput{ResourcePolicies: page, NextToken: next}, err
}

// describe is the policy as it is shown: the account's, or a group's with that ARN.
func (p resourcePolicy) describe(arn string) types.ResourcePolicy {
	shown := types.ResourcePolicy{PolicyName: &p.Name, PolicyDocument: &p.Document, PolicyScope: types.PolicyScopeAccount,
		LastUpdatedTime: aws.Int64(p.UpdatedAt.UnixMilli())}
	if arn != "" {
		shown.PolicyScope, shown.ResourceArn, shown.RevisionId = types.PolicyScopeResource, &arn, &p.Revision
	}
	return shown
}

func (s *Service) deleteResourcePolicy(call *operation.Call,
	in *cloudwatchlogs.DeleteResourcePolicyInput) (*cloudwatchlogs.DeleteResourcePolicyOutput, error) {
	if err := authorize(call, everyPolicy); err != nil {
		return nil, err
	}
	missing := notFound("Policy with name [%.256s] does not exist.", aws.ToString(in.PolicyName))
	if in.ResourceArn == nil {
		return &cloudwatchlogs.DeleteResourcePolicyOutput{}, s.change(call, func(tx *state.Txn) error {
			if _, found := resourcePolicies.Get(tx, aws.ToString(in.PolicyName)); !found {
				return missing
			}
			resourcePolicies.Delete(tx, *in.PolicyName)
			return nil
		})
	}
	name, err := s.nameInARN(*in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteResourcePolicyOutput{}, s.editAllowed(call, name, func(_ *state.Txn, g *group) error {
		if g.Policy == nil || in.PolicyName != nil && *in.PolicyName != g.Policy.Name {
			return missing
		}
		if err := g.expects(in.ExpectedRevisionId); err != nil {
			return err
		}
		g.Policy = nil
		return nil
	})
}

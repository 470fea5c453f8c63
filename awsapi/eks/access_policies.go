package eks

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	policyPrefix       = iam.AccessPolicyPrefix
	autoNodePolicy     = policyPrefix + "AmazonEKSAutoNodePolicy"
	maxEntryPolicies   = 20 // of an access entry
	maxScopeNamespaces = 100
)

// scopeNamespace is a namespace, or a pattern of some with * in it.
var scopeNamespace = regexp.MustCompile(`^[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?$`)

func (s *Service) listAccessPolicies(call *operation.Call,
	in *eks.ListAccessPoliciesInput) (*eks.ListAccessPoliciesOutput, error) {
	if err := call.Authorize(wire.RestJSON, Name+":"+call.Operation, "*"); err != nil {
		return nil, err
	}
	var policies []types.AccessPolicy
	for _, policy := range iam.AccessPolicies() {
		policies = append(policies,
			types.AccessPolicy{Name: aws.String(policy.Name), Arn: aws.String(policyPrefix + policy.Name)})
	}
	out := &eks.ListAccessPoliciesOutput{}
	var err error
	out.AccessPolicies, out.NextToken, err = page(paging{call.Operation, nil, in.MaxResults, in.NextToken}, policies,
		func(p types.AccessPolicy) string { return *p.Name })
	return out, err
}

func (s *Service) associateAccessPolicy(call *operation.Call,
	in *eks.AssociateAccessPolicyInput) (*eks.AssociateAccessPolicyOutput, error) {
	t := target{aws.ToString(in.ClusterName), accessEntries, aws.ToString(in.PrincipalArn)}
	return changeOf(s, call, t, hasEntries, nil, in, func(c change) (*eks.AssociateAccessPolicyOutput, string, error) {
		entry, err := entryOf(c.tx, c.cluster, t.name)
		if err != nil {
			return nil, "", err
		}
		a := about{cluster: c.cluster.Name}
		policy := aws.ToString(in.PolicyArn)
		known, found := iam.AccessPolicyOf(policy)
		if !found {
			return nil, "", a.notFound("The specified policyArn %s could not be found. You can view the access policies "+
				"with 'list-access-policies'.", quote(policy))
		}
		if known.ServiceLinked {
			return nil, "", a.invalidRequest("The access policy %s is for service-linked roles only.", known.Name)
		}
		if entry.Type != standardEntry && !(entry.Type == "EC2" && policy == autoNodePolicy) {
			return nil, "", a.invalidParameter(onlyStandard)
		}
		if wrong := wrongScope(in.AccessScope); wrong != "" {
			return nil, "", a.invalidParameter("%s", wrong)
		}
		associated := region.AssociatedPolicy{
			ARN: policy, Scope: string(in.AccessScope.Type), Namespaces: in.AccessScope.Namespaces, AssociatedAt: c.now,
			ModifiedAt: c.now,
		}
		if i := policyIndex(entry, policy); i >= 0 {
			associated.AssociatedAt = entry.Policies[i].AssociatedAt
			entry.Policies[i] = associated
		} else {
			if len(entry.Policies) >= maxEntryPolicies {
				return nil, "", a.invalidRequest("An access entry has at most %d access policies.", maxEntryPolicies)
			}
			entry.Policies = append(entry.Policies, associated)
		}
		accessEntries.put(c.tx, entry)
		shown := showAssociated(associated)
		return &eks.AssociateAccessPolicyOutput{ClusterName: aws.String(c.cluster.Name),
			PrincipalArn: aws.String(entry.PrincipalARN), AssociatedAccessPolicy: &shown}, "", nil
	})
}

func policyIndex(entry region.AccessEntry, arn string) int {
	return slices.IndexFunc(entry.Policies, func(p region.AssociatedPolicy) bool { return p.ARN == arn })
}

// wrongScope says what is wrong with the scope of an associated policy, or returns "".
func wrongScope(scope *types.AccessScope) string {
	if scope == nil {
		return "accessScope is missing: its type is cluster or namespace."
	}
	switch scope.Type {
	case types.AccessScopeTypeCluster:
		if len(scope.Namespaces) > 0 {
			return "The accessScope of the type cluster has no namespaces: leave them out, or say namespace."
		}
	case types.AccessScopeTypeNamespace:
		if len(scope.Namespaces) == 0 || len(scope.Namespaces) > maxScopeNamespaces {
			return fmt.Sprintf("The accessScope of the type namespace needs 1 to %d namespaces.", maxScopeNamespaces)
		}
		for _, namespace := range scope.Namespaces {
			if len(namespace) > 63 || !scopeNamespace.MatchString(namespace) {
				return fmt.Sprintf("The namespace %s of the accessScope is not a Kubernetes namespace, nor a pattern of some.",
					quote(namespace))
			}
		}
	default:
		return fmt.Sprintf("The type %s of the accessScope is not valid: it is cluster or namespace.",
			quote(string(scope.Type)))
	}
	return ""
}

func showAssociated(p region.AssociatedPolicy) types.AssociatedAccessPolicy {
	return types.AssociatedAccessPolicy{
		PolicyArn: aws.String(p.ARN), AssociatedAt: aws.Time(p.AssociatedAt), ModifiedAt: aws.Time(p.ModifiedAt),
		AccessScope: &types.AccessScope{Type: types.AccessScopeType(p.Scope),
			Namespaces: append([]string{}, p.Namespaces...)},
	}
}

func (s *Service) disassociateAccessPolicy(call *operation.Call,
	in *eks.DisassociateAccessPolicyInput) (*eks.DisassociateAccessPolicyOutput, error) {
	t := target{aws.ToString(in.ClusterName), accessEntries, aws.ToString(in.PrincipalArn)}
	return changeOf(s, call, t, hasEntries, nil, in, func(c change) (*eks.DisassociateAccessPolicyOutput, string, error) {
		entry, err := entryOf(c.tx, c.cluster, t.name)
		if err != nil {
			return nil, "", err
		}
		i := policyIndex(entry, aws.ToString(in.PolicyArn))
		if i < 0 {
			return nil, "", about{cluster: c.cluster.Name}.notFound("The policy %s is not associated with this access entry.",
				quote(aws.ToString(in.PolicyArn)))
		}
		entry.Policies = slices.Delete(entry.Policies, i, i+1)
		accessEntries.put(c.tx, entry)
		return &eks.DisassociateAccessPolicyOutput{}, "", nil
	})
}

func (s *Service) listAssociatedAccessPolicies(call *operation.Call,
	in *eks.ListAssociatedAccessPoliciesInput) (*eks.ListAssociatedAccessPoliciesOutput, error) {
	t := target{aws.ToString(in.ClusterName), accessEntries, aws.ToString(in.PrincipalArn)}
	out := &eks.ListAssociatedAccessPoliciesOutput{ClusterName: in.ClusterName, PrincipalArn: in.PrincipalArn}
	return out, readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		if err := hasEntries(cluster); err != nil {
			return err
		}
		entry, err := entryOf(tx, cluster, t.name)
		if err != nil {
			return err
		}
		var shown []types.AssociatedAccessPolicy
		for _, p := range entry.Policies {
			shown = append(shown, showAssociated(p))
		}
		out.AssociatedAccessPolicies, out.NextToken,
			err = page(paging{call.Operation, []string{entry.ARN}, in.MaxResults, in.NextToken}, shown,
			func(p types.AssociatedAccessPolicy) string { return *p.PolicyArn })
		return err
	})
}

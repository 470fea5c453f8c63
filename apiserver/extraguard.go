package apiserver

import (
	"context"

	"k8s.io/apiserver/pkg/authorization/authorizer"

	"tripod/iam"
)

// extraGuard refuses to let anybody impersonate what the authenticator writes into a user's extras, also those whom all else is allowed
// (system:masters): the authorizer of access policies goes by them. It stands before the authorizers that are configured, as these
// come after the one that allows system:masters everything.
type extraGuard struct{ authorizer.Authorizer }

func (g extraGuard) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if forgesPrincipal(a) {
		return authorizer.DecisionDeny, extraRefusal, nil
	}
	return g.Authorizer.Authorize(ctx, a)
}

func (g extraGuard) ConditionsAwareAuthorize(ctx context.Context, a authorizer.Attributes) authorizer.ConditionsAwareDecision {
	if forgesPrincipal(a) {
		return authorizer.ConditionsAwareDecisionFromParts(authorizer.DecisionDeny, extraRefusal, nil)
	}
	return g.Authorizer.ConditionsAwareAuthorize(ctx, a)
}

const extraRefusal = "the IAM authenticator's extras cannot be impersonated"

func forgesPrincipal(a authorizer.Attributes) bool {
	return iam.ForgesPrincipal(a.GetVerb(), a.GetResource(), a.GetSubresource())
}

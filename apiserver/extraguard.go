package apiserver

import (
	"context"

	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/klog/v2"

	"tripod/apiserver/launch"
	"tripod/iam"
)

// extraGuard refuses to let anybody impersonate what the authenticator writes into a user's extras, also those whom all
// else is allowed (system:masters): the authorizer of access policies goes by them. It stands before the authorizers
// that are configured, as these come after the one that allows system:masters everything.
type extraGuard struct{ authorizer.Authorizer }

func (g extraGuard) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if forgesPrincipal(a) {
		return authorizer.DecisionDeny, extraRefusal, nil
	}
	decision, reason, err := g.Authorizer.Authorize(ctx, a)
	return decision, reason, outward(err)
}

func (g extraGuard) ConditionsAwareAuthorize(ctx context.Context,
	a authorizer.Attributes) authorizer.ConditionsAwareDecision {
	if forgesPrincipal(a) {
		return authorizer.ConditionsAwareDecisionFromParts(authorizer.DecisionDeny, extraRefusal, nil)
	}
	d := g.Authorizer.ConditionsAwareAuthorize(ctx, a)
	told := outward(d.Error())
	if told == d.Error() || !d.IsUnconditional() {
		return d
	}
	decision := authorizer.DecisionNoOpinion
	switch {
	case d.IsAllow():
		decision = authorizer.DecisionAllow
	case d.IsDeny():
		decision = authorizer.DecisionDeny
	}
	return authorizer.ConditionsAwareDecisionFromParts(decision, d.Reason(), told)
}

// outward keeps the addresses of the region's own parts out of what a client reads when these do not answer.
func outward(err error) error {
	told, hidden := launch.Outward(err, "the cluster's access policies cannot be asked at this moment: try again")
	if hidden {
		klog.ErrorS(err, "An authorizer does not answer")
	}
	return told
}

const extraRefusal = "the IAM authenticator's extras cannot be impersonated"

func forgesPrincipal(a authorizer.Attributes) bool {
	return iam.ForgesPrincipal(a.GetVerb(), a.GetResource(), a.GetSubresource())
}

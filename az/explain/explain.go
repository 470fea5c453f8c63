// Package explain says what principals may do in a cluster, and why: it asks the very parts that decide.
package explain

import (
	"context"
	"slices"

	"tripod/api"
	"tripod/iam"
)

// Cluster explains what principals may do in a cluster: it asks the very parts that decide.
type Cluster struct {
	Name    string
	Account string // 12 digits
	Admits  *iam.Authenticator
	Permits *iam.Authorizer
	Server  APIServer
}

// Explain says whom the cluster takes the principal of a question for, what that may do, and why.
func (c Cluster) Explain(ctx context.Context, question api.AccessQuestion) (*api.Access, error) {
	action, err := c.Server.action(ctx, question)
	if err != nil {
		return nil, err
	}
	explained := &api.Access{Action: action}
	var principal *iam.Principal
	if explained.Identity, principal, err = c.identify(ctx, question); err != nil || explained.Refusal != "" {
		return explained, err
	}
	if explained.RBAC, err = c.Server.review(ctx, explained.Identity, action); err != nil {
		return nil, err
	}
	if principal != nil {
		if explained.Policies, err = c.Permits.Explain(*principal, action); err != nil {
			return nil, err
		}
	}
	explained.Allowed = explained.RBAC.Allowed ||
		slices.ContainsFunc(explained.Policies, func(p api.PolicyDecision) bool { return p.Allowed })
	return explained, nil
}

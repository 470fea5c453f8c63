package operation

import (
	"strings"

	"tripod/awsapi/wire"
	"tripod/iam"
)

// Denied is the refusal of a call that its caller's policies do not allow.
type Denied struct {
	// Refusal is what the client gets.
	Refusal *wire.Error
	// Denial is why, which is not for the client's eyes as it is.
	Denial iam.Denial
}

func (d *Denied) Error() string { return d.Refusal.Error() }

// Unwrap returns the refusal.
func (d *Denied) Unwrap() error { return d.Refusal }

// Authorize refuses the call where the principal's policies do not allow the action (such as eks:ListClusters) on the
// resource, or not iam:PassRole on a role that the request gives away. about are condition keys beside the request's:
// those of the resource.
func (c *Call) Authorize(p wire.Protocol, action, resourceARN string, about ...iam.Keys) error {
	if err := c.allowed(p, action, resourceARN, c.Keys.With(about...)); err != nil {
		return err
	}
	for _, role := range c.Passed {
		if err := c.PassRole(p, role, resourceARN); err != nil {
			return err
		}
	}
	return nil
}

// PassRole refuses the call where the principal's policies do not allow it to give the role to the service, for the
// resource.
func (c *Call) PassRole(p wire.Protocol, role PassedRole, resourceARN string) error {
	return c.allowed(p, "iam:PassRole", role.ARN,
		c.Keys.With(iam.Keys{"iam:passedtoservice": {role.Service}, "iam:associatedresourcearn": {resourceARN}}))
}

// AuthorizeUnnamed refuses a call of a service of which nobody here knows what it does to which resource, where the
// principal's policies deny what it may be, or do not allow all that it may be. action is empty where not even that is
// known; pass is the name of an action for just that.
func (c *Call) AuthorizeUnnamed(p wire.Protocol, service, action, pass string) error {
	decision, reason := c.Principal.EvaluateUnnamed(service, action, pass, c.Keys)
	if decision == iam.Allowed {
		return nil
	}
	if action == "" {
		action = pass
	}
	action = service + ":" + action
	return &Denied{wire.AccessDenied(p, c.Principal.ARN, action, "*", reason),
		iam.Denial{Decision: decision, Principal: c.Principal, Action: action, Resource: "*", Keys: c.Keys}}
}

func (c *Call) allowed(p wire.Protocol, action, resourceARN string, keys iam.Keys) error {
	keys["aws:resourceaccount"] = []string{c.Principal.AccountID}
	if fields := strings.SplitN(resourceARN, ":", 6); len(fields) == 6 && fields[4] != "" {
		keys["aws:resourceaccount"] = fields[4:5]
	}
	decision, reason := c.Principal.Evaluate(action, resourceARN, keys)
	if decision == iam.Allowed {
		return nil
	}
	return &Denied{wire.AccessDenied(p, c.Principal.ARN, action, resourceARN, reason),
		iam.Denial{Decision: decision, Principal: c.Principal, Action: action, Resource: resourceARN, Keys: keys}}
}

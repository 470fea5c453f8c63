package iam

import (
	"errors"
	"fmt"
	"strings"

	"tripod/client"
	"tripod/region"
)

// Explain says whom the cluster takes a principal for, as the Authenticator would decide on a good token of it.
func (a *Authenticator) Explain(p Principal) (client.Identity, error) {
	cluster, err := a.cluster()
	if err != nil {
		return client.Identity{}, err
	}
	identity := client.Identity{Cluster: cluster.Name, ARN: p.ARN, ID: p.principalID()}
	admission, err := a.admit(cluster, p)
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		identity.Refusal = refused.why
	case err != nil:
		identity.Refusal = err.Error()
	default:
		identity.By, identity.Username, identity.Groups = admission.By, admission.Username, admission.Groups
	}
	return identity, nil
}

// ExplainToken says which checks a token passes, and whom the cluster takes its owner for.
func (a *Authenticator) ExplainToken(token string) (client.Identity, error) {
	cluster, err := a.cluster()
	if err != nil {
		return client.Identity{}, err
	}
	var checks []string
	verifier := a.verifier(cluster)
	verifier.Passed = func(check string) { checks = append(checks, check) }
	principal, err := verifier.Verify(token)
	if err != nil {
		return client.Identity{Cluster: cluster.Name, Checks: checks, Refusal: err.Error()}, nil
	}
	identity, err := a.Explain(principal)
	identity.Checks = checks
	return identity, err
}

// Explain is what each policy of the principal's access entry says of an action. There is nothing where access policies do not count.
func (a *Authorizer) Explain(p Principal, action client.Action) (decisions []client.PolicyDecision, err error) {
	user := userOf(p, Admission{})
	entry, err := a.entryOf(accessReviewSpec{UID: user.UID, Extra: user.Extra})
	for _, associated := range entry.Policies {
		decision := client.PolicyDecision{Policy: associated.ARN, Scope: associated.Scope, Namespaces: associated.Namespaces}
		decision.Allowed, decision.Reason = evaluatePolicy(entry, associated, action)
		decisions = append(decisions, decision)
	}
	return decisions, err
}

// anySession is the name of the session of a role that nobody has named a session of.
const anySession = "SESSION"

// PrincipalNamed finds the principal that people mean: by the ARN of a user, a role or a role's session, as user/NAME, role/NAME, or by a user's
// bare name. The error is a sentence: IAM does not have it, or that is no principal.
func PrincipalNamed(state region.Viewer, text string) (p Principal, err error) {
	kind, name, session := "user", text, anySession
	isARN := strings.HasPrefix(text, "arn:")
	if isARN {
		kind, name, _ = strings.Cut(text[strings.LastIndexByte(text, ':')+1:], "/")
	} else if before, after, found := strings.Cut(text, "/"); found {
		kind, name = before, after
	}
	if kind == "assumed-role" {
		name, session, _ = strings.Cut(name, "/")
	} else {
		name = name[strings.LastIndexByte(name, '/')+1:] // what stands before is the path
	}
	err = state.View(func(tx *region.Txn) error {
		arn, found := "", false
		switch kind {
		case "user":
			var user region.User
			if user, found = region.Users.Get(tx, name); found {
				p, arn = userPrincipal(tx, user, ""), user.ARN
			}
		case "role", "assumed-role":
			var role region.Role
			if role, found = region.Roles.Get(tx, name); found {
				p = RoleSession(tx, role, Session{Role: role.Name, ID: role.ID, Name: session}, "")
				if arn = role.ARN; kind == "assumed-role" {
					arn, kind = p.ARN, "role"
				}
			}
		default:
			return fmt.Errorf("%s is no principal: write the ARN of a user, a role or a role's session, or NAME, user/NAME or role/NAME", quoteARN(text))
		}
		switch {
		case !found:
			return fmt.Errorf("IAM has no %s %s", strings.TrimPrefix(kind, "assumed-"), quote(name))
		case isARN && arn != text:
			return fmt.Errorf("IAM has no %s; the %s %s is %s", quoteARN(text), kind, quote(name), arn)
		}
		return nil
	})
	return p, err
}

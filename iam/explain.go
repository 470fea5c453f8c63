package iam

import (
	"errors"
	"fmt"
	"strings"

	"tripod/api"
	"tripod/region"
	"tripod/state"
)

// Explain says whom the cluster takes a principal for, as the Authenticator would decide on a good token of it.
func (a *Authenticator) Explain(p Principal) (api.Identity, error) {
	cluster, err := a.cluster()
	if err != nil {
		return api.Identity{}, err
	}
	identity, _ := a.explain(cluster, p)
	return identity, nil
}

func (a *Authenticator) explain(cluster region.Cluster, p Principal) (api.Identity, Admission) {
	identity := api.Identity{Cluster: cluster.Name, ARN: p.ARN, ID: p.principalID()}
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
	return identity, admission
}

// ExplainToken says which checks a token passes, whom the cluster takes its owner for, and which access policies count
// for that one.
func (a *Authenticator) ExplainToken(token string) (api.Identity, error) {
	cluster, err := a.cluster()
	if err != nil {
		return api.Identity{}, err
	}
	var checks []string
	verifier := a.verifier(cluster)
	verifier.Passed = func(check string) { checks = append(checks, check) }
	principal, err := verifier.Verify(token)
	if err != nil {
		return api.Identity{Cluster: cluster.Name, Checks: checks, Refusal: err.Error()}, nil
	}
	identity, admission := a.explain(cluster, principal)
	identity.Checks = checks
	for _, associated := range admission.Policies {
		identity.Associated = append(identity.Associated, policyOf(associated))
	}
	return identity, nil
}

func policyOf(associated region.AssociatedPolicy) api.AccessPolicy {
	return api.AccessPolicy{ARN: associated.ARN, Scope: associated.Scope, Namespaces: associated.Namespaces}
}

// Explain is what each policy of the principal's access entry says of an action. There is nothing where access policies
// do not count.
func (a *Authorizer) Explain(p Principal, action api.Action) (decisions []api.PolicyDecision, err error) {
	user := userOf(p, Admission{})
	entry, err := a.entryOf(accessReviewSpec{UID: user.UID, Extra: user.Extra})
	for _, associated := range entry.Policies {
		decision := api.PolicyDecision{AccessPolicy: policyOf(associated)}
		decision.Allowed, decision.Reason = evaluatePolicy(entry, associated, action)
		decisions = append(decisions, decision)
	}
	return decisions, err
}

// anySession is the name of the session of a role that nobody has named a session of.
const anySession = "SESSION"

// PrincipalNamed finds the principal of the account that people mean: by the ARN of a user, a role, a role's session, a
// federated user or root, as user/NAME, role/NAME, federated-user/NAME or root, or by the bare name of a user or role.
// The error is a sentence: IAM does not have it, or that is no principal.
func PrincipalNamed(store state.Viewer, accountID, text string) (p Principal, err error) {
	isARN := strings.HasPrefix(text, "arn:")
	kind, name, session := splitPrincipal(text)
	err = store.View(func(tx *state.Txn) error {
		if kind == "" {
			if kind, err = kindOf(tx, name); err != nil {
				return err
			}
		}
		arn, what, found := "", kind+" "+quote(name), false
		switch kind {
		case "user":
			var user region.User
			if user, found = region.Users.Get(tx, name); found {
				p, arn = userPrincipal(tx, user, ""), user.ARN
			}
		case "role", "assumed-role":
			what = "role " + quote(name)
			var role region.Role
			if role, found = region.Roles.Get(tx, name); found {
				p = RoleSession(tx, role, Session{Role: role.Name, ID: role.ID, Name: session}, "")
				if arn = role.ARN; kind == "assumed-role" {
					arn = p.ARN
				}
			}
		case "federated-user":
			p, found = Principal{AccountID: accountID}, true
			p.federate(name)
			arn = p.ARN
		case "root":
			p, what, found = rootPrincipal(accountID, ""), "root user", true
			arn = p.ARN
		default:
			return fmt.Errorf("%s is no principal: write the ARN of a user, a role, a role's session, a federated "+
				"user or root, "+
				"or NAME, user/NAME, role/NAME, federated-user/NAME or root", quoteARN(text))
		}
		switch {
		case !found:
			return fmt.Errorf("IAM has no %s", what)
		case isARN && arn != text:
			return fmt.Errorf("IAM has no %s; the %s is %s", quoteARN(text), what, arn)
		}
		return nil
	})
	return p, err
}

// kindOf is what has a bare name: the error says that nothing has, or that both a user and a role have it.
func kindOf(tx *state.Txn, name string) (string, error) {
	_, user := region.Users.Get(tx, name)
	_, role := region.Roles.Get(tx, name)
	switch {
	case user && role:
		return "", fmt.Errorf("IAM has a user and a role %s: write user/%[2]s or role/%[2]s", quote(name), name)
	case user:
		return "user", nil
	case role:
		return "role", nil
	}
	return "", fmt.Errorf("IAM has no user and no role %s", quote(name))
}

// splitPrincipal takes what names a principal apart; a path before the name is left out. A bare name has no kind.
func splitPrincipal(text string) (kind, name, session string) {
	switch {
	case strings.HasPrefix(text, "arn:"):
		kind, name, _ = strings.Cut(text[strings.LastIndexByte(text, ':')+1:], "/")
	case text == "root":
		kind = text
	case strings.Contains(text, "/"):
		kind, name, _ = strings.Cut(text, "/")
	default:
		name = text
	}
	if kind == "assumed-role" {
		name, session, _ = strings.Cut(name, "/")
		return kind, name, session
	}
	return kind, name[strings.LastIndexByte(name, '/')+1:], anySession
}

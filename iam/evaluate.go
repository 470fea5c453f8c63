package iam

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Decision is what policies say of a request.
type Decision int

const (
	// ImplicitDeny: no statement applies, so it is denied.
	ImplicitDeny Decision = iota
	// Allowed: a statement allows it and none denies it.
	Allowed
	// ExplicitDeny: a statement denies it, whatever others allow.
	ExplicitDeny
)

// Request is what policies are asked about.
type Request struct {
	Action, Resource string
	Keys             Keys
	// Principal asks a resource's policy for its statements on somebody; in identity-based policies it has no meaning.
	Principal func(kind, pattern string) bool
	// Spared says whether the elements of a NotPrincipal, by kind, except somebody; nil means whom Principal matches by
	// one of them.
	Spared func(elements map[string][]string) bool
}

// Decide evaluates the documents together: a deny in any of them counts before an allow in any.
func Decide(request Request, documents ...*Document) Decision {
	decision := ImplicitDeny
	for _, d := range documents {
		for _, s := range d.Statements {
			switch {
			case !s.applies(request, d.Version == policyVersion):
			case s.Effect == effectDeny:
				return ExplicitDeny
			default:
				decision = Allowed
			}
		}
	}
	return decision
}

func (s Statement) applies(request Request, variables bool) bool {
	if !s.names(request) || !s.acts(request.Action) || !s.covers(request, variables) {
		return false
	}
	for _, condition := range s.Conditions {
		if !condition.holds(request.Keys, variables) {
			return false
		}
	}
	return true
}

// names compares principals; a statement without any is about whoever has the policy.
func (s Statement) names(request Request) bool {
	switch {
	case s.Principals == nil && s.NotPrincipals == nil:
		return true
	case request.Principal == nil:
		return false
	case s.Principals != nil:
		return request.isOneOf(s.Principals)
	case request.Spared != nil:
		return !request.Spared(s.NotPrincipals)
	}
	return !request.isOneOf(s.NotPrincipals)
}

func (r Request) isOneOf(elements map[string][]string) bool {
	for kind, patterns := range elements {
		if slices.ContainsFunc(patterns, func(pattern string) bool { return r.Principal(kind, pattern) }) {
			return true
		}
	}
	return false
}

func (s Statement) acts(action string) bool {
	patterns, wanted := s.Actions, true
	if s.NotActions != nil {
		patterns, wanted = s.NotActions, false
	}
	for _, text := range patterns {
		// Actions are compared without regard to case, and have no variables.
		if p, _ := expand(strings.ToLower(text), nil, false); p.matches(strings.ToLower(action)) {
			return wanted
		}
	}
	return !wanted
}

func (s Statement) covers(request Request, variables bool) bool {
	patterns, wanted := s.Resources, true
	if s.NotResources != nil {
		patterns, wanted = s.NotResources, false
	}
	if patterns == nil {
		return true
	}
	for _, text := range patterns {
		p, ok := expand(text, request.Keys, variables)
		if !ok && !wanted {
			return false // a NotResource that cannot be filled in excepts nobody knows what: the statement does not apply
		}
		if ok && p.matches(request.Resource) {
			return wanted
		}
	}
	return !wanted
}

// Keys are the global condition keys that say who calls.
func (p Principal) Keys() Keys {
	keys := Keys{
		"aws:principalarn": {p.ARN}, "aws:principalaccount": {p.AccountID}, "aws:userid": {p.UserID},
		"aws:principaltype": {"User"},
	}
	maps.Copy(keys, TagKeys("aws:principaltag", p.Tags))
	if strings.HasPrefix(p.AccessKeyID, temporaryPrefix) {
		keys["aws:multifactorauthpresent"] = []string{strconv.FormatBool(p.MFA)} // long-term credentials have no such key
		if p.MFA {
			keys["aws:multifactorauthage"] = []string{strconv.Itoa(int(p.MFAAge.Seconds()))}
		}
		keys["aws:tokenissuetime"] = []string{p.IssuedAt.UTC().Format(time.RFC3339)}
	}
	for key, value := range map[string]string{"aws:sourceidentity": p.SourceIdentity,
		"aws:federatedprovider": p.Provider} {
		if value != "" {
			keys[key] = []string{value}
		}
	}
	switch {
	case p.IssuerARN != "":
		keys["aws:principalarn"], keys["aws:principaltype"] = []string{p.IssuerARN}, []string{"AssumedRole"}
	case p.IsFederated():
		keys["aws:principaltype"] = []string{"FederatedUser"}
	case p.IsRoot():
		keys["aws:principaltype"] = []string{"Account"}
	default:
		keys["aws:username"] = []string{p.UserName()}
	}
	return keys
}

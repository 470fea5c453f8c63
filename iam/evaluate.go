package iam

import (
	"maps"
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
	// Principal asks a trust policy for its statements on somebody; in identity-based policies it has no meaning.
	Principal func(kind, pattern string) bool
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
	list, wanted := s.Principals, true
	if s.NotPrincipals != nil {
		list, wanted = s.NotPrincipals, false
	}
	if list == nil {
		return true
	}
	if request.Principal == nil {
		return false
	}
	for kind, patterns := range list {
		for _, pattern := range patterns {
			if request.Principal(kind, pattern) {
				return wanted
			}
		}
	}
	return !wanted
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

// Match says whether an element of a trust policy's AWS principals is this principal: "*", its account (12 digits or the root's ARN),
// its own ARN, or that of the role of its session. direct is false for the account alone, which leaves the decision to the
// principal's own policies. Wildcards within an ARN match nothing, as in AWS.
func (p Principal) Match(element string) (matched, direct bool) {
	switch element {
	case "*", p.ARN:
		return true, true
	case p.AccountID, RootARN(p.AccountID):
		return true, false
	}
	return p.IssuerARN != "" && element == p.IssuerARN, true
}

// Named says whether a resource-based policy's element lets the principal do what is requested without leave of its identity-based policies. A session
// that is named by its role's ARN stays within permissions boundary and session policies; by its own ARN it does not ("Session policies" and "Permissions
// boundaries for IAM entities" of the IAM user guide).
func (p Principal) Named(element string, request Request) bool {
	matched, direct := p.Match(element)
	return matched && direct && (element != p.IssuerARN || p.within(request))
}

// Keys are the global condition keys that say who calls.
func (p Principal) Keys() Keys {
	keys := Keys{
		"aws:principalarn": {p.ARN}, "aws:principalaccount": {p.AccountID}, "aws:userid": {p.UserID}, "aws:principaltype": {"User"},
	}
	maps.Copy(keys, TagKeys("aws:principaltag", p.Tags))
	if strings.HasPrefix(p.AccessKeyID, temporaryPrefix) {
		keys["aws:multifactorauthpresent"] = []string{"false"} // there are no MFA devices here; long-term credentials have no such key
		keys["aws:tokenissuetime"] = []string{p.IssuedAt.UTC().Format(time.RFC3339)}
	}
	for key, value := range map[string]string{"aws:sourceidentity": p.SourceIdentity, "aws:federatedprovider": p.Provider} {
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

// MayAssume says whether the principal may do an action, such as sts:AssumeRole, on a role with that trust policy. A role that trusts the
// account leaves it to the principal's own policies; one that names the principal does not need their leave (see Named), but what they deny stays denied.
// reason is the end of the sentence for who may not.
func (p Principal) MayAssume(action, roleARN string, trust *Document, keys Keys) (may bool, reason string) {
	request := Request{Action: action, Resource: roleARN, Keys: p.Keys().With(keys)}
	trusts := func(direct bool) Decision {
		asked := request
		asked.Principal = func(kind, element string) bool {
			matched, _ := p.Match(element)
			return kind == "AWS" && matched && (!direct || p.Named(element, request))
		}
		return Decide(asked, trust)
	}
	own, reason := p.Evaluate(action, roleARN, keys)
	switch trusted := trusts(false); {
	case own == ExplicitDeny:
		return false, reason
	case trusted == ExplicitDeny:
		return false, "with an explicit deny in a resource-based policy"
	case trusted != Allowed:
		return false, "because no resource-based policy allows the " + action + " action"
	case own != Allowed && trusts(true) != Allowed:
		return false, reason
	}
	return true, ""
}

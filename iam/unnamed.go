package iam

import "strings"

// AnyService is the service of a call of which nobody knows whose it is.
const AnyService = "*"

// EvaluateUnnamed is Evaluate for a call of a service of which not everything is known: nothing is of the resource, so
// that every one may be meant, and where action is empty nothing of the action either. What may be denied is denied,
// whatever else the call may be; it is allowed where all resources are, and where the action is not known all actions
// of the service, or pass, the name for just that. Of AnyService no action is known.
func (p Principal) EvaluateUnnamed(service, action, pass string, keys Keys) (decision Decision, reason string) {
	named := service + ":" + action
	if action == "" || service == AnyService {
		named = service + ":" + pass
	}
	request := Request{Action: named, Resource: "*", Keys: p.Keys().With(keys)}
	unnamed := unnamed{request: request, service: strings.ToLower(service), known: action != "" && service != AnyService}
	return p.granted(named, unnamed.decide)
}

// unnamed is a request whose resource nobody knows, and where known is false whose action neither.
type unnamed struct {
	request Request
	service string
	known   bool
}

func (u unnamed) decide(documents []*Document) Decision {
	decision := ImplicitDeny
	for _, d := range documents {
		variables := d.Version == policyVersion
		for _, s := range d.Statements {
			switch {
			case s.Effect == effectDeny && u.mayBeDenied(s, variables):
				return ExplicitDeny
			case s.Effect != effectDeny && u.allActs(s) && s.applies(u.request, variables):
				decision = Allowed
			}
		}
	}
	return decision
}

// mayBeDenied says whether the statement may be about the call.
func (u unnamed) mayBeDenied(s Statement, variables bool) bool {
	if u.known && !s.acts(u.request.Action) || !u.known && !u.mayAct(s) {
		return false
	}
	for _, text := range s.NotResources {
		if text == "*" {
			return false // it is about no resource
		}
	}
	for _, condition := range s.Conditions {
		if !condition.holds(u.request.Keys, variables) && !u.unknown(condition.Key) {
			return false
		}
	}
	return true
}

// unknown says whether a condition key may have a value that nobody has told: those of services and of resources are
// theirs to tell, as are the request's tags.
func (u unnamed) unknown(key string) bool {
	key = strings.ToLower(key)
	if _, told := u.request.Keys[key]; told && !strings.HasPrefix(key, "aws:requesttag/") && key != "aws:tagkeys" {
		return false
	}
	return !strings.HasPrefix(key, "aws:") || strings.HasPrefix(key, "aws:resource") ||
		strings.HasPrefix(key, "aws:requesttag/") || key == "aws:tagkeys"
}

// mayAct says whether the statement is about some action of the service.
func (u unnamed) mayAct(s Statement) bool {
	if s.NotActions != nil {
		for _, text := range s.NotActions {
			if u.covers(text) {
				return false
			}
		}
		return true
	}
	for _, text := range s.Actions {
		vendor, _, _ := strings.Cut(strings.ToLower(text), ":")
		if p, _ := expand(vendor, nil, false); u.service == AnyService || p.matches(u.service) {
			return true
		}
	}
	return false
}

// allActs says whether the statement is about all actions of the service, or just about a call whose action is not
// known.
func (u unnamed) allActs(s Statement) bool {
	if u.known {
		return true // applies looks at it
	}
	for _, text := range s.Actions {
		if u.covers(text) || strings.EqualFold(text, u.request.Action) { // never *:PassOn, which is no action's name
			return true
		}
	}
	return s.NotActions != nil && !u.mayAct(Statement{Actions: s.NotActions})
}

// covers says whether an action's pattern is of all actions of the service.
func (u unnamed) covers(text string) bool {
	vendor, action, two := strings.Cut(strings.ToLower(text), ":")
	p, _ := expand(vendor, nil, false)
	if !two || u.service == AnyService {
		return strings.Trim(text, "*") == ""
	}
	return p.matches(u.service) && action != "" && strings.Trim(action, "*") == ""
}

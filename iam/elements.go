package iam

import "slices"

// kindAWS is the kind of the elements of a Principal that name accounts, users, roles and sessions.
const kindAWS = "AWS"

// Match says whether an element of a resource's policy is this principal: "*", its account (12 digits or the root's
// ARN), its own ARN or unique id, or that of the role of its session. direct is false for the account alone, which
// leaves the decision to the principal's own policies. Wildcards within an ARN match nothing, as in AWS.
func (p Principal) Match(element string) (matched, direct bool) {
	switch element {
	case "":
		return false, false
	case "*", p.ARN:
		return true, true
	case p.AccountID, RootARN(p.AccountID):
		return true, false
	}
	return element == p.UserID || p.byRole(element), true
}

// byRole says whether an element names the role of the principal's session.
func (p Principal) byRole(element string) bool {
	return p.IssuerARN != "" && element == p.IssuerARN || p.IssuerID != "" && element == p.IssuerID
}

// Named says whether a resource-based policy's element lets the principal do what is requested without leave of its
// identity-based policies. A session that is named by its role's ARN stays within permissions boundary and session
// policies; by its own ARN it does not ("Session policies" and "Permissions boundaries for IAM entities" of the IAM
// user guide).
func (p Principal) Named(element string, request Request) bool {
	matched, direct := p.Match(element)
	return matched && direct && (!p.byRole(element) || p.within(request))
}

// spared says whether a NotPrincipal excepts the principal. Its account alone does not: AWS looks at the account first,
// then at the role, then at the user or session, and denies where one of them is not listed ("AWS JSON policy elements:
// NotPrincipal" of the IAM user guide). So a list that has the account, as it must, leaves all of the account's users
// and roles denied who are not listed themselves.
func (p Principal) spared(elements map[string][]string) bool {
	listed := func(names ...string) bool {
		return slices.ContainsFunc(elements[kindAWS],
			func(element string) bool { return element != "" && slices.Contains(names, element) })
	}
	switch {
	case listed("*"):
		return true
	case !listed(p.AccountID, RootARN(p.AccountID)):
		return false
	case p.IssuerARN != "" && !listed(p.IssuerARN, p.IssuerID):
		return false
	}
	return listed(p.ARN, p.UserID)
}

// Asking is the request as the policy of a resource is asked for it: what does it say of this principal? With direct,
// statements on the account, which leave the decision to the principal's own policies, do not count.
func (p Principal) Asking(request Request, direct bool) Request {
	asked := request
	asked.Spared = p.spared
	asked.Principal = func(kind, element string) bool {
		matched, _ := p.Match(element)
		return kind == kindAWS && matched && (!direct || p.Named(element, request))
	}
	return asked
}

// TrustsService says whether a statement of a trust policy that names its actions lets a service do one, under whatever
// conditions.
func (d *Document) TrustsService(service, action string) bool {
	return slices.ContainsFunc(d.Statements, func(s Statement) bool {
		return s.Effect != effectDeny && s.NotActions == nil && slices.Contains(s.Principals["Service"], service) &&
			s.acts(action)
	})
}

// MayAssume says whether the principal may do an action, such as sts:AssumeRole, on a role with that trust policy. A
// role that trusts the account leaves it to the principal's own policies; one that names the principal does not need
// their leave (see Named), but what they deny stays denied. reason is the end of the sentence for who may not.
func (p Principal) MayAssume(action, roleARN string, trust *Document, keys Keys) (may bool, reason string) {
	request := Request{Action: action, Resource: roleARN, Keys: p.Keys().With(keys)}
	own, reason := p.Evaluate(action, roleARN, keys)
	switch trusted := Decide(p.Asking(request, false), trust); {
	case own == ExplicitDeny:
		return false, reason
	case trusted == ExplicitDeny:
		return false, "with an explicit deny in a resource-based policy"
	case trusted != Allowed:
		return false, "because no resource-based policy allows the " + action + " action"
	case own != Allowed && Decide(p.Asking(request, true), trust) != Allowed:
		return false, reason
	}
	return true, ""
}

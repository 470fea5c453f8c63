package iam

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"tripod/region"
	"tripod/state"
)

// managedParsed are AWS's own policies, by ARN.
var managedParsed = sync.OnceValue(func() map[string]*Document {
	parsed := make(map[string]*Document)
	for arn, text := range managedDocuments() {
		if d, err := ParseIdentity(text); err == nil { // a test reads them all
			parsed[arn] = d
		}
	}
	return parsed
})

// Evaluate decides about an action on a resource by all of the principal's policies. keys are condition keys of the
// request, in lower case, beside those that tell who calls. reason is the end of the sentence that a denied client
// gets.
func (p Principal) Evaluate(action, resource string, keys Keys) (decision Decision, reason string) {
	request := Request{Action: action, Resource: resource, Keys: p.Keys().With(keys)}
	return p.granted(action, func(documents []*Document) Decision { return Decide(request, documents...) })
}

// granted puts together what decide says of the principal's identity-based policies, and of all that limits them. The
// action is for the reason.
func (p Principal) granted(action string, decide func([]*Document) Decision) (decision Decision, reason string) {
	identity, ok := p.identityDocuments()
	if !ok {
		return ExplicitDeny, "because a policy of the principal cannot be read"
	}
	switch decision = decide(identity); decision {
	case ExplicitDeny:
		return decision, "with an explicit deny in an identity-based policy"
	case ImplicitDeny:
		reason = "because no identity-based policy allows the " + action + " action"
	}
	for _, limit := range p.limits() {
		documents, err := parseAll(limit.texts)
		if err != nil {
			return ExplicitDeny, "because the " + limit.name + " cannot be read"
		}
		switch decide(documents) {
		case ExplicitDeny:
			return ExplicitDeny, "with an explicit deny in a " + limit.name
		case ImplicitDeny:
			if decision == Allowed {
				decision, reason = ImplicitDeny, "because no "+limit.name+" allows the "+action+" action"
			}
		}
	}
	return decision, reason
}

// Bounds is what the permissions boundary alone says of an action on a resource; without one, Allowed.
func (p Principal) Bounds(action, resource string, keys Keys) Decision {
	if p.Boundary == nil {
		return Allowed
	}
	document, err := ParseIdentity(*p.Boundary)
	if err != nil {
		return ExplicitDeny
	}
	return Decide(Request{Action: action, Resource: resource, Keys: p.Keys().With(keys)}, document)
}

// limit is a kind of policy that narrows what identity-based ones allow.
type limit struct {
	name  string
	texts []string
}

// limits are those that the principal has.
func (p Principal) limits() []limit {
	var limits []limit
	if p.Boundary != nil {
		limits = append(limits, limit{"permissions boundary", []string{*p.Boundary}})
	}
	if p.SessionPolicies != nil {
		limits = append(limits, limit{"session policy", p.SessionPolicies})
	}
	return limits
}

// within says whether all that narrows the principal allows the request.
func (p Principal) within(request Request) bool {
	return !slices.ContainsFunc(p.limits(), func(l limit) bool {
		documents, err := parseAll(l.texts)
		return err != nil || Decide(request, documents...) != Allowed
	})
}

func parseAll(texts []string) ([]*Document, error) {
	documents := make([]*Document, len(texts))
	for i, text := range texts {
		var err error
		if documents[i], err = ParseIdentity(text); err != nil {
			return nil, err
		}
	}
	return documents, nil
}

// identityDocuments are the principal's policies but for the boundary, and whether all can be read: of one that cannot
// nobody knows what it denies.
func (p Principal) identityDocuments() ([]*Document, bool) {
	var documents []*Document
	for _, arn := range p.Policies {
		if d := managedParsed()[arn]; d != nil {
			documents = append(documents, d)
		}
	}
	own, err := parseAll(p.Documents)
	return append(documents, own...), err == nil
}

// grant gives the principal the policies of a user, role or group: managed ones by their ARNs, and inline ones.
func (p *Principal) grant(tx *state.Txn, managed []string, inline map[string]string) {
	p.Policies = append(p.Policies, managed...)
	for _, arn := range managed {
		if IsManaged(arn) {
			continue
		}
		if text, found := PolicyDocument(tx, arn); found {
			p.Documents = append(p.Documents, text)
		}
	}
	for _, text := range inline {
		p.Documents = append(p.Documents, text)
	}
}

// bound sets the permissions boundary, if there is one. One that is not there any more allows nothing.
func (p *Principal) bound(tx *state.Txn, arn string) {
	if arn != "" {
		text, _ := PolicyDocument(tx, arn)
		p.Boundary = &text
	}
}

// grantUser gives the principal all that a user has, by itself and by its groups.
func (p *Principal) grantUser(tx *state.Txn, user region.User) {
	p.grant(tx, user.Policies, user.Inline)
	for _, name := range user.Groups {
		group, _ := region.Groups.Get(tx, name)
		p.grant(tx, group.Policies, group.Inline)
	}
	p.bound(tx, user.Boundary)
	p.Tags = user.Tags
}

// grantRole gives the principal all that a role has.
func (p *Principal) grantRole(tx *state.Txn, role region.Role) {
	p.grant(tx, role.Policies, role.Inline)
	p.bound(tx, role.Boundary)
	p.Tags = role.Tags
}

// tag adds a session's tags. Their keys are compared without regard to case, as IAM does: one that differs from a tag
// of the role by case alone replaces it.
func (p *Principal) tag(tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	merged := maps.Clone(tags)
	for key, value := range p.Tags {
		if !hasFold(tags, key) {
			merged[key] = value
		}
	}
	p.Tags = merged
}

func hasFold(tags map[string]string, key string) bool {
	for other := range tags {
		if strings.EqualFold(other, key) {
			return true
		}
	}
	return false
}

// PrincipalOf is who a user, role or group would be that made a call, and whether there is one with that ARN. A role
// has no session then.
func PrincipalOf(tx *state.Txn, arn string) (Principal, bool) {
	p := Principal{ARN: arn, AccountID: accountOf(arn)}
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	if user, found := region.Users.Get(tx, name); found && user.ARN == arn {
		p.UserID = user.ID
		p.grantUser(tx, user)
		return p, true
	}
	if role, found := region.Roles.Get(tx, name); found && role.ARN == arn {
		p.UserID, p.IssuerARN, p.IssuerID = role.ID, role.ARN, role.ID
		p.grantRole(tx, role)
		return p, true
	}
	if group, found := region.Groups.Get(tx, name); found && group.ARN == arn {
		p.UserID = group.ID
		p.grant(tx, group.Policies, group.Inline)
		return p, true
	}
	return Principal{}, false
}

// With is the principal with further policies, which must be valid.
func (p Principal) With(documents ...string) Principal {
	p.Documents = append(slices.Clone(p.Documents), documents...)
	return p
}

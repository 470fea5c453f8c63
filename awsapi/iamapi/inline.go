package iamapi

import (
	"maps"

	"tripod/awsapi/operation"
	"tripod/state"
)

// inlines are the operations of one kind of holder.
type inlines[H holder] struct {
	*Service
	kind string
}

type inlineInput[H holder] struct {
	named[H]
	PolicyName string `query:",required"`
}

type putInlineInput[H holder] struct {
	inlineInput[H]
	PolicyDocument string `query:",required"`
}

func (i inlines[H]) put(call *operation.Call, in *putInlineInput[H]) (done, error) {
	malformed := checkInline(in.PolicyDocument)
	return alter(i.Service, call, in.named, func(_ *state.Txn, e entity) error {
		if malformed != nil { // who is not there comes first
			return malformed
		}
		policies := maps.Clone(*e.inline)
		if policies == nil {
			policies = map[string]string{}
		}
		policies[in.PolicyName] = in.PolicyDocument
		total := 0
		for _, document := range policies {
			total += policySize(document)
		}
		if total > e.inlineLimit {
			return limitExceeded("Maximum policy size of %d bytes exceeded for %s %s", e.inlineLimit, e.kind, e.name)
		}
		*e.inline = policies
		return nil
	})
}

// inlinePolicy is an inline policy as answers have it. Two of the names are always empty.
type inlinePolicy struct {
	RoleName       string `xml:",omitempty" json:",omitempty"`
	UserName       string `xml:",omitempty" json:",omitempty"`
	GroupName      string `xml:",omitempty" json:",omitempty"`
	PolicyName     string
	PolicyDocument string
}

func (i inlines[H]) get(call *operation.Call, in *inlineInput[H]) (*inlinePolicy, error) {
	return view(i.Service, call, func(tx *state.Txn) (*inlinePolicy, error) {
		t := in.subject(call)
		e, err := find(tx, t.kind, t.name)
		if err != nil {
			return nil, err
		}
		document, found := (*e.inline)[in.PolicyName]
		if !found {
			return nil, noInline(e, in.PolicyName)
		}
		out := &inlinePolicy{PolicyName: in.PolicyName, PolicyDocument: encoded(document)}
		switch i.kind {
		case kindRole:
			out.RoleName = t.name
		case kindUser:
			out.UserName = t.name
		case kindGroup:
			out.GroupName = t.name
		}
		return out, nil
	})
}

func noInline(e entity, name string) error {
	return noSuchEntity("The %s policy with name %s cannot be found.", e.kind, name)
}

func (i inlines[H]) remove(call *operation.Call, in *inlineInput[H]) (done, error) {
	return alter(i.Service, call, in.named, func(_ *state.Txn, e entity) error {
		if _, found := (*e.inline)[in.PolicyName]; !found {
			return noInline(e, in.PolicyName)
		}
		delete(*e.inline, in.PolicyName) // the record is the transaction's own copy
		return nil
	})
}

type pagedOf[H holder] struct {
	named[H]
	paging
}

type inlineList struct {
	PolicyNames list[string]
	pageEnd
}

func (i inlines[H]) list(call *operation.Call, in *pagedOf[H]) (*inlineList, error) {
	return view(i.Service, call, func(tx *state.Txn) (*inlineList, error) {
		t := in.subject(call)
		e, err := find(tx, t.kind, t.name)
		if err != nil {
			return nil, err
		}
		out := &inlineList{}
		out.PolicyNames, out.pageEnd,
			err = page(call, in.paging, sortedKeys(*e.inline), func(name string) string { return name })
		return out, err
	})
}

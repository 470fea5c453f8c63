package iamapi

import (
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/state"
)

// holder is the part of an input that names a role, user or group.
type holder interface {
	roleName | userName | groupName
	subject
}

// attachments are the operations of one kind of holder.
type attachments[H holder] struct {
	*Service
	kind string
}

// alter changes a holder that is not a service's.
func alter[H holder](s *Service, call *operation.Call, in named[H], fn func(*state.Txn, entity) error) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		t := in.subject(call)
		e, err := findMutable(tx, t.kind, t.name)
		if err != nil {
			return done{}, err
		}
		if err := fn(tx, e); err != nil {
			return done{}, err
		}
		e.save()
		return done{}, nil
	})
}

type attachInput[H holder] struct {
	named[H]
	PolicyARN string `query:"PolicyArn,required"`
}

func (a attachments[H]) attach(call *operation.Call, in *attachInput[H]) (done, error) {
	return alter(a.Service, call, in.named, func(tx *state.Txn, e entity) error {
		_, found := iam.PolicyDocument(tx, in.PolicyARN)
		switch {
		case !found:
			return notThere(kindPolicy, in.PolicyARN)
		case strings.Contains(in.PolicyARN, ":policy/aws-service-role/"):
			return refuse("PolicyNotAttachable", 400, "Cannot attach a Service Role Policy to a Customer Role.")
		case slices.Contains(*e.policies, in.PolicyARN):
			return nil // attached already: that is no error
		case len(*e.policies) >= maxManagedOfOne:
			return limitExceeded("Cannot exceed quota for PoliciesPer%s: %d", strings.ToUpper(a.kind[:1])+a.kind[1:],
				maxManagedOfOne)
		}
		*e.policies = append(*e.policies, in.PolicyARN)
		return nil
	})
}

func (a attachments[H]) detach(call *operation.Call, in *attachInput[H]) (done, error) {
	return alter(a.Service, call, in.named, func(_ *state.Txn, e entity) error {
		i := slices.Index(*e.policies, in.PolicyARN)
		if i < 0 {
			return noSuchEntity("Policy %s was not found.", in.PolicyARN)
		}
		*e.policies = slices.Delete(*e.policies, i, i+1)
		return nil
	})
}

type listOfInput[H holder] struct {
	named[H]
	listInput
}

// AttachedPolicy names a managed policy that somebody has.
type AttachedPolicy struct {
	PolicyName string
	PolicyARN  string `xml:"PolicyArn" json:"PolicyArn"`
}

type attachedList struct {
	AttachedPolicies list[AttachedPolicy]
	pageEnd
}

func (a attachments[H]) list(call *operation.Call, in *listOfInput[H]) (*attachedList, error) {
	return view(a.Service, call, func(tx *state.Txn) (*attachedList, error) {
		t := in.subject(call)
		e, err := find(tx, t.kind, t.name)
		if err != nil {
			return nil, err
		}
		var attached []AttachedPolicy
		for _, arn := range *e.policies {
			if strings.HasPrefix(pathOfARN(arn), in.PathPrefix) {
				attached = append(attached, AttachedPolicy{arn[strings.LastIndexByte(arn, '/')+1:], arn})
			}
		}
		slices.SortFunc(attached, func(a, b AttachedPolicy) int { return strings.Compare(a.PolicyARN, b.PolicyARN) })
		out := &attachedList{}
		out.AttachedPolicies, out.pageEnd,
			err = page(call, in.paging, attached, func(p AttachedPolicy) string { return p.PolicyARN })
		return out, err
	})
}

// pathOfARN is the path in the ARN of a policy, such as /service-role/.
func pathOfARN(arn string) string {
	_, rest, _ := strings.Cut(arn, ":policy")
	return rest[:strings.LastIndexByte(rest, '/')+1]
}

type boundaryInput[H holder] struct {
	named[H]
	PermissionsBoundary string `query:",required"`
}

func (a attachments[H]) putBoundary(call *operation.Call, in *boundaryInput[H]) (done, error) {
	return alter(a.Service, call, in.named, func(tx *state.Txn, e entity) error {
		*e.boundary = in.PermissionsBoundary
		return checkBoundary(tx, in.PermissionsBoundary)
	})
}

func (a attachments[H]) deleteBoundary(call *operation.Call, in *named[H]) (done, error) {
	return alter(a.Service, call, *in, func(_ *state.Txn, e entity) error {
		if *e.boundary == "" {
			return noSuchEntity("The %s %s has no permissions boundary.", e.kind, e.name)
		}
		*e.boundary = ""
		return nil
	})
}

package iamapi

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

func (s *Service) policyActions() map[string]action {
	return map[string]action{
		"CreatePolicy": typed(s, s.createPolicy),
		"GetPolicy":    typed(s, s.getPolicy),
		"ListPolicies": typed(s, s.listPolicies),
		"DeletePolicy": typed(s, s.deletePolicy),
	}
}

// managedSince is the date that AWS's own policies are given: theirs differ, and nothing depends on them.
var managedSince = time.Date(2018, 5, 27, 0, 0, 0, 0, time.UTC)

// Policy is a managed policy as answers have it.
type Policy struct {
	PolicyName                    string
	PolicyID                      string `xml:"PolicyId" json:"PolicyId"`
	ARN                           string `xml:"Arn" json:"Arn"`
	Path                          string
	DefaultVersionID              string `xml:"DefaultVersionId" json:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string `xml:",omitempty" json:",omitempty"`
	CreateDate                    string
	UpdateDate                    string
	Tags                          list[Tag] `xml:",omitempty" json:",omitempty"`
}

type policyResult struct{ Policy Policy }

type policyARN struct {
	PolicyARN string `query:"PolicyArn,required"`
}

func (in policyARN) subject(*wire.Call) thing { return thing{kind: kindPolicy, name: in.PolicyARN} }

// uses are how many entities have each policy, attached or as their boundary.
type uses struct{ attached, bounding map[string]int }

func countUses(tx *region.Txn) uses {
	u := uses{map[string]int{}, map[string]int{}}
	for _, e := range holders(tx) {
		for _, arn := range *e.policies {
			u.attached[arn]++
		}
		if e.boundary != nil && *e.boundary != "" {
			u.bounding[*e.boundary]++
		}
	}
	return u
}

// holders are all that can have policies: groups, roles, users.
func holders(tx *region.Txn) []entity {
	var all []entity
	for _, g := range region.Groups.List(tx) {
		all = append(all, entity{kind: kindGroup, name: g.Name, id: g.ID, policies: &g.Policies})
	}
	for _, r := range region.Roles.List(tx) {
		all = append(all, entity{kind: kindRole, name: r.Name, id: r.ID, policies: &r.Policies, boundary: &r.Boundary})
	}
	for _, u := range region.Users.List(tx) {
		all = append(all, entity{kind: kindUser, name: u.Name, id: u.ID, policies: &u.Policies, boundary: &u.Boundary})
	}
	return all
}

func describePolicy(p region.Policy, u uses) Policy {
	return Policy{
		PolicyName: p.Name, PolicyID: p.ID, ARN: p.ARN, Path: p.Path, DefaultVersionID: p.Default, AttachmentCount: u.attached[p.ARN],
		PermissionsBoundaryUsageCount: u.bounding[p.ARN], IsAttachable: true, Description: p.Description,
		CreateDate: stamp(p.CreatedAt), UpdateDate: stamp(p.UpdatedAt), Tags: tagList(p.Tags),
	}
}

// managedRecord is one of AWS's own policies as if it were a record: with one version. Its id is made of its name.
func managedRecord(p iam.ManagedPolicy) region.Policy {
	id := "ANPA" + strings.ToUpper(strings.NewReplacer("_", "", "-", "").Replace(p.Name) + "AAAAAAAAAAAAAAAAA")[:17]
	return region.Policy{
		Name: p.Name, ID: id, ARN: p.ARN(), Path: p.Path, Description: p.Description, CreatedAt: managedSince, UpdatedAt: managedSince,
		Versions: []region.PolicyVersion{{ID: "v1", Document: string(p.Document), CreatedAt: managedSince}}, Default: "v1", LastVersion: 1,
	}
}

// policy is a managed policy, the account's or AWS's own.
func policy(tx *region.Txn, arn string) (region.Policy, error) {
	if p, found := region.Policies.Get(tx, arn); found {
		return p, nil
	}
	for _, p := range iam.ManagedPolicies() {
		if p.ARN() == arn {
			return managedRecord(p), nil
		}
	}
	return region.Policy{}, notThere(kindPolicy, arn)
}

// ownPolicy is a policy that may be changed: not AWS's own.
func ownPolicy(tx *region.Txn, arn string) (region.Policy, error) {
	if iam.IsManaged(arn) {
		return region.Policy{}, refuse("AccessDenied", 403, "Policy %s is AWS's own: it cannot be changed.", arn)
	}
	return policy(tx, arn)
}

type createPolicyInput struct {
	PolicyName     string `query:",required"`
	Path           string
	PolicyDocument string `query:",required"`
	Description    string
	Tags           []Tag
}

func (in createPolicyInput) subject(*wire.Call) thing {
	return newThing(kindPolicy, in.Path, in.PolicyName)
}

func (s *Service) createPolicy(call *wire.Call, in *createPolicyInput) (*policyResult, error) {
	var tags map[string]string
	for _, check := range []func() error{
		func() error { return checkName("PolicyName", in.PolicyName, maxNameOfGroup) },
		func() error { return checkPath(&in.Path) },
		func() error { return checkDescription(in.Description) },
		func() error { return checkManaged(in.PolicyDocument) },
		func() (err error) { tags, err = checkTags(nil, in.Tags); return err },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	id, err := iam.NewID(rand.Reader, "ANPA")
	if err != nil {
		return nil, wrap(call, err)
	}
	now := s.now()
	p := region.Policy{
		Name: in.PolicyName, ID: id, ARN: s.arn(kindPolicy, in.Path+in.PolicyName), Path: in.Path, Description: in.Description, CreatedAt: now, UpdatedAt: now,
		Versions: []region.PolicyVersion{{ID: "v1", Document: in.PolicyDocument, CreatedAt: now}}, Default: "v1", LastVersion: 1, Tags: tags,
	}
	return change(s, call, func(tx *region.Txn) (*policyResult, error) {
		if err := taken(tx, region.Policies, kindPolicy, p.Name, func(p region.Policy) string { return p.Name }); err != nil {
			return nil, err
		}
		region.Policies.Put(tx, p.ARN, p)
		return &policyResult{describePolicy(p, uses{})}, nil
	})
}

// checkManaged checks the document of a managed policy.
func checkManaged(document string) error {
	if err := checkIdentity(document); err != nil {
		return err
	}
	if policySize(document) > maxPolicySize {
		return limitExceeded("Cannot exceed quota for PolicySize: %d", maxPolicySize)
	}
	return nil
}

func (s *Service) getPolicy(call *wire.Call, in *policyARN) (*policyResult, error) {
	return view(s, call, func(tx *region.Txn) (*policyResult, error) {
		p, err := policy(tx, in.PolicyARN)
		if err != nil {
			return nil, err
		}
		return &policyResult{describePolicy(p, countUses(tx))}, nil
	})
}

type listPoliciesInput struct {
	Scope             string
	OnlyAttached      bool
	PolicyUsageFilter string
	listInput
}

type policyList struct {
	Policies list[Policy]
	pageEnd
}

func (s *Service) listPolicies(call *wire.Call, in *listPoliciesInput) (*policyList, error) {
	scope := cmp.Or(in.Scope, "All")
	if !slices.Contains([]string{"All", "AWS", "Local"}, scope) {
		return nil, invalid("Scope must be All, AWS or Local.")
	}
	if !slices.Contains([]string{"", "PermissionsPolicy", "PermissionsBoundary"}, in.PolicyUsageFilter) {
		return nil, invalid("PolicyUsageFilter must be PermissionsPolicy or PermissionsBoundary.")
	}
	return view(s, call, func(tx *region.Txn) (*policyList, error) {
		var records []region.Policy
		if scope != "AWS" {
			records = region.Policies.List(tx)
		}
		if scope != "Local" {
			for _, p := range iam.ManagedPolicies() {
				records = append(records, managedRecord(p))
			}
		}
		used := countUses(tx)
		var policies []Policy
		for _, p := range under(records, in.PathPrefix, func(p region.Policy) string { return p.Path }) {
			one := describePolicy(p, used)
			one.Description, one.Tags = "", nil // lists have none
			switch {
			case in.OnlyAttached && one.AttachmentCount == 0,
				in.PolicyUsageFilter == "PermissionsPolicy" && one.AttachmentCount == 0,
				in.PolicyUsageFilter == "PermissionsBoundary" && one.PermissionsBoundaryUsageCount == 0:
			default:
				policies = append(policies, one)
			}
		}
		slices.SortFunc(policies, func(a, b Policy) int { return strings.Compare(a.ARN, b.ARN) })
		out := &policyList{}
		var err error
		out.Policies, out.pageEnd, err = page(call, in.paging, policies, func(p Policy) string { return p.ARN })
		return out, err
	})
}

func (s *Service) deletePolicy(call *wire.Call, in *policyARN) (done, error) {
	return change(s, call, func(tx *region.Txn) (done, error) {
		p, err := ownPolicy(tx, in.PolicyARN)
		if err != nil {
			return done{}, err
		}
		used := countUses(tx)
		switch {
		case used.attached[p.ARN]+used.bounding[p.ARN] > 0:
			return done{}, deleteConflict("Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return done{}, deleteConflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		region.Policies.Delete(tx, p.ARN)
		return done{}, nil
	})
}

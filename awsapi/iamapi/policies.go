package iamapi

import (
	"cmp"
	"crypto/rand"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

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
	// Tags are there in GetPolicy's answer also where there are none, and in CreatePolicy's only where there are some.
	Tags *list[Tag] `xml:",omitempty" json:",omitempty"`
}

type policyResult struct{ Policy Policy }

type policyARN struct {
	PolicyARN string `query:"PolicyArn,required"`
}

func (in policyARN) subject(*operation.Call) thing {
	return thing{kind: kindPolicy, name: in.PolicyARN}
}

// attachedTo is how many entities have the policy, and bounding of how many it is the boundary.
func attachedTo(tx *state.Txn, arn string) int {
	return region.GroupsByPolicy.Of(arn).Count(tx) + region.RolesByPolicy.Of(arn).Count(tx) + region.UsersByPolicy.Of(arn).Count(tx)
}

func bounding(tx *state.Txn, arn string) int {
	return region.RolesByBoundary.Of(arn).Count(tx) + region.UsersByBoundary.Of(arn).Count(tx)
}

func describePolicy(tx *state.Txn, p region.Policy) Policy {
	out := summarizePolicy(tx, p)
	tags := tagList(p.Tags)
	out.Description, out.Tags = p.Description, &tags
	return out
}

// summarizePolicy is what lists have of a policy.
func summarizePolicy(tx *state.Txn, p region.Policy) Policy {
	return Policy{
		PolicyName: p.Name, PolicyID: p.ID, ARN: p.ARN, Path: p.Path, DefaultVersionID: p.Default,
		AttachmentCount:               attachedTo(tx, p.ARN),
		PermissionsBoundaryUsageCount: bounding(tx, p.ARN), IsAttachable: true, CreateDate: stamp(p.CreatedAt),
		UpdateDate: stamp(p.UpdatedAt),
	}
}

// managedRecord is one of AWS's own policies as if it were a record: with one version. Its id is made of its name.
func managedRecord(p iam.ManagedPolicy) region.Policy {
	id := "ANPA" + strings.ToUpper(strings.NewReplacer("_", "", "-", "").Replace(p.Name) + "AAAAAAAAAAAAAAAAA")[:17]
	return region.Policy{
		Name: p.Name, ID: id, ARN: p.ARN(), Path: p.Path, Description: p.Description, CreatedAt: managedSince,
		UpdatedAt: managedSince,
		Versions:  []region.PolicyVersion{{ID: "v1", Document: string(p.Document), CreatedAt: managedSince}}, Default: "v1",
		LastVersion: 1,
	}
}

// policy is a managed policy, the account's or AWS's own.
func policy(tx *state.Txn, arn string) (region.Policy, error) {
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
func ownPolicy(tx *state.Txn, arn string) (region.Policy, error) {
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

func (in createPolicyInput) subject(*operation.Call) thing {
	return newThing(kindPolicy, in.Path, in.PolicyName)
}

func (s *Service) createPolicy(call *operation.Call, in *createPolicyInput) (*policyResult, error) {
	in.Path = cmp.Or(in.Path, "/")
	var tags map[string]string
	for _, check := range []func() error{
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
		Name: in.PolicyName, ID: id, ARN: s.arn(kindPolicy, in.Path+in.PolicyName), Path: in.Path,
		Description: in.Description, CreatedAt: now, UpdatedAt: now,
		Versions: []region.PolicyVersion{{ID: "v1", Document: in.PolicyDocument, CreatedAt: now}}, Default: "v1",
		LastVersion: 1, Tags: tags,
	}
	return change(s, call, func(tx *state.Txn) (*policyResult, error) {
		if err := taken(s, tx, region.Policies, region.PoliciesByName, kindPolicy, p.Name); err != nil {
			return nil, err
		}
		region.Policies.Put(tx, p.ARN, p)
		out := describePolicy(tx, p)
		if out.Description = ""; len(p.Tags) == 0 { // as AWS answers
			out.Tags = nil
		}
		return &policyResult{out}, nil
	})
}

// checkManaged checks the document of a managed policy.
func checkManaged(document string) error {
	if err := checkIdentity(document, iam.CheckManaged); err != nil {
		return err
	}
	if policySize(document) > maxPolicySize {
		return limitExceeded("Cannot exceed quota for PolicySize: %d", maxPolicySize)
	}
	return nil
}

func (s *Service) getPolicy(call *operation.Call, in *policyARN) (*policyResult, error) {
	return view(s, call, func(tx *state.Txn) (*policyResult, error) {
		p, err := policy(tx, in.PolicyARN)
		if err != nil {
			return nil, err
		}
		return &policyResult{describePolicy(tx, p)}, nil
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

func (s *Service) listPolicies(call *operation.Call, in *listPoliciesInput) (*policyList, error) {
	scope := cmp.Or(in.Scope, "All")
	return view(s, call, func(tx *state.Txn) (*policyList, error) {
		records, end, err := pageOf(call, in.paging, policiesOf(tx, scope), func(p region.Policy) bool {
			return strings.HasPrefix(p.Path, in.PathPrefix) &&
				(!in.OnlyAttached && in.PolicyUsageFilter != "PermissionsPolicy" || attachedTo(tx, p.ARN) > 0) &&
				(in.PolicyUsageFilter != "PermissionsBoundary" || bounding(tx, p.ARN) > 0)
		})
		return &policyList{described(records, func(p region.Policy) Policy { return summarizePolicy(tx, p) }), end}, err
	})
}

// managedByARN are AWS's own policies in the order of lists.
var managedByARN = sync.OnceValue(func() []iam.ManagedPolicy {
	return slices.SortedFunc(slices.Values(iam.ManagedPolicies()),
		func(a, b iam.ManagedPolicy) int { return strings.Compare(a.ARN(), b.ARN()) })
})

// policiesOf are the account's policies, AWS's own, or all, for pageOf. Sorted by ARN the account's come first, since
// their ARNs have digits where the others have aws.
func policiesOf(tx *state.Txn, scope string) func(after string) iter.Seq2[string, region.Policy] {
	return func(after string) iter.Seq2[string, region.Policy] {
		return func(yield func(string, region.Policy) bool) {
			if scope != "AWS" {
				for arn, p := range region.Policies.Part("").After(tx, after) {
					if !yield(arn, p) {
						return
					}
				}
			}
			if scope == "Local" {
				return
			}
			for _, p := range managedByARN() {
				if arn := p.ARN(); arn > after && !yield(arn, managedRecord(p)) {
					return
				}
			}
		}
	}
}

func (s *Service) deletePolicy(call *operation.Call, in *policyARN) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		p, err := ownPolicy(tx, in.PolicyARN)
		if err != nil {
			return done{}, err
		}
		switch {
		case attachedTo(tx, p.ARN)+bounding(tx, p.ARN) > 0:
			return done{}, deleteConflict("Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return done{}, deleteConflict("This policy has more than one version. Before you delete a policy, you must " +
				"delete the policy's versions. The default version is deleted with the policy.")
		}
		region.Policies.Delete(tx, p.ARN)
		return done{}, nil
	})
}

package iamapi

import (
	"fmt"
	"slices"
	"strconv"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

const maxVersions = 5 // of a managed policy

// PolicyVersion is a version of a managed policy as answers have it.
type PolicyVersion struct {
	Document         string `xml:",omitempty" json:",omitempty"`
	VersionID        string `xml:"VersionId" json:"VersionId"`
	IsDefaultVersion bool
	CreateDate       string
}

func describeVersion(p region.Policy, v region.PolicyVersion) PolicyVersion {
	return PolicyVersion{VersionID: v.ID, IsDefaultVersion: v.ID == p.Default, CreateDate: stamp(v.CreatedAt)}
}

type versionResult struct{ PolicyVersion PolicyVersion }

type createVersionInput struct {
	policyARN
	PolicyDocument string `query:",required"`
	SetAsDefault   bool
}

func (s *Service) createVersion(call *operation.Call, in *createVersionInput) (*versionResult, error) {
	if err := checkManaged(in.PolicyDocument); err != nil {
		return nil, err
	}
	now := s.now()
	return change(s, call, func(tx *state.Txn) (*versionResult, error) {
		p, err := ownPolicy(tx, in.PolicyARN)
		if err != nil {
			return nil, err
		}
		if len(p.Versions) >= maxVersions {
			return nil, limitExceeded("A managed policy can have up to %d versions. Before you create a new version, you "+
				"must delete an existing version.", maxVersions)
		}
		p.LastVersion++
		version := region.PolicyVersion{ID: "v" + strconv.Itoa(p.LastVersion), Document: in.PolicyDocument, CreatedAt: now}
		p.Versions, p.UpdatedAt = append(p.Versions, version), now
		if in.SetAsDefault {
			p.Default = version.ID
		}
		region.Policies.Put(tx, p.ARN, p)
		return &versionResult{describeVersion(p, version)}, nil
	})
}

type versionInput struct {
	policyARN
	VersionID string `query:"VersionId,required"`
}

// version is the index of one of a policy's versions.
func version(p region.Policy, id string) (int, error) {
	i := slices.IndexFunc(p.Versions, func(v region.PolicyVersion) bool { return v.ID == id })
	if i < 0 {
		return 0, noSuchEntity("Policy %s version %s does not exist or is not attachable.", p.ARN, id)
	}
	return i, nil
}

func (s *Service) getVersion(call *operation.Call, in *versionInput) (*versionResult, error) {
	return view(s, call, func(tx *state.Txn) (*versionResult, error) {
		p, err := policy(tx, in.PolicyARN)
		if err != nil {
			return nil, err
		}
		i, err := version(p, in.VersionID)
		if err != nil {
			return nil, err
		}
		out := describeVersion(p, p.Versions[i])
		out.Document = encoded(p.Versions[i].Document)
		return &versionResult{out}, nil
	})
}

type pagedPolicy struct {
	policyARN
	paging
}

type versionList struct {
	Versions list[PolicyVersion]
	pageEnd
}

// listVersions lists the newest first, as IAM does.
func (s *Service) listVersions(call *operation.Call, in *pagedPolicy) (*versionList, error) {
	return view(s, call, func(tx *state.Txn) (*versionList, error) {
		p, err := policy(tx, in.PolicyARN)
		if err != nil {
			return nil, err
		}
		var versions []PolicyVersion
		for _, v := range slices.Backward(p.Versions) {
			versions = append(versions, describeVersion(p, v))
		}
		out := &versionList{}
		out.Versions, out.pageEnd, err = page(call, in.paging, versions, func(v PolicyVersion) string {
			number, _ := strconv.Atoi(v.VersionID[1:])
			return fmt.Sprintf("%09d", 1_000_000_000-number) // ascending, as pages need their keys
		})
		return out, err
	})
}

func (s *Service) deleteVersion(call *operation.Call, in *versionInput) (done, error) {
	return s.changeVersion(call, in, func(p *region.Policy, i int) error {
		if p.Versions[i].ID == p.Default {
			return deleteConflict("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.Delete(p.Versions, i, i+1)
		return nil
	})
}

func (s *Service) setDefaultVersion(call *operation.Call, in *versionInput) (done, error) {
	return s.changeVersion(call, in, func(p *region.Policy, i int) error {
		p.Default = p.Versions[i].ID
		return nil
	})
}

func (s *Service) changeVersion(call *operation.Call, in *versionInput, alter func(*region.Policy, int) error) (done,
	error) {
	now := s.now()
	return change(s, call, func(tx *state.Txn) (done, error) {
		p, err := ownPolicy(tx, in.PolicyARN)
		if err != nil {
			return done{}, err
		}
		i, err := version(p, in.VersionID)
		if err != nil {
			return done{}, err
		}
		if err := alter(&p, i); err != nil {
			return done{}, err
		}
		p.UpdatedAt = now
		region.Policies.Put(tx, p.ARN, p)
		return done{}, nil
	})
}

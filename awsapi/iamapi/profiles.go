package iamapi

import (
	"cmp"
	"crypto/rand"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// InstanceProfile is an instance profile as answers have it.
type InstanceProfile struct {
	Path                string
	InstanceProfileName string
	InstanceProfileID   string `xml:"InstanceProfileId" json:"InstanceProfileId"`
	ARN                 string `xml:"Arn" json:"Arn"`
	CreateDate          string
	Roles               list[Role]
	Tags                list[Tag] `xml:",omitempty" json:",omitempty"`
}

func describeProfile(tx *state.Txn, p region.InstanceProfile) InstanceProfile {
	out := InstanceProfile{Path: p.Path, InstanceProfileName: p.Name, InstanceProfileID: p.ID, ARN: p.ARN,
		CreateDate: stamp(p.CreatedAt), Tags: tagList(p.Tags)}
	if p.Role == "" { // an empty key stands for the whole table
		return out
	}
	if role, found := region.Roles.Get(tx, p.Role); found {
		out.Roles = list[Role]{summarizeRole(tx, role)}
	}
	return out
}

type profileResult struct{ InstanceProfile InstanceProfile }

type profileName struct {
	InstanceProfileName string `query:",required"`
}

func (in profileName) subject(*operation.Call) thing {
	return thing{kind: kindProfile, name: in.InstanceProfileName}
}

type createProfileInput struct {
	InstanceProfileName string `query:",required"`
	Path                string
	Tags                []Tag
}

func (in createProfileInput) subject(*operation.Call) thing {
	return newThing(kindProfile, in.Path, in.InstanceProfileName)
}

func (s *Service) createProfile(call *operation.Call, in *createProfileInput) (*profileResult, error) {
	in.Path = cmp.Or(in.Path, "/")
	tags, err := checkTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	id, err := iam.NewID(rand.Reader, "AIPA")
	if err != nil {
		return nil, wrap(call, err)
	}
	profile := region.InstanceProfile{
		Name: in.InstanceProfileName, ID: id, ARN: s.arn(kindProfile, in.Path+in.InstanceProfileName), Path: in.Path,
		CreatedAt: s.now(), Tags: tags,
	}
	return change(s, call, func(tx *state.Txn) (*profileResult, error) {
		if err := taken(s, tx, region.InstanceProfiles, region.ProfilesByName, kindProfile, profile.Name); err != nil {
			return nil, err
		}
		region.InstanceProfiles.Put(tx, profile.Name, profile)
		return &profileResult{describeProfile(tx, profile)}, nil
	})
}

func (s *Service) getProfile(call *operation.Call, in *profileName) (*profileResult, error) {
	return view(s, call, func(tx *state.Txn) (*profileResult, error) {
		profile, found := region.InstanceProfiles.Get(tx, in.InstanceProfileName)
		if !found {
			return nil, notThere(kindProfile, in.InstanceProfileName)
		}
		return &profileResult{describeProfile(tx, profile)}, nil
	})
}

type profileList struct {
	InstanceProfiles list[InstanceProfile]
	pageEnd
}

func (s *Service) listProfiles(call *operation.Call, in *listInput) (*profileList, error) {
	return view(s, call, func(tx *state.Txn) (*profileList, error) {
		return profiles(tx, call, in.paging, region.InstanceProfiles.Part(""),
			underPath(in.PathPrefix, func(p region.InstanceProfile) string { return p.Path }))
	})
}

type pagedRole struct {
	roleName
	paging
}

func (s *Service) profilesOfRole(call *operation.Call, in *pagedRole) (*profileList, error) {
	return view(s, call, func(tx *state.Txn) (*profileList, error) {
		if _, err := find(tx, kindRole, in.RoleName); err != nil {
			return nil, err
		}
		return profiles(tx, call, in.paging, region.ProfilesByRole.Of(in.RoleName),
			func(region.InstanceProfile) bool { return true })
	})
}

// profiles is a page of those that are wanted.
func profiles(tx *state.Txn, call *operation.Call, in paging, all state.Part[region.InstanceProfile],
	wanted func(region.InstanceProfile) bool) (*profileList, error) {
	records, end, err := pageOf(call, in, from(tx, all), wanted)
	return &profileList{described(records,
		func(p region.InstanceProfile) InstanceProfile { return describeProfile(tx, p) }), end}, err
}

type profileRoleInput struct {
	profileName
	RoleName string `query:",required"`
}

func (s *Service) addToProfile(call *operation.Call, in *profileRoleInput) (done, error) {
	return s.changeProfile(call, in, func(p *region.InstanceProfile, role entity) error {
		if err := call.PassRole(wire.Query, operation.PassedRole{ARN: role.arn, Service: "ec2.amazonaws.com"},
			p.ARN); err != nil {
			return err
		}
		if p.Role != "" {
			return limitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		p.Role = in.RoleName
		return nil
	})
}

func (s *Service) removeFromProfile(call *operation.Call, in *profileRoleInput) (done, error) {
	return s.changeProfile(call, in, func(p *region.InstanceProfile, _ entity) error {
		if p.Role != in.RoleName {
			return noSuchEntity("The role with name %s is not in the instance profile %s.", in.RoleName, p.Name)
		}
		p.Role = ""
		return nil
	})
}

func (s *Service) changeProfile(call *operation.Call, in *profileRoleInput,
	alter func(*region.InstanceProfile, entity) error) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		profile, found := region.InstanceProfiles.Get(tx, in.InstanceProfileName)
		if !found {
			return done{}, notThere(kindProfile, in.InstanceProfileName)
		}
		role, err := findMutable(tx, kindRole, in.RoleName)
		if err != nil {
			return done{}, err
		}
		if err := alter(&profile, role); err != nil {
			return done{}, err
		}
		region.InstanceProfiles.Put(tx, profile.Name, profile)
		return done{}, nil
	})
}

func (s *Service) deleteProfile(call *operation.Call, in *profileName) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		profile, found := region.InstanceProfiles.Get(tx, in.InstanceProfileName)
		switch {
		case !found:
			return done{}, notThere(kindProfile, in.InstanceProfileName)
		case profile.Role != "":
			return done{}, deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		region.InstanceProfiles.Delete(tx, profile.Name)
		return done{}, nil
	})
}

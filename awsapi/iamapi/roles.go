package iamapi

import (
	"cmp"
	"crypto/rand"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	minSessionSeconds = 3600
)

// Role is a role as answers have it.
type Role struct {
	Path                     string
	RoleName                 string
	RoleID                   string `xml:"RoleId" json:"RoleId"`
	ARN                      string `xml:"Arn" json:"Arn"`
	CreateDate               string
	AssumeRolePolicyDocument string
	Description              string `xml:",omitempty" json:",omitempty"`
	MaxSessionDuration       int
	PermissionsBoundary      *boundary `xml:",omitempty" json:",omitempty"`
	Tags                     list[Tag] `xml:",omitempty" json:",omitempty"`
	// Tripod does not note uses: AWS has it empty too for a role never used
	RoleLastUsed *struct{} `xml:",omitempty" json:",omitempty"`
}

// describeRole is all that is known of a role.
func describeRole(tx *state.Txn, r region.Role) Role {
	out := summarizeRole(tx, r)
	out.PermissionsBoundary, out.Tags, out.RoleLastUsed = boundaryOf(r.Boundary), tagList(r.Tags), &struct{}{}
	return out
}

// summarizeRole is what lists have of a role.
func summarizeRole(tx *state.Txn, r region.Role) Role {
	return Role{
		Path: r.Path, RoleName: r.Name, RoleID: r.ID, ARN: r.ARN, CreateDate: stamp(r.CreatedAt),
		AssumeRolePolicyDocument: encoded(iam.Bindings(r.TrustIDs).Shown(tx, r.TrustPolicy)),
		Description:              r.Description, MaxSessionDuration: r.MaxSessionSeconds,
	}
}

type roleResult struct{ Role Role }

type roleName struct {
	RoleName string `query:",required"`
}

func (in roleName) subject(*operation.Call) thing { return thing{kind: kindRole, name: in.RoleName} }

type createRoleInput struct {
	RoleName                 string `query:",required"`
	Path                     string
	AssumeRolePolicyDocument string `query:",required"`
	Description              string
	MaxSessionDuration       *int
	PermissionsBoundary      string
	Tags                     []Tag
}

func (in createRoleInput) subject(*operation.Call) thing {
	return newThing(kindRole, in.Path, in.RoleName)
}

// newThing names what is to be made.
func newThing(kind, path, name string) thing {
	if path == "" {
		path = "/"
	}
	return thing{kind, path, name}
}

func (s *Service) createRole(call *operation.Call, in *createRoleInput) (*roleResult, error) {
	in.Path = cmp.Or(in.Path, "/")
	id, err := iam.NewID(rand.Reader, "AROA")
	if err != nil {
		return nil, wrap(call, err)
	}
	role := region.Role{
		Name: in.RoleName, ID: id, Description: in.Description, CreatedAt: s.now(),
		MaxSessionSeconds: minSessionSeconds, Boundary: in.PermissionsBoundary,
	}
	if in.MaxSessionDuration != nil {
		role.MaxSessionSeconds = *in.MaxSessionDuration
	}
	for _, check := range []func() error{
		func() error { return checkTrust(in.AssumeRolePolicyDocument) },
		func() (err error) { role.Tags, err = checkTags(nil, in.Tags); return err },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	role.Path, role.ARN = in.Path, s.arn(kindRole, in.Path+in.RoleName)
	return change(s, call, func(tx *state.Txn) (*roleResult, error) {
		if err := taken(s, tx, region.Roles, region.RolesByName, kindRole, role.Name); err != nil {
			return nil, err
		}
		if err := checkBoundary(tx, role.Boundary); err != nil {
			return nil, err
		}
		if err := s.trust(tx, &role, in.AssumeRolePolicyDocument); err != nil {
			return nil, err
		}
		region.Roles.Put(tx, role.Name, role)
		return &roleResult{describeRole(tx, role)}, nil
	})
}

func (s *Service) getRole(call *operation.Call, in *roleName) (*roleResult, error) {
	return view(s, call, func(tx *state.Txn) (*roleResult, error) {
		role, found := region.Roles.Get(tx, in.RoleName)
		if !found {
			return nil, notThere(kindRole, in.RoleName)
		}
		return &roleResult{describeRole(tx, role)}, nil
	})
}

type listInput struct {
	PathPrefix string
	paging
}

type roleList struct {
	Roles list[Role]
	pageEnd
}

func (s *Service) listRoles(call *operation.Call, in *listInput) (*roleList, error) {
	return view(s, call, func(tx *state.Txn) (*roleList, error) {
		roles, end, err := pageOf(call, in.paging, from(tx, region.Roles.Part("")),
			underPath(in.PathPrefix, func(r region.Role) string { return r.Path }))
		return &roleList{described(roles, func(r region.Role) Role { return summarizeRole(tx, r) }), end}, err
	})
}

type updateRoleInput struct {
	roleName
	Description        *string
	MaxSessionDuration *int
}

func (s *Service) updateRole(call *operation.Call, in *updateRoleInput) (done, error) {
	_, err := s.changeRole(call, in.RoleName, func(_ *state.Txn, role *region.Role) error {
		if in.Description != nil {
			role.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			role.MaxSessionSeconds = *in.MaxSessionDuration
		}
		return nil
	})
	return done{}, err
}

type describeInput struct {
	roleName
	Description string
}

func (s *Service) updateRoleDescription(call *operation.Call, in *describeInput) (*roleResult, error) {
	return s.changeRole(call, in.RoleName, func(_ *state.Txn, role *region.Role) error {
		role.Description = in.Description
		return nil
	})
}

type updateTrustInput struct {
	roleName
	PolicyDocument string `query:",required"`
}

func (s *Service) updateTrust(call *operation.Call, in *updateTrustInput) (done, error) {
	_, err := s.changeRole(call, in.RoleName, func(tx *state.Txn, role *region.Role) error {
		if err := checkTrust(in.PolicyDocument); err != nil {
			return err
		}
		return s.trust(tx, role, in.PolicyDocument)
	})
	return done{}, err
}

// trust gives the role a trust policy that was checked, if all whom it names are there. They are kept by their unique
// ids.
func (s *Service) trust(tx *state.Txn, role *region.Role, document string) error {
	parsed, err := iam.ParseTrust(document)
	if err != nil {
		return malformedPolicy(err)
	}
	bound, unknown := iam.Bind(tx, s.AccountID, parsed)
	if len(unknown) > 0 {
		return malformedPolicy(iam.UnknownPrincipal(unknown[0]))
	}
	role.TrustPolicy, role.TrustIDs = document, bound
	return nil
}

// changeRole changes a role that is not a service's.
func (s *Service) changeRole(call *operation.Call, name string,
	alter func(*state.Txn, *region.Role) error) (*roleResult, error) {
	return change(s, call, func(tx *state.Txn) (*roleResult, error) {
		if _, err := findMutable(tx, kindRole, name); err != nil {
			return nil, err
		}
		role, _ := region.Roles.Get(tx, name)
		if err := alter(tx, &role); err != nil {
			return nil, err
		}
		region.Roles.Put(tx, name, role)
		return &roleResult{describeRole(tx, role)}, nil
	})
}

func (s *Service) deleteRole(call *operation.Call, in *roleName) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		e, err := findMutable(tx, kindRole, in.RoleName)
		if err != nil {
			return done{}, err
		}
		if err := bare(e); err != nil {
			return done{}, err
		}
		if !region.ProfilesByRole.Of(in.RoleName).Empty(tx) {
			return done{}, deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
		}
		region.Roles.Delete(tx, in.RoleName)
		return done{}, nil
	})
}

// bare refuses the deletion of an entity that has policies.
func bare(e entity) error {
	switch {
	case len(*e.policies) > 0:
		return deleteConflict("Cannot delete entity, must detach all policies first.")
	case len(*e.inline) > 0:
		return deleteConflict("Cannot delete entity, must delete policies first.")
	}
	return nil
}

package iamapi

import (
	"strings"

	"tripod/awsapi/quota"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Kinds of entities, as their ARNs have them.
const (
	kindRole     = "role"
	kindUser     = "user"
	kindGroup    = "group"
	kindPolicy   = "policy"
	kindProfile  = "instance-profile"
	kindProvider = "oidc-provider"
	kindMFA      = "mfa"
	kindSAML     = "saml-provider"
)

// entity is what records of several kinds have in common: a handle on the parts of a record that was read. What a kind
// has not is nil.
type entity struct {
	kind, name, arn, id string
	policies            *[]string
	inline              *map[string]string
	boundary            *string
	tags                *map[string]string
	inlineLimit         int // of all inline documents together
	protected           bool
	save                func()
}

// find reads the record of that name, or ARN for policies and providers.
func find(tx *state.Txn, kind, name string) (entity, error) {
	if name == "" { // an empty key stands for the whole table
		return entity{}, notThere(kind, name)
	}
	switch kind {
	case kindRole:
		if r, ok := region.Roles.Get(tx, name); ok {
			save := func() { region.Roles.Put(tx, r.Name, r) }
			return entity{kind, name, r.ARN, r.ID, &r.Policies, &r.Inline, &r.Boundary, &r.Tags, maxRoleInline,
				r.Service != "", save}, nil
		}
	case kindUser:
		if u, ok := region.Users.Get(tx, name); ok {
			save := func() { region.Users.Put(tx, u.Name, u) }
			return entity{kind, name, u.ARN, u.ID, &u.Policies, &u.Inline, &u.Boundary, &u.Tags, maxUserInline, false, save}, nil
		}
	case kindGroup:
		if g, ok := region.Groups.Get(tx, name); ok {
			return entity{kind, name, g.ARN, g.ID, &g.Policies, &g.Inline, nil, nil, maxGroupInline, false,
				func() { region.Groups.Put(tx, g.Name, g) }}, nil
		}
	case kindPolicy:
		if p, ok := region.Policies.Get(tx, name); ok {
			return entity{kind, name, p.ARN, p.ID, nil, nil, nil, &p.Tags, 0, false,
				func() { region.Policies.Put(tx, p.ARN, p) }}, nil
		}
	case kindProfile:
		if p, ok := region.InstanceProfiles.Get(tx, name); ok {
			return entity{kind, name, p.ARN, p.ID, nil, nil, nil, &p.Tags, 0, false,
				func() { region.InstanceProfiles.Put(tx, p.Name, p) }}, nil
		}
	case kindProvider:
		if p, ok := region.OIDCProviders.Get(tx, name); ok {
			return entity{kind, name, p.ARN, "", nil, nil, nil, &p.Tags, 0, false,
				func() { region.OIDCProviders.Put(tx, p.ARN, p) }}, nil
		}
	case kindMFA:
		if d, ok := iam.MFADevices.Get(tx, name); ok {
			return entity{kind, name, d.Serial, "", nil, nil, nil, &d.Tags, 0, false,
				func() { iam.MFADevices.Put(tx, d.Serial, d) }}, nil
		}
	case kindSAML:
		if p, ok := samlProviders.Get(tx, name); ok {
			return entity{kind, name, p.ARN, "", nil, nil, nil, &p.Tags, 0, false, func() { samlProviders.Put(tx, p.ARN, p) }},
				nil
		}
	}
	return entity{}, notThere(kind, name)
}

// findMutable is find for changes: a service-linked role is its service's.
func findMutable(tx *state.Txn, kind, name string) (entity, error) {
	e, err := find(tx, kind, name)
	if err == nil && e.protected {
		return e, unmodifiable("Cannot perform the operation on the protected role '%s' - this role is only "+
			"modifiable by AWS.", name)
	}
	return e, err
}

func notThere(kind, name string) error {
	switch kind {
	case kindPolicy:
		return noSuchEntity("Policy %s does not exist or is not attachable.", name)
	case kindProfile:
		return noSuchEntity("Instance Profile %s cannot be found.", name)
	case kindProvider:
		return noSuchEntity("OpenIDConnect Provider not found for arn %s", name)
	case kindMFA:
		return noSuchEntity("VirtualMFADevice with serial number %s doesn't exist.", name)
	case kindSAML:
		return noSuchEntity("Manifest not found for arn %s", name)
	}
	return noSuchEntity("The %s with name %s cannot be found.", kind, name)
}

// quotas are the names of those that say how many of a kind an account has at most.
var quotas = map[string]string{
	kindRole: quota.Roles, kindUser: quota.Users, kindGroup: quota.Groups, kindPolicy: quota.Policies,
	kindProfile: quota.InstanceProfiles,
}

// perAccount are the kinds as IAM names their quotas.
var perAccount = map[string]string{kindRole: "Roles", kindUser: "Users", kindGroup: "Groups", kindPolicy: "Policies",
	kindProfile: "InstanceProfiles"}

// taken refuses a name that one of the kind has already, in whatever case: names differ by more than that. It also
// refuses more of them than the account may have.
func taken[T any](s *Service, tx *state.Txn, table state.Table[T], names state.Index[T], kind, name string) error {
	if most := s.Quotas.Of(quotas[kind]); !table.Part("").Fewer(tx, most) {
		return limitExceeded("Cannot exceed quota for %sPerAccount: %d", perAccount[kind], most)
	}
	if !names.Of(strings.ToLower(name)).Empty(tx) {
		return alreadyExists("%s%s with name %s already exists.", strings.ToUpper(kind[:1]),
			strings.ReplaceAll(kind[1:], "-", " "), name)
	}
	return nil
}

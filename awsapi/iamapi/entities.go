package iamapi

import (
	"iter"
	"strings"

	"tripod/awsapi/wire"
	"tripod/region"
)

type entitiesInput struct {
	policyARN
	EntityFilter, PolicyUsageFilter string
	listInput
}

// PolicyRole, PolicyUser and PolicyGroup are those that have a policy.
type (
	PolicyRole struct {
		RoleName string
		RoleID   string `xml:"RoleId" json:"RoleId"`
	}
	PolicyUser struct {
		UserName string
		UserID   string `xml:"UserId" json:"UserId"`
	}
	PolicyGroup struct {
		GroupName string
		GroupID   string `xml:"GroupId" json:"GroupId"`
	}
)

type entityList struct {
	PolicyGroups list[PolicyGroup]
	PolicyUsers  list[PolicyUser]
	PolicyRoles  list[PolicyRole]
	pageEnd
}

// listEntities lists who has a managed policy.
func (s *Service) listEntities(call *wire.Call, in *entitiesInput) (*entityList, error) {
	filters := map[string]string{"Role": kindRole, "User": kindUser, "Group": kindGroup}
	switch {
	case in.EntityFilter != "" && filters[in.EntityFilter] == "":
		return nil, invalid("EntityFilter must be User, Role or Group.")
	case in.PathPrefix != "" || in.PolicyUsageFilter != "" && in.PolicyUsageFilter != "PermissionsPolicy":
		return nil, invalid("Tripod lists the entities of a policy by EntityFilter only: leave PathPrefix and PolicyUsageFilter out.")
	}
	return view(s, call, func(tx *region.Txn) (*entityList, error) {
		if _, err := policy(tx, in.PolicyARN); err != nil {
			return nil, err
		}
		having, end, err := pageOf(call, in.paging, havers(tx, in.PolicyARN), func(h haver) bool { return in.EntityFilter == "" || h.kind == filters[in.EntityFilter] })
		if err != nil {
			return nil, err
		}
		out := &entityList{pageEnd: end}
		for _, h := range having {
			switch h.kind {
			case kindRole:
				out.PolicyRoles = append(out.PolicyRoles, PolicyRole{h.name, h.id})
			case kindUser:
				out.PolicyUsers = append(out.PolicyUsers, PolicyUser{h.name, h.id})
			case kindGroup:
				out.PolicyGroups = append(out.PolicyGroups, PolicyGroup{h.name, h.id})
			}
		}
		return out, nil
	})
}

// haver is a group, role or user that has a policy.
type haver struct{ kind, name, id string }

// havers are all that have a policy, for pageOf: by kind and name.
func havers(tx *region.Txn, arn string) func(after string) iter.Seq2[string, haver] {
	return func(after string) iter.Seq2[string, haver] {
		return func(yield func(string, haver) bool) {
			for _, some := range []iter.Seq2[string, haver]{
				haversOf(tx, after, kindGroup, region.GroupsByPolicy.Of(arn), func(g region.Group) string { return g.ID }),
				haversOf(tx, after, kindRole, region.RolesByPolicy.Of(arn), func(r region.Role) string { return r.ID }),
				haversOf(tx, after, kindUser, region.UsersByPolicy.Of(arn), func(u region.User) string { return u.ID }),
			} {
				for key, one := range some {
					if !yield(key, one) {
						return
					}
				}
			}
		}
	}
}

// haversOf are those of one kind behind the one with that key, which may be of another kind.
func haversOf[T any](tx *region.Txn, after, kind string, all region.Part[T], id func(T) string) iter.Seq2[string, haver] {
	return func(yield func(string, haver) bool) {
		name, same := strings.CutPrefix(after, kind+"/")
		switch {
		case same:
		case after > kind:
			return
		default:
			name = ""
		}
		for name, one := range all.After(tx, name) {
			if !yield(kind+"/"+name, haver{kind, name, id(one)}) {
				return
			}
		}
	}
}

package iamapi

import (
	"slices"
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
		having := slices.DeleteFunc(holders(tx), func(e entity) bool {
			return in.EntityFilter != "" && e.kind != filters[in.EntityFilter] || !slices.Contains(*e.policies, in.PolicyARN)
		})
		key := func(e entity) string { return e.kind + "/" + e.name }
		slices.SortFunc(having, func(a, b entity) int { return strings.Compare(key(a), key(b)) })
		out := &entityList{}
		var err error
		if having, out.pageEnd, err = page(call, in.paging, having, key); err != nil {
			return nil, err
		}
		for _, e := range having {
			switch e.kind {
			case kindRole:
				out.PolicyRoles = append(out.PolicyRoles, PolicyRole{e.name, e.id})
			case kindUser:
				out.PolicyUsers = append(out.PolicyUsers, PolicyUser{e.name, e.id})
			case kindGroup:
				out.PolicyGroups = append(out.PolicyGroups, PolicyGroup{e.name, e.id})
			}
		}
		return out, nil
	})
}

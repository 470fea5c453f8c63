package iamapi

import (
	"iter"
	"strings"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
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

// entityKinds are the kinds that EntityFilter names. IAM's model has two more, which are for
// GetAccountAuthorizationDetails: nothing is of these kinds.
var entityKinds = map[string]string{"Role": kindRole, "User": kindUser, "Group": kindGroup}

// listEntities lists who has a managed policy, attached or as a permissions boundary.
func (s *Service) listEntities(call *operation.Call, in *entitiesInput) (*entityList, error) {
	return view(s, call, func(tx *state.Txn) (*entityList, error) {
		if _, err := policy(tx, in.PolicyARN); err != nil {
			return nil, err
		}
		having, end, err := pageOf(call, in.paging, havers(tx, in.PolicyARN, in.PolicyUsageFilter), func(h haver) bool {
			return (in.EntityFilter == "" || h.kind == entityKinds[in.EntityFilter]) && strings.HasPrefix(h.path, in.PathPrefix)
		})
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
type haver struct{ kind, name, id, path string }

// havers are all that have a policy in the way that usage names, for pageOf: by kind and name.
func havers(tx *state.Txn, arn, usage string) func(after string) iter.Seq2[string, haver] {
	attached, bounding := usage != "PermissionsBoundary", usage != "PermissionsPolicy"
	group := func(g region.Group) haver { return haver{kindGroup, g.Name, g.ID, g.Path} }
	role := func(r region.Role) haver { return haver{kindRole, r.Name, r.ID, r.Path} }
	user := func(u region.User) haver { return haver{kindUser, u.Name, u.ID, pathOf(u)} }
	return func(after string) iter.Seq2[string, haver] {
		groups, roles, users := behind(after, kindGroup), behind(after, kindRole), behind(after, kindUser)
		all := []iter.Seq2[string, haver]{
			haversOf(tx, groups, attached, region.GroupsByPolicy.Of(arn), group),
			merged(haversOf(tx, roles, attached, region.RolesByPolicy.Of(arn), role),
				haversOf(tx, roles, bounding, region.RolesByBoundary.Of(arn), role)),
			merged(haversOf(tx, users, attached, region.UsersByPolicy.Of(arn), user),
				haversOf(tx, users, bounding, region.UsersByBoundary.Of(arn), user)),
		}
		return func(yield func(string, haver) bool) {
			for _, some := range all {
				for key, one := range some {
					if !yield(key, one) {
						return
					}
				}
			}
		}
	}
}

// position is where a page begins in the list of one kind.
type position struct {
	over  bool // the page begins behind the whole kind
	after string
}

// behind is where the list of a kind goes on behind a key, which may be of another kind.
func behind(after, kind string) position {
	if name, same := strings.CutPrefix(after, kind+"/"); same {
		return position{after: name}
	}
	return position{over: after > kind}
}

func haversOf[T any](tx *state.Txn, from position, wanted bool, all state.Part[T],
	describe func(T) haver) iter.Seq2[string, haver] {
	return func(yield func(string, haver) bool) {
		if from.over || !wanted {
			return
		}
		for _, record := range all.After(tx, from.after) {
			if one := describe(record); !yield(one.kind+"/"+one.name, one) {
				return
			}
		}
	}
}

// merged are those of two lists that are sorted by their keys, each once.
func merged(a, b iter.Seq2[string, haver]) iter.Seq2[string, haver] {
	return func(yield func(string, haver) bool) {
		next, stop := iter.Pull2(b)
		defer stop()
		key, one, more := next()
		for other, x := range a {
			for ; more && key <= other; key, one, more = next() {
				if key < other && !yield(key, one) {
					return
				}
			}
			if !yield(other, x) {
				return
			}
		}
		for ; more; key, one, more = next() {
			if !yield(key, one) {
				return
			}
		}
	}
}

package iamapi

import (
	"cmp"
	"crypto/rand"
	"slices"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const maxGroups = 10 // of a user

// Group is a group as answers have it.
type Group struct {
	Path       string
	GroupName  string
	GroupID    string `xml:"GroupId" json:"GroupId"`
	ARN        string `xml:"Arn" json:"Arn"`
	CreateDate string
}

func describeGroup(g region.Group) Group {
	return Group{Path: g.Path, GroupName: g.Name, GroupID: g.ID, ARN: g.ARN, CreateDate: stamp(g.CreatedAt)}
}

type groupResult struct{ Group Group }

type groupName struct {
	GroupName string `query:",required"`
}

func (in groupName) subject(*operation.Call) thing { return thing{kind: kindGroup, name: in.GroupName} }

type createGroupInput struct {
	GroupName string `query:",required"`
	Path      string
}

func (in createGroupInput) subject(*operation.Call) thing {
	return newThing(kindGroup, in.Path, in.GroupName)
}

func (s *Service) createGroup(call *operation.Call, in *createGroupInput) (*groupResult, error) {
	in.Path = cmp.Or(in.Path, "/")
	id, err := iam.NewID(rand.Reader, "AGPA")
	if err != nil {
		return nil, wrap(call, err)
	}
	group := region.Group{Name: in.GroupName, ID: id, ARN: s.arn(kindGroup, in.Path+in.GroupName), Path: in.Path,
		CreatedAt: s.now()}
	return change(s, call, func(tx *state.Txn) (*groupResult, error) {
		if err := taken(s, tx, region.Groups, region.GroupsByName, kindGroup, group.Name); err != nil {
			return nil, err
		}
		region.Groups.Put(tx, group.Name, group)
		return &groupResult{describeGroup(group)}, nil
	})
}

type pagedGroup struct {
	groupName
	paging
}

type groupMembers struct {
	Group Group
	Users list[User]
	pageEnd
}

func (s *Service) getGroup(call *operation.Call, in *pagedGroup) (*groupMembers, error) {
	return view(s, call, func(tx *state.Txn) (*groupMembers, error) {
		group, found := region.Groups.Get(tx, in.GroupName)
		if !found {
			return nil, notThere(kindGroup, in.GroupName)
		}
		users, end, err := pageOf(call, in.paging, from(tx, region.UsersByGroup.Of(group.Name)),
			func(region.User) bool { return true })
		return &groupMembers{describeGroup(group), described(users, summarizeUser), end}, err
	})
}

type groupList struct {
	Groups list[Group]
	pageEnd
}

func (s *Service) listGroups(call *operation.Call, in *listInput) (*groupList, error) {
	return view(s, call, func(tx *state.Txn) (*groupList, error) {
		groups, end, err := pageOf(call, in.paging, from(tx, region.Groups.Part("")),
			underPath(in.PathPrefix, func(g region.Group) string { return g.Path }))
		return &groupList{described(groups, describeGroup), end}, err
	})
}

type pagedUser struct {
	userName
	paging
}

func (s *Service) groupsOfUser(call *operation.Call, in *pagedUser) (*groupList, error) {
	return view(s, call, func(tx *state.Txn) (*groupList, error) {
		user, found := region.Users.Get(tx, in.UserName)
		if !found {
			return nil, notThere(kindUser, in.UserName)
		}
		out := &groupList{}
		for _, name := range slices.Sorted(slices.Values(user.Groups)) {
			if group, found := region.Groups.Get(tx, name); found {
				out.Groups = append(out.Groups, describeGroup(group))
			}
		}
		var err error
		out.Groups, out.pageEnd, err = page(call, in.paging, out.Groups, func(g Group) string { return g.GroupName })
		return out, err
	})
}

type memberInput struct {
	groupName
	UserName string `query:",required"`
}

func (s *Service) addToGroup(call *operation.Call, in *memberInput) (done, error) {
	return s.changeMember(call, in, func(user *region.User) error {
		switch {
		case slices.Contains(user.Groups, in.GroupName): // that is no error
		case len(user.Groups) >= maxGroups:
			return limitExceeded("Cannot exceed quota for GroupsPerUser: %d", maxGroups)
		default:
			user.Groups = append(user.Groups, in.GroupName)
		}
		return nil
	})
}

func (s *Service) removeFromGroup(call *operation.Call, in *memberInput) (done, error) {
	return s.changeMember(call, in, func(user *region.User) error {
		i := slices.Index(user.Groups, in.GroupName)
		if i < 0 {
			return noSuchEntity("The user with name %s is not in the group %s.", in.UserName, in.GroupName)
		}
		user.Groups = slices.Delete(user.Groups, i, i+1)
		return nil
	})
}

func (s *Service) changeMember(call *operation.Call, in *memberInput, alter func(*region.User) error) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		if _, err := find(tx, kindGroup, in.GroupName); err != nil {
			return done{}, err
		}
		user, found := region.Users.Get(tx, in.UserName)
		if !found {
			return done{}, notThere(kindUser, in.UserName)
		}
		if err := alter(&user); err != nil {
			return done{}, err
		}
		region.Users.Put(tx, user.Name, user)
		return done{}, nil
	})
}

type updateGroupInput struct {
	groupName
	NewGroupName, NewPath string
}

// updateGroup renames or moves a group; the id, members and policies stay, the ARN changes.
func (s *Service) updateGroup(call *operation.Call, in *updateGroupInput) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		group, found := region.Groups.Get(tx, in.GroupName)
		if !found {
			return done{}, notThere(kindGroup, in.GroupName)
		}
		old := group
		group.Path, group.Name = cmp.Or(in.NewPath, group.Path), cmp.Or(in.NewGroupName, group.Name)
		group.ARN = s.arn(kindGroup, group.Path+group.Name)
		if err := mayBecome(call, tx, kindGroup, old.Name, group.ARN); err != nil {
			return done{}, err
		}
		region.Groups.Delete(tx, old.Name)
		if group.Name != old.Name {
			if err := taken(s, tx, region.Groups, region.GroupsByName, kindGroup, group.Name); err != nil {
				return done{}, err
			}
			for _, user := range region.UsersByGroup.Of(old.Name).List(tx) {
				user.Groups[slices.Index(user.Groups, old.Name)] = group.Name // the record is the transaction's own copy
				region.Users.Put(tx, user.Name, user)
			}
		}
		region.Groups.Put(tx, group.Name, group)
		return done{}, nil
	})
}

func (s *Service) deleteGroup(call *operation.Call, in *groupName) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		e, err := find(tx, kindGroup, in.GroupName)
		if err != nil {
			return done{}, err
		}
		if err := bare(e); err != nil {
			return done{}, err
		}
		if !region.UsersByGroup.Of(in.GroupName).Empty(tx) {
			return done{}, deleteConflict("Cannot delete entity, must remove users from group first.")
		}
		region.Groups.Delete(tx, in.GroupName)
		return done{}, nil
	})
}

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

// User is a user as answers have it. Root has no path and no name.
type User struct {
	Path                string `xml:",omitempty" json:",omitempty"`
	UserName            string `xml:",omitempty" json:",omitempty"`
	UserID              string `xml:"UserId" json:"UserId"`
	ARN                 string `xml:"Arn" json:"Arn"`
	CreateDate          string
	PermissionsBoundary *boundary `xml:",omitempty" json:",omitempty"`
	Tags                list[Tag] `xml:",omitempty" json:",omitempty"`
}

func describeUser(u region.User) User {
	out := summarizeUser(u)
	out.PermissionsBoundary, out.Tags = boundaryOf(u.Boundary), tagList(u.Tags)
	return out
}

// summarizeUser is what lists have of a user.
func summarizeUser(u region.User) User {
	return User{Path: pathOf(u), UserName: u.Name, UserID: u.ID, ARN: u.ARN, CreateDate: stamp(u.CreatedAt)}
}

// pathOf is a user's path: old records have none.
func pathOf(u region.User) string {
	if u.Path == "" {
		return "/"
	}
	return u.Path
}

type userResult struct{ User User }

type userName struct {
	UserName string `query:",required"`
}

func (in userName) subject(*operation.Call) thing { return thing{kind: kindUser, name: in.UserName} }

// callerOr is a user's name that may be left out: then it is about the caller, be it a user or root.
type callerOr struct{ UserName string }

func (in callerOr) subject(call *operation.Call) thing {
	if in.root(call) {
		return thing{kind: kindUser, name: call.Principal.ARN}
	}
	return thing{kind: kindUser, name: in.of(call)}
}

// of is the name, or that of the user who calls; a role's session and root have none.
func (in callerOr) of(call *operation.Call) string {
	if in.UserName != "" {
		return in.UserName
	}
	return call.Principal.UserName()
}

// root says that it is about the account's root user. Nobody else can name it.
func (in callerOr) root(call *operation.Call) bool {
	return in.UserName == "" && call.Principal.IsRoot()
}

type createUserInput struct {
	UserName            string `query:",required"`
	Path                string
	PermissionsBoundary string
	Tags                []Tag
}

func (in createUserInput) subject(*operation.Call) thing {
	return newThing(kindUser, in.Path, in.UserName)
}

func (s *Service) createUser(call *operation.Call, in *createUserInput) (*userResult, error) {
	in.Path = cmp.Or(in.Path, "/")
	tags, err := checkTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	user, err := iam.NewUser(rand.Reader, s.AccountID, in.UserName, s.now())
	if err != nil {
		return nil, wrap(call, err)
	}
	user.ARN, user.Path, user.Boundary, user.Tags = s.arn(kindUser, in.Path+in.UserName), in.Path,
		in.PermissionsBoundary, tags
	return change(s, call, func(tx *state.Txn) (*userResult, error) {
		if err := taken(s, tx, region.Users, region.UsersByName, kindUser, user.Name); err != nil {
			return nil, err
		}
		if err := checkBoundary(tx, user.Boundary); err != nil {
			return nil, err
		}
		region.Users.Put(tx, user.Name, user)
		return &userResult{describeUser(user)}, nil
	})
}

func (s *Service) getUser(call *operation.Call, in *callerOr) (*userResult, error) {
	of, err := in.owner(call)
	if err != nil {
		return nil, err
	}
	return view(s, call, func(tx *state.Txn) (*userResult, error) {
		if of.root {
			founded, _ := region.SessionKeys.Get(tx, region.CurrentSessionKey) // made with the region, as root is
			return &userResult{User{UserID: call.Principal.UserID, ARN: call.Principal.ARN,
				CreateDate: stamp(founded.CreatedAt)}}, nil
		}
		user, found := region.Users.Get(tx, of.user)
		if !found {
			return nil, notThere(kindUser, of.user)
		}
		return &userResult{describeUser(user)}, nil
	})
}

type userList struct {
	Users list[User]
	pageEnd
}

func (s *Service) listUsers(call *operation.Call, in *listInput) (*userList, error) {
	return view(s, call, func(tx *state.Txn) (*userList, error) {
		users, end, err := pageOf(call, in.paging, from(tx, region.Users.Part("")), underPath(in.PathPrefix, pathOf))
		return &userList{described(users, summarizeUser), end}, err
	})
}

type updateUserInput struct {
	userName
	NewUserName, NewPath string
}

// mayBecome authorizes the caller for the ARN that an entity gets by a new name or path, as typed has for the one that
// it has: IAM asks for both (the API reference of UpdateUser), or who may act below one path could take somebody out of
// what denies there.
func mayBecome(call *operation.Call, tx *state.Txn, kind, name, arn string) error {
	e, err := find(tx, kind, name)
	if err != nil || e.arn == arn {
		return err
	}
	return call.Authorize(wire.Query, "iam:"+call.Operation, arn, e.keys(), requestKeys(call))
}

// updateUser renames or moves a user; the id, keys and policies stay, the ARN changes.
func (s *Service) updateUser(call *operation.Call, in *updateUserInput) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		user, found := region.Users.Get(tx, in.UserName)
		if !found {
			return done{}, notThere(kindUser, in.UserName)
		}
		old := user
		user.Path, user.Name = cmp.Or(in.NewPath, pathOf(user)), cmp.Or(in.NewUserName, user.Name)
		user.ARN = s.arn(kindUser, user.Path+user.Name)
		if err := mayBecome(call, tx, kindUser, old.Name, user.ARN); err != nil {
			return done{}, err
		}
		region.Users.Delete(tx, old.Name)
		if user.Name != old.Name {
			if err := taken(s, tx, region.Users, region.UsersByName, kindUser, user.Name); err != nil {
				return done{}, err
			}
			for _, key := range (owner{user: old.Name}).keys().List(tx) {
				key.User = user.Name
				region.AccessKeys.Put(tx, key.ID, key)
			}
		}
		region.Users.Put(tx, user.Name, user)
		return done{}, nil
	})
}

func (s *Service) deleteUser(call *operation.Call, in *userName) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		e, err := find(tx, kindUser, in.UserName)
		if err != nil {
			return done{}, err
		}
		if err := bare(e); err != nil {
			return done{}, err
		}
		user, _ := region.Users.Get(tx, in.UserName)
		switch {
		case len(user.Groups) > 0:
			return done{}, deleteConflict("Cannot delete entity, must remove users from group first.")
		case !(owner{user: in.UserName}).keys().Empty(tx):
			return done{}, deleteConflict("Cannot delete entity, must delete access keys first.")
		case len(devicesOf(tx, user)) > 0:
			return done{}, deleteConflict("Cannot delete entity, must delete MFA device first.")
		}
		if _, found := logins.Get(tx, user.ID); found {
			return done{}, deleteConflict("Cannot delete entity, must delete login profile first.")
		}
		region.Users.Delete(tx, in.UserName)
		return done{}, nil
	})
}

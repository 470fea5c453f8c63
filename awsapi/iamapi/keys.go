package iamapi

import (
	"crypto/rand"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const maxKeys = 2 // of a user, and of root

// owner is whose access keys a call is about: a user's, or root's, who has no name.
type owner struct {
	user string
	root bool
}

func (in callerOr) owner(call *operation.Call) (owner, error) {
	of := owner{in.of(call), in.root(call)}
	if of == (owner{}) {
		return of, invalid("Must specify userName when calling with non-User credentials")
	}
	return of, nil
}

func (o owner) check(tx *state.Txn) error {
	if o.root {
		return nil
	}
	_, err := find(tx, kindUser, o.user)
	return err
}

func (o owner) has(key region.AccessKey) bool { return key.User == o.user && key.Root == o.root }

// keys are all of the owner's access keys.
func (o owner) keys() state.Part[region.AccessKey] {
	return region.KeysByOwner.Of(region.KeyOwner(o.user, o.root))
}

// AccessKey is an access key as answers have it; the secret is told once.
type AccessKey struct {
	UserName        string `xml:",omitempty" json:",omitempty"`
	AccessKeyID     string `xml:"AccessKeyId" json:"AccessKeyId"`
	Status          string
	SecretAccessKey string `xml:",omitempty" json:",omitempty"`
	CreateDate      string
}

func describeKey(k region.AccessKey) AccessKey {
	return AccessKey{UserName: k.User, AccessKeyID: k.ID, Status: k.Status, CreateDate: stamp(k.CreatedAt)}
}

type keyResult struct{ AccessKey AccessKey }

func (s *Service) createKey(call *operation.Call, in *callerOr) (*keyResult, error) {
	of, err := in.owner(call)
	if err != nil {
		return nil, err
	}
	key, err := iam.NewAccessKey(rand.Reader, s.AccountID, of.user, s.now())
	if err != nil {
		return nil, wrap(call, err)
	}
	key.Root = of.root
	return change(s, call, func(tx *state.Txn) (*keyResult, error) {
		if err := of.check(tx); err != nil {
			return nil, err
		}
		if !of.keys().Fewer(tx, maxKeys) {
			return nil, limitExceeded("Cannot exceed quota for AccessKeysPerUser: %d", maxKeys)
		}
		region.AccessKeys.Put(tx, key.ID, key)
		out := describeKey(key)
		out.SecretAccessKey = key.Secret
		return &keyResult{out}, nil
	})
}

type listKeysInput struct {
	callerOr
	paging
}

type keyList struct {
	UserName          string `xml:",omitempty" json:",omitempty"`
	AccessKeyMetadata list[AccessKey]
	pageEnd
}

func (s *Service) listKeys(call *operation.Call, in *listKeysInput) (*keyList, error) {
	return view(s, call, func(tx *state.Txn) (*keyList, error) {
		of, err := in.owner(call)
		if err != nil {
			return nil, err
		}
		if err := of.check(tx); err != nil {
			return nil, err
		}
		out := &keyList{UserName: of.user}
		out.AccessKeyMetadata, out.pageEnd,
			err = page(call, in.paging, described(of.keys().List(tx), describeKey),
			func(k AccessKey) string { return k.AccessKeyID })
		return out, err
	})
}

type keyInput struct {
	callerOr
	AccessKeyID string `query:"AccessKeyId,required"`
}

type updateKeyInput struct {
	keyInput
	Status string `query:",required"`
}

func (s *Service) updateKey(call *operation.Call, in *updateKeyInput) (done, error) {
	if in.Status == "Expired" { // IAM's model has it for what it shows, not for what can be set
		return done{}, invalid("Status must be Active or Inactive.")
	}
	return s.changeKey(call, in.keyInput, func(tx *state.Txn, key region.AccessKey) {
		key.Status = in.Status
		region.AccessKeys.Put(tx, key.ID, key)
	})
}

func (s *Service) deleteKey(call *operation.Call, in *keyInput) (done, error) {
	return s.changeKey(call, *in, func(tx *state.Txn, key region.AccessKey) { region.AccessKeys.Delete(tx, key.ID) })
}

// changeKey changes a key of the one whom the call is about, and of no other: for that one the caller is authorized.
func (s *Service) changeKey(call *operation.Call, in keyInput, alter func(*state.Txn, region.AccessKey)) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		of, err := in.owner(call)
		if err != nil {
			return done{}, err
		}
		key, found := region.AccessKeys.Get(tx, in.AccessKeyID)
		if !found || !of.has(key) {
			return done{}, noSuchEntity("The Access Key with id %s cannot be found.", in.AccessKeyID)
		}
		alter(tx, key)
		return done{}, nil
	})
}

type lastUsedInput struct {
	AccessKeyID string `query:"AccessKeyId,required"`
}

// user is the key's owner; root has no name.
func (in lastUsedInput) user(_ *operation.Call, tx *state.Txn) string {
	key, _ := region.AccessKeys.Get(tx, in.AccessKeyID)
	return key.User
}

type lastUsed struct {
	UserName          string `xml:",omitempty" json:",omitempty"`
	AccessKeyLastUsed keyUse
}

type keyUse struct{ ServiceName, Region string }

// keyLastUsed tells whose a key is. Uses are not noted, so all keys are as AWS shows those of which it has no data.
func (s *Service) keyLastUsed(call *operation.Call, in *lastUsedInput) (*lastUsed, error) {
	return view(s, call, func(tx *state.Txn) (*lastUsed, error) {
		key, found := region.AccessKeys.Get(tx, in.AccessKeyID)
		if !found {
			return nil, noSuchEntity("The Access Key with id %s cannot be found.", in.AccessKeyID)
		}
		return &lastUsed{key.User, keyUse{"N/A", "N/A"}}, nil
	})
}

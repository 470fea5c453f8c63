package kms

import (
	"regexp"
	"strings"
	"time"

	"tripod/state"
)

// The states of a key.
const (
	enabled         = "Enabled"
	disabled        = "Disabled"
	pendingDeletion = "PendingDeletion"
	pendingImport   = "PendingImport"
)

// kept are the states of keys that are not about to be deleted.
var kept = []string{enabled, disabled, pendingImport}

// Key is a KMS key.
type Key struct {
	ID          string    `json:"id"` // a UUID
	Description string    `json:"description,omitempty"`
	State       string    `json:"state"`
	CreatedAt   time.Time `json:"createdAt"`
	// DeletionAt is when a key that is pending deletion is gone.
	DeletionAt *time.Time `json:"deletionAt,omitempty"`
	Policy     string     `json:"policy"`
	// Spec and Usage are the key's; empty means the usual ones, SYMMETRIC_DEFAULT and ENCRYPT_DECRYPT.
	Spec  string `json:"spec,omitempty"`
	Usage string `json:"usage,omitempty"`
	// Origin is EXTERNAL where the owner imports the material, and empty where KMS made it. ValidTo is when imported
	// material is gone by itself.
	Origin              string     `json:"origin,omitempty"`
	ValidTo             *time.Time `json:"validTo,omitempty"`
	MaterialDescription string     `json:"materialDescription,omitempty"`
	// Service is the one whose key it is, such as ebs, if it is one of AWS's own.
	Service string `json:"service,omitempty"`
	// PolicyIDs are the unique ids of those whom Policy names, by its elements, as they were when it was put. Older
	// records have none.
	PolicyIDs map[string]string `json:"policyIds,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	// Materials are what the key has encrypted with, oldest first: the last one encrypts, all decrypt.
	Materials []Material `json:"materials"`
	// RotationDays is the period of automatic rotation since RotationSince; 0 means none.
	RotationDays  int        `json:"rotationDays,omitempty"`
	RotationSince *time.Time `json:"rotationSince,omitempty"`
}

// Material is what a key works with: random bytes, or a private key in PKCS #8.
type Material struct {
	ID        string    `json:"id"`              // 64 hex digits
	Bytes     []byte    `json:"bytes,omitempty"` // none: imported material that is gone
	CreatedAt time.Time `json:"createdAt"`
}

// Alias is another name of a key.
type Alias struct {
	Name      string    `json:"name"` // alias/...
	KeyID     string    `json:"keyId"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Grant lets a principal use a key, beside the key's policy.
type Grant struct {
	ID       string `json:"id"` // 64 hex digits
	KeyID    string `json:"keyId"`
	Name     string `json:"name,omitempty"`
	Grantee  string `json:"grantee"` // an IAM principal's ARN
	Retiring string `json:"retiring,omitempty"`
	// GranteeID and RetiringID are their unique ids as they were when the grant was made; empty for accounts, and in older
	// records.
	GranteeID  string    `json:"granteeId,omitempty"`
	RetiringID string    `json:"retiringId,omitempty"`
	Operations []string  `json:"operations"`
	CreatedAt  time.Time `json:"createdAt"`
	// Equals and Subset are what the encryption context must be or hold.
	Equals map[string]string `json:"equals,omitempty"`
	Subset map[string]string `json:"subset,omitempty"`
}

// The tables of the service. A grant's key begins with its KMS key's id.
var (
	keys    = state.NewTable[Key]("kms-key")     // by ID
	aliases = state.NewTable[Alias]("kms-alias") // by Name
	grants  = state.NewTable[Grant]("kms-grant") // by KeyID/ID
)

func (g Grant) path() string { return g.KeyID + "/" + g.ID }

// gone says whether the time that was set for a key's deletion has come: nothing finds it any more.
func (k Key) gone(now time.Time) bool { return k.DeletionAt != nil && !now.Before(*k.DeletionAt) }

// grantsOf are a key's.
func grantsOf(tx *state.Txn, keyID string) (own []Grant) {
	for _, g := range grants.List(tx) {
		if g.KeyID == keyID {
			own = append(own, g)
		}
	}
	return own
}

// sweep removes the keys whose time has come, with all that belongs to them.
func (s *Service) sweep(tx *state.Txn) {
	for _, key := range keys.List(tx) {
		if !key.gone(s.now()) {
			continue
		}
		keys.Delete(tx, key.ID)
		for _, g := range grantsOf(tx, key.ID) {
			grants.Delete(tx, g.path())
		}
		for _, a := range aliases.List(tx) {
			if a.KeyID == key.ID {
				aliases.Delete(tx, a.Name)
			}
		}
	}
}

// keyID is the form of a key's id: a UUID, or of a multi-Region key mrk- and 32 digits.
var keyID = regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$`)

// find is the key that an id, an ARN or an alias names.
func (s *Service) find(tx *state.Txn, id string, byAlias bool) (Key, error) {
	name := id
	if strings.HasPrefix(id, "arn:") {
		parts := strings.SplitN(id, ":", 6)
		switch {
		case len(parts) < 6 || parts[2] != Name:
			return Key{}, invalidARN("%s is not a valid ARN of a key or alias.", id)
		case parts[3] != s.Region:
			return Key{}, notFound("Invalid arn %s", parts[3])
		case parts[4] != s.AccountID:
			return Key{}, notFound("Key '%s' does not exist: Tripod has the keys of account %s only.", id, s.AccountID)
		}
		name = strings.TrimPrefix(parts[5], "key/")
		if name == parts[5] && !strings.HasPrefix(name, "alias/") {
			return Key{}, invalidARN("%s is not a valid ARN of a key or alias.", id)
		}
	}
	if strings.HasPrefix(name, "alias/") {
		if !byAlias {
			return Key{}, notFound("Invalid keyId '%s'", id)
		}
		alias, found := aliases.Get(tx, name)
		if !found {
			return Key{}, notFound("Alias %s is not found.", s.arn(name))
		}
		name = alias.KeyID
	}
	if name == id && !keyID.MatchString(name) {
		return Key{}, notFound("Invalid keyId '%s'", id)
	}
	key, found := keys.Get(tx, name)
	if !found || key.gone(s.now()) {
		return Key{}, notFound("Key '%s' does not exist", s.arn("key/"+name))
	}
	return key.at(s.now()), nil
}

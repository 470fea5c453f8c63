package kms

import (
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// mayName authorizes the caller for an alias; the key that it stands for is another matter.
func (s *Service) mayName(call *operation.Call, name string) error {
	switch rest, found := strings.CutPrefix(name, "alias/"); {
	case !found:
		return invalid("Alias must start with the prefix \"alias/\". Please see " +
			"https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case strings.HasPrefix(name, reserved):
		return &wire.Error{Code: "NotAuthorizedException", Status: http.StatusBadRequest,
			Message: "Names that begin with alias/aws/ are reserved for AWS's own keys."}
	case rest == "" || strings.Contains(rest, ":"):
		return invalid("%s contains invalid characters for an alias", name)
	}
	return s.may(call, call.Operation, s.arn(name), nil)
}

// noAlias refuses an alias where a key must stand.
func noAlias(target *string) error {
	if aliasIn(request{id: aws.ToString(target)}) != "" {
		return invalid("Aliases must refer to keys. Not aliases")
	}
	return nil
}

func (s *Service) createAlias(call *operation.Call, in *kms.CreateAliasInput) (*kms.CreateAliasOutput, error) {
	name := aws.ToString(in.AliasName)
	if err := s.mayName(call, name); err != nil {
		return nil, err
	}
	if err := noAlias(in.TargetKeyId); err != nil {
		return nil, err
	}
	return &kms.CreateAliasOutput{},
		s.change(request{call: call, id: aws.ToString(in.TargetKeyId), states: kept}, func(tx *state.Txn, key *Key) error {
			s.sweep(tx)
			if _, taken := aliases.Get(tx, name); taken {
				return alreadyExists("An alias with the name %s already exists", s.arn(name))
			}
			aliases.Put(tx, name, Alias{Name: name, KeyID: key.ID, CreatedAt: s.now(), UpdatedAt: s.now()})
			return nil
		})
}

// aliased is the alias of that name and its key.
func (s *Service) aliased(tx *state.Txn, name string) (Alias, error) {
	alias, found := aliases.Get(tx, name)
	if key, there := keys.Get(tx, alias.KeyID); !found || !there || key.gone(s.now()) { // an alias goes with its key
		return Alias{}, notFound("Alias %s is not found.", s.arn(name))
	}
	return alias, nil
}

// updateAlias needs the permission for the alias, the key that it stood for, and the key that it shall stand for.
func (s *Service) updateAlias(call *operation.Call, in *kms.UpdateAliasInput) (*kms.UpdateAliasOutput, error) {
	name := aws.ToString(in.AliasName)
	if err := s.mayName(call, name); err != nil {
		return nil, err
	}
	if err := noAlias(in.TargetKeyId); err != nil {
		return nil, err
	}
	return &kms.UpdateAliasOutput{}, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		alias, err := s.aliased(tx, name)
		if err != nil {
			return err
		}
		var old Key
		note := func(_ *state.Txn, key Key) error {
			old = key
			return nil
		}
		if err := s.within(tx, request{call: call, id: alias.KeyID}, note); err != nil {
			return err
		}
		return s.within(tx, request{call: call, id: aws.ToString(in.TargetKeyId), states: kept},
			func(tx *state.Txn, key Key) error {
				if key.spec()[:4] != old.spec()[:4] || key.usage() != old.usage() {
					return invalid("The current and the new KMS key of an alias must be of the same type, and have the same " +
						"key usage.")
				}
				alias.KeyID, alias.UpdatedAt = key.ID, s.now()
				aliases.Put(tx, name, alias)
				return nil
			})
	})
}

func (s *Service) deleteAlias(call *operation.Call, in *kms.DeleteAliasInput) (*kms.DeleteAliasOutput, error) {
	name := aws.ToString(in.AliasName)
	if err := s.mayName(call, name); err != nil {
		return nil, err
	}
	return &kms.DeleteAliasOutput{}, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		alias, err := s.aliased(tx, name)
		if err != nil {
			return err
		}
		return s.within(tx, request{call: call, id: alias.KeyID}, func(tx *state.Txn, _ Key) error {
			aliases.Delete(tx, name)
			return nil
		})
	})
}

func (s *Service) listAliases(call *operation.Call, in *kms.ListAliasesInput) (*kms.ListAliasesOutput, error) {
	if err := s.may(call, "ListAliases", "*", nil); err != nil {
		return nil, err
	}
	var all []Alias
	err := s.State.View(func(tx *state.Txn) error {
		all = nil
		only := ""
		if in.KeyId != nil {
			key, err := s.find(tx, *in.KeyId, false)
			if err != nil {
				return err
			}
			only = key.ID
		}
		for _, a := range aliases.List(tx) {
			if key, found := keys.Get(tx, a.KeyID); found && !key.gone(s.now()) && (only == "" || a.KeyID == only) {
				all = append(all, a)
			}
		}
		for name := range predefined {
			if _, made := aliases.Get(tx, reserved+name); !made && only == "" {
				all = append(all, Alias{Name: reserved + name})
			}
		}
		slices.SortFunc(all, func(a, b Alias) int { return strings.Compare(a.Name, b.Name) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	part, next, err := page(call, aws.ToString(in.KeyId), in.Limit, in.Marker, 50, all,
		func(a Alias) string { return a.Name })
	out := &kms.ListAliasesOutput{Aliases: []types.AliasListEntry{}, NextMarker: next, Truncated: next != nil}
	for _, a := range part {
		entry := types.AliasListEntry{AliasName: aws.String(a.Name), AliasArn: aws.String(s.arn(a.Name))}
		if a.KeyID != "" {
			entry.TargetKeyId, entry.CreationDate, entry.LastUpdatedDate = aws.String(a.KeyID), aws.Time(a.CreatedAt),
				aws.Time(a.UpdatedAt)
		}
		out.Aliases = append(out.Aliases, entry)
	}
	return out, err
}

package kms

import (
	"cmp"
	"encoding/hex"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

const (
	// usualWindow is how many days a key is pending deletion unless asked otherwise; the bounds are KMS's.
	usualWindow, shortestWindow, longestWindow = 30, 7, 30

	day = 24 * time.Hour
)

func (s *Service) createKey(call *operation.Call, in *kms.CreateKeyInput) (*kms.CreateKeyOutput, error) {
	spec, usage := kindAsked(in)
	about := kindKeys(spec, usage, cmp.Or(string(in.Origin), awsOrigin), aws.ToBool(in.MultiRegion))
	if err := s.may(call, "CreateKey", "*", about.With(bypassing(in.BypassPolicyLockoutSafetyCheck))); err != nil {
		return nil, err
	}
	if err := notHere(in); err != nil {
		return nil, err
	}
	tags, err := mergedTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	key := Key{ID: newKeyID(aws.ToBool(in.MultiRegion)), Description: aws.ToString(in.Description), State: enabled,
		CreatedAt: s.now(), Policy: s.defaultPolicy(), Tags: tags}
	if spec != symmetricSpec {
		key.Spec, key.Usage = spec, usage
	}
	if in.Origin == types.OriginTypeExternal {
		key.Origin, key.State = external, pendingImport
	} else {
		material := Material{ID: newMaterial(s.now()).ID, CreatedAt: s.now()}
		if material.Bytes, err = newBytes(key.spec()); err != nil {
			return nil, err
		}
		key.Materials = []Material{material}
	}
	if len(tags) > 0 {
		if err := s.may(call, "TagResource", s.arn("key/"+key.ID), about); err != nil {
			return nil, err
		}
	}
	err = s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		s.sweep(tx)
		if in.Policy != nil {
			if err := s.setPolicy(tx, call, &key, *in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
				return err
			}
		}
		keys.Put(tx, key.ID, key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &kms.CreateKeyOutput{KeyMetadata: s.describe(key)}, nil
}

// notHere names what of an input Tripod does not have: a key that is less than what was asked for would deceive.
func notHere(in *kms.CreateKeyInput) error {
	spec, usage := kindAsked(in)
	switch {
	case usage == "":
		return invalid("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	case kinds[spec] == nil:
		return unsupported("Tripod has no keys of the KeySpec %s.", spec)
	case kinds[spec][usage] == nil:
		return invalid("KeyUsage %s is not compatible with KeySpec %s", usage, spec)
	case in.Origin != "" && in.Origin != types.OriginTypeAwsKms && in.Origin != types.OriginTypeExternal ||
		in.CustomKeyStoreId != nil || in.XksKeyId != nil:
		return unsupported("Tripod has no custom key stores: Origin can only be AWS_KMS or EXTERNAL.")
	}
	return nil
}

// kindAsked is the kind of key that is asked for.
func kindAsked(in *kms.CreateKeyInput) (spec, usage string) {
	older := string(in.CustomerMasterKeySpec) //lint:ignore SA1019 older clients say it so
	spec, usage = cmp.Or(string(in.KeySpec), older, symmetricSpec), string(in.KeyUsage)
	if spec == symmetricSpec {
		usage = cmp.Or(usage, encryptUsage)
	}
	return spec, usage
}

// newMaterial is what a symmetric key works with.
func newMaterial(now time.Time) Material {
	return Material{ID: hex.EncodeToString(randomBytes(32)), Bytes: randomBytes(32), CreatedAt: now}
}

// describe is the key as KMS shows it.
func (s *Service) describe(key Key) *types.KeyMetadata {
	manager := types.KeyManagerTypeCustomer
	if key.Service != "" {
		manager = types.KeyManagerTypeAws
	}
	out := &types.KeyMetadata{
		AWSAccountId: aws.String(s.AccountID), KeyId: aws.String(key.ID), Arn: aws.String(s.arn("key/" + key.ID)),
		CreationDate: aws.Time(key.CreatedAt),
		Enabled:      key.State == enabled, Description: aws.String(key.Description),
		KeyUsage: types.KeyUsageType(key.usage()), KeyState: types.KeyState(key.State),
		Origin: types.OriginType(key.origin()), KeyManager: manager, KeySpec: types.KeySpec(key.spec()),
		MultiRegion: aws.Bool(false), DeletionDate: key.DeletionAt,
		CustomerMasterKeySpec: types.CustomerMasterKeySpec(key.spec()), //lint:ignore SA1019 KMS still writes it
	}
	if key.spec() == symmetricSpec && key.hasMaterial() {
		out.CurrentKeyMaterialId = aws.String(key.current().ID)
	}
	key.describeImport(out)
	s.describeRegions(key, out)
	for _, algorithm := range key.algorithms() {
		switch key.usage() {
		case encryptUsage:
			out.EncryptionAlgorithms = append(out.EncryptionAlgorithms, types.EncryptionAlgorithmSpec(algorithm))
		case signUsage:
			out.SigningAlgorithms = append(out.SigningAlgorithms, types.SigningAlgorithmSpec(algorithm))
		case macUsage:
			out.MacAlgorithms = append(out.MacAlgorithms, types.MacAlgorithmSpec(algorithm))
		}
	}
	return out
}

func (s *Service) describeKey(call *operation.Call, in *kms.DescribeKeyInput) (*kms.DescribeKeyOutput, error) {
	out := &kms.DescribeKeyOutput{}
	r := request{call: call, id: aws.ToString(in.KeyId), byAlias: true}
	show := func(_ *state.Txn, key Key) error {
		out.KeyMetadata = s.describe(key)
		return nil
	}
	err := s.view(r, show)
	alias := aliasIn(r)
	if service(alias) == "" || !isNotFound(err) {
		return out, err
	}
	return out, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		s.predefine(tx, alias)
		return s.within(tx, r, show)
	})
}

func (s *Service) listKeys(call *operation.Call, in *kms.ListKeysInput) (*kms.ListKeysOutput, error) {
	if err := s.may(call, "ListKeys", "*", nil); err != nil {
		return nil, err
	}
	var all []Key
	err := s.State.View(func(tx *state.Txn) error {
		all = nil
		for _, key := range keys.List(tx) {
			if !key.gone(s.now()) {
				all = append(all, key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	part, next, err := page(call, "", in.Limit, in.Marker, 100, all, func(key Key) string { return key.ID })
	out := &kms.ListKeysOutput{Keys: []types.KeyListEntry{}, NextMarker: next, Truncated: next != nil}
	for _, key := range part {
		out.Keys = append(out.Keys, types.KeyListEntry{KeyId: aws.String(key.ID), KeyArn: aws.String(s.arn("key/" + key.ID))})
	}
	return out, err
}

func (s *Service) enableKey(call *operation.Call, in *kms.EnableKeyInput) (*kms.EnableKeyOutput, error) {
	return &kms.EnableKeyOutput{}, s.become(call, in.KeyId, enabled)
}

func (s *Service) disableKey(call *operation.Call, in *kms.DisableKeyInput) (*kms.DisableKeyOutput, error) {
	return &kms.DisableKeyOutput{}, s.become(call, in.KeyId, disabled)
}

func (s *Service) become(call *operation.Call, id *string, to string) error {
	return s.change(request{call: call, id: aws.ToString(id), states: []string{enabled, disabled}},
		func(_ *state.Txn, key *Key) error {
			key.State = to
			return nil
		})
}

func (s *Service) updateKeyDescription(call *operation.Call,
	in *kms.UpdateKeyDescriptionInput) (*kms.UpdateKeyDescriptionOutput, error) {
	return &kms.UpdateKeyDescriptionOutput{},
		s.change(request{call: call, id: aws.ToString(in.KeyId), states: kept}, func(_ *state.Txn, key *Key) error {
			key.Description = aws.ToString(in.Description)
			return nil
		})
}

func (s *Service) scheduleKeyDeletion(call *operation.Call,
	in *kms.ScheduleKeyDeletionInput) (*kms.ScheduleKeyDeletionOutput, error) {
	window := int32(usualWindow)
	if in.PendingWindowInDays != nil {
		window = *in.PendingWindowInDays
	}
	if window < shortestWindow || window > longestWindow {
		return nil, invalid("PendingWindowInDays must be between %d and %d.", shortestWindow, longestWindow)
	}
	out := &kms.ScheduleKeyDeletionOutput{KeyState: types.KeyStatePendingDeletion, PendingWindowInDays: aws.Int32(window)}
	r := request{call: call, id: aws.ToString(in.KeyId), states: kept,
		about: number("kms:schedulekeydeletionpendingwindowindays", int(window))}
	return out, s.change(r, func(tx *state.Txn, key *Key) error {
		s.sweep(tx)
		key.State, key.DeletionAt = pendingDeletion, aws.Time(s.now().Add(time.Duration(window)*day))
		out.KeyId, out.DeletionDate = aws.String(s.arn("key/"+key.ID)), key.DeletionAt
		return nil
	})
}

// cancelKeyDeletion leaves the key disabled, as in KMS.
func (s *Service) cancelKeyDeletion(call *operation.Call,
	in *kms.CancelKeyDeletionInput) (*kms.CancelKeyDeletionOutput, error) {
	out := &kms.CancelKeyDeletionOutput{}
	return out, s.change(request{call: call, id: aws.ToString(in.KeyId), states: []string{pendingDeletion}},
		func(_ *state.Txn, key *Key) error {
			key.State, key.DeletionAt = disabled, nil
			if !key.hasMaterial() {
				key.State = pendingImport
			}
			out.KeyId = aws.String(s.arn("key/" + key.ID))
			return nil
		})
}

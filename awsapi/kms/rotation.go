package kms

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"tripod/awsapi/operation"
	"tripod/state"
)

const (
	// usualPeriod is the period of automatic rotation in days, and mostRotations how often a key can be rotated on demand:
	// KMS's own.
	usualPeriod, mostRotations = 365, 25
)

// rotatable refuses keys that cannot have new material: what is signed with them must stay theirs.
func (s *Service) rotatable(key Key) error {
	if key.spec() != symmetricSpec {
		return unsupported("%s is not a symmetric encryption key: it has no rotation.", s.arn("key/"+key.ID))
	}
	if key.Origin == external {
		return unsupported("%s origin is %s which is not valid for this operation.", s.arn("key/"+key.ID), key.origin())
	}
	return nil
}

func (s *Service) enableKeyRotation(call *operation.Call,
	in *kms.EnableKeyRotationInput) (*kms.EnableKeyRotationOutput, error) {
	r := request{call: call, id: aws.ToString(in.KeyId), states: []string{enabled}}
	if in.RotationPeriodInDays != nil {
		r.about = number("kms:rotationperiodindays", int(*in.RotationPeriodInDays))
	}
	return &kms.EnableKeyRotationOutput{}, s.change(r, func(_ *state.Txn, key *Key) error {
		if err := s.rotatable(*key); err != nil {
			return err
		}
		period := usualPeriod
		if in.RotationPeriodInDays != nil {
			period = int(*in.RotationPeriodInDays)
		} else if key.RotationDays > 0 {
			period = key.RotationDays
		}
		if key.RotationDays == 0 {
			key.RotationSince = aws.Time(s.now())
		}
		key.RotationDays = period
		return nil
	})
}

func (s *Service) disableKeyRotation(call *operation.Call,
	in *kms.DisableKeyRotationInput) (*kms.DisableKeyRotationOutput, error) {
	return &kms.DisableKeyRotationOutput{},
		s.change(request{call: call, id: aws.ToString(in.KeyId), states: []string{enabled}},
			func(_ *state.Txn, key *Key) error {
				if err := s.rotatable(*key); err != nil {
					return err
				}
				key.RotationDays, key.RotationSince = 0, nil
				return nil
			})
}

func (s *Service) getKeyRotationStatus(call *operation.Call,
	in *kms.GetKeyRotationStatusInput) (*kms.GetKeyRotationStatusOutput, error) {
	out := &kms.GetKeyRotationStatusOutput{}
	err := s.view(request{call: call, id: aws.ToString(in.KeyId)}, func(_ *state.Txn, key Key) error {
		if err := s.rotatable(key); err != nil {
			return err
		}
		out.KeyId = aws.String(key.ID)
		// A key that is pending deletion is not rotated, and rotated again when it no longer is.
		if out.KeyRotationEnabled = key.RotationDays > 0 && key.State != pendingDeletion; key.RotationDays == 0 {
			return nil
		}
		out.RotationPeriodInDays = aws.Int32(int32(key.RotationDays))
		if out.KeyRotationEnabled {
			out.NextRotationDate = aws.Time(key.RotationSince.Add(time.Duration(key.RotationDays) * day))
		}
		return nil
	})
	return out, err
}

// rotateKeyOnDemand gives the key new material at once. What older material encrypted is decrypted with it as before.
func (s *Service) rotateKeyOnDemand(call *operation.Call,
	in *kms.RotateKeyOnDemandInput) (*kms.RotateKeyOnDemandOutput, error) {
	fresh := newMaterial(s.now())
	out := &kms.RotateKeyOnDemandOutput{}
	return out, s.change(request{call: call, id: aws.ToString(in.KeyId), states: []string{enabled}},
		func(_ *state.Txn, key *Key) error {
			if err := s.rotatable(*key); err != nil {
				return err
			}
			if len(key.Materials) > mostRotations {
				return limitExceeded("A key can be rotated on demand %d times.", mostRotations)
			}
			key.Materials = append(key.Materials, fresh)
			out.KeyId = aws.String(key.ID)
			return nil
		})
}

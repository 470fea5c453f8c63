package kms

import (
	"crypto/rand"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

const symmetric = types.EncryptionAlgorithmSpecSymmetricDefault

// suits refuses algorithms of keys that Tripod does not have, and answers for an enclave.
func suits(algorithm types.EncryptionAlgorithmSpec, recipient *types.RecipientInfo) error {
	switch {
	case recipient != nil:
		return unsupported("Tripod has no Nitro enclaves: leave Recipient out.")
	case algorithm != "" && algorithm != symmetric:
		return wire.Modelled(&types.InvalidKeyUsageException{Message: aws.String("The algorithm " + string(algorithm) + " does not go with a symmetric key.")}, schemas.InvalidKeyUsageException)
	}
	return nil
}

func (s *Service) encrypt(call *wire.Call, in *kms.EncryptInput) (*kms.EncryptOutput, error) {
	if err := suits(in.EncryptionAlgorithm, nil); err != nil {
		return nil, err
	}
	out := &kms.EncryptOutput{EncryptionAlgorithm: symmetric}
	return out, s.view(request{call: call, id: aws.ToString(in.KeyId), byAlias: true, about: algorithm(), context: in.EncryptionContext, states: []string{enabled}, dryRun: in.DryRun},
		func(_ *region.Txn, key Key) (err error) {
			out.KeyId = aws.String(s.arn("key/" + key.ID))
			out.CiphertextBlob, err = key.seal(in.Plaintext, in.EncryptionContext)
			return err
		})
}

// opening is the request to decrypt something, with the key that it says it is from.
func (s *Service) opening(tx *region.Txn, call *wire.Call, ciphertext []byte, keyID *string, action string, context map[string]string, dryRun *bool) (request, error) {
	id, _, ok := sealedBy(ciphertext)
	if !ok {
		return request{}, invalidCiphertext("The ciphertext is none that this region's KMS made.")
	}
	if keyID != nil {
		key, err := s.find(tx, *keyID, true)
		if err != nil {
			return request{}, err
		}
		if key.ID != id {
			return request{}, incorrectKey("The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	return request{call: call, id: id, named: aws.ToString(keyID), action: action, about: algorithm(), context: context, states: []string{enabled}, dryRun: dryRun}, nil
}

func (s *Service) decrypt(call *wire.Call, in *kms.DecryptInput) (*kms.DecryptOutput, error) {
	if err := suits(in.EncryptionAlgorithm, in.Recipient); err != nil {
		return nil, err
	}
	out := &kms.DecryptOutput{EncryptionAlgorithm: symmetric}
	return out, s.State.View(func(tx *region.Txn) error {
		r, err := s.opening(tx, call, in.CiphertextBlob, in.KeyId, "", in.EncryptionContext, in.DryRun)
		if err != nil {
			return err
		}
		return s.within(tx, r, func(_ *region.Txn, key Key) error {
			plaintext, material, err := key.open(in.CiphertextBlob, in.EncryptionContext)
			if err != nil {
				return invalidCiphertext("%v.", err)
			}
			out.KeyId, out.KeyMaterialId, out.Plaintext = aws.String(s.arn("key/"+key.ID)), aws.String(material.ID), plaintext
			return nil
		})
	})
}

// reEncrypt needs two permissions: from the one key, to the other.
func (s *Service) reEncrypt(call *wire.Call, in *kms.ReEncryptInput) (*kms.ReEncryptOutput, error) {
	for _, algorithm := range []types.EncryptionAlgorithmSpec{in.SourceEncryptionAlgorithm, in.DestinationEncryptionAlgorithm} {
		if err := suits(algorithm, nil); err != nil {
			return nil, err
		}
	}
	out := &kms.ReEncryptOutput{SourceEncryptionAlgorithm: symmetric, DestinationEncryptionAlgorithm: symmetric}
	return out, s.State.View(func(tx *region.Txn) error {
		from, err := s.opening(tx, call, in.CiphertextBlob, in.SourceKeyId, "ReEncryptFrom", in.SourceEncryptionContext, nil)
		if err != nil {
			return err
		}
		to := request{call: call, id: aws.ToString(in.DestinationKeyId), byAlias: true, action: "ReEncryptTo", context: in.DestinationEncryptionContext,
			states: []string{enabled}, dryRun: in.DryRun}
		same := s.reEncryptsOnSameKey(tx, from, to)
		from.about, to.about = from.about.With(same), algorithm().With(same)
		return s.within(tx, from, func(tx *region.Txn, source Key) error {
			return s.within(tx, to, func(_ *region.Txn, destination Key) error {
				plaintext, material, err := source.open(in.CiphertextBlob, in.SourceEncryptionContext)
				if err != nil {
					return invalidCiphertext("%v.", err)
				}
				out.SourceKeyId, out.SourceKeyMaterialId = aws.String(s.arn("key/"+source.ID)), aws.String(material.ID)
				out.KeyId, out.DestinationKeyMaterialId = aws.String(s.arn("key/"+destination.ID)), aws.String(destination.current().ID)
				out.CiphertextBlob, err = destination.seal(plaintext, in.DestinationEncryptionContext)
				return err
			})
		})
	})
}

// reEncryptsOnSameKey is the condition key that says whether both keys are one.
func (s *Service) reEncryptsOnSameKey(tx *region.Txn, from, to request) iam.Keys {
	destination, err := s.find(tx, to.id, true)
	return iam.Keys{"kms:reencryptonsamekey": {strconv.FormatBool(err == nil && destination.ID == from.id)}}
}

func (s *Service) generateDataKey(call *wire.Call, in *kms.GenerateDataKeyInput) (*kms.GenerateDataKeyOutput, error) {
	if err := suits("", in.Recipient); err != nil {
		return nil, err
	}
	size, err := dataKeySize(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	out := &kms.GenerateDataKeyOutput{Plaintext: make([]byte, size)}
	return out, s.view(request{call: call, id: aws.ToString(in.KeyId), byAlias: true, about: algorithm(), context: in.EncryptionContext, states: []string{enabled}, dryRun: in.DryRun},
		func(_ *region.Txn, key Key) (err error) {
			rand.Read(out.Plaintext) // never fails
			out.KeyId, out.KeyMaterialId = aws.String(s.arn("key/"+key.ID)), aws.String(key.current().ID)
			out.CiphertextBlob, err = key.seal(out.Plaintext, in.EncryptionContext)
			return err
		})
}

func (s *Service) generateDataKeyWithoutPlaintext(call *wire.Call, in *kms.GenerateDataKeyWithoutPlaintextInput) (*kms.GenerateDataKeyWithoutPlaintextOutput, error) {
	made, err := s.generateDataKey(call, &kms.GenerateDataKeyInput{KeyId: in.KeyId, KeySpec: in.KeySpec, NumberOfBytes: in.NumberOfBytes,
		EncryptionContext: in.EncryptionContext, DryRun: in.DryRun})
	if err != nil {
		return nil, err
	}
	return &kms.GenerateDataKeyWithoutPlaintextOutput{KeyId: made.KeyId, KeyMaterialId: made.KeyMaterialId, CiphertextBlob: made.CiphertextBlob}, nil
}

// dataKeySize is how many bytes a data key has: one of the two ways to say it must be used.
func dataKeySize(spec types.DataKeySpec, bytes *int32) (int, error) {
	switch {
	case (spec == "") == (bytes == nil):
		return 0, invalid("Please specify either number of bytes or key spec.")
	case bytes != nil:
		return int(*bytes), nil
	case spec == types.DataKeySpecAes128:
		return 16, nil
	}
	return 32, nil
}

func (s *Service) generateRandom(call *wire.Call, in *kms.GenerateRandomInput) (*kms.GenerateRandomOutput, error) {
	if err := s.may(call, "GenerateRandom", "*", nil); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != nil {
		return nil, unsupported("Tripod has no custom key stores: leave CustomKeyStoreId out.")
	}
	if err := suits("", in.Recipient); err != nil {
		return nil, err
	}
	if in.NumberOfBytes == nil {
		return nil, invalid("NumberOfBytes is required.")
	}
	random := make([]byte, *in.NumberOfBytes)
	rand.Read(random) // never fails
	return &kms.GenerateRandomOutput{Plaintext: random}, nil
}

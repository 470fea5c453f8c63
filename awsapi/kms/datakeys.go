package kms

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/state"
)

func (s *Service) generateDataKey(call *operation.Call, in *kms.GenerateDataKeyInput) (*kms.GenerateDataKeyOutput,
	error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	size, err := dataKeySize(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return nil, err
	}
	out := &kms.GenerateDataKeyOutput{Plaintext: make([]byte, size)}
	r := request{call: call, id: aws.ToString(in.KeyId), byAlias: true, context: in.EncryptionContext,
		states: []string{enabled}, dryRun: in.DryRun}.with("")
	return out, s.view(r, func(_ *state.Txn, key Key) (err error) {
		rand.Read(out.Plaintext) // never fails
		out.KeyId, out.KeyMaterialId = aws.String(s.arn("key/"+key.ID)), aws.String(key.current().ID)
		out.CiphertextBlob, err = key.seal(out.Plaintext, in.EncryptionContext)
		return err
	})
}

func (s *Service) generateDataKeyWithoutPlaintext(call *operation.Call,
	in *kms.GenerateDataKeyWithoutPlaintextInput) (*kms.GenerateDataKeyWithoutPlaintextOutput, error) {
	made, err := s.generateDataKey(call,
		&kms.GenerateDataKeyInput{KeyId: in.KeyId, KeySpec: in.KeySpec, NumberOfBytes: in.NumberOfBytes,
			EncryptionContext: in.EncryptionContext, DryRun: in.DryRun})
	if err != nil {
		return nil, err
	}
	return &kms.GenerateDataKeyWithoutPlaintextOutput{KeyId: made.KeyId, KeyMaterialId: made.KeyMaterialId,
		CiphertextBlob: made.CiphertextBlob}, nil
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

func (s *Service) generateRandom(call *operation.Call, in *kms.GenerateRandomInput) (*kms.GenerateRandomOutput, error) {
	if err := s.may(call, "GenerateRandom", "*", nil); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != nil {
		return nil, unsupported("Tripod has no custom key stores: leave CustomKeyStoreId out.")
	}
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	if in.NumberOfBytes == nil {
		return nil, invalid("NumberOfBytes is required.")
	}
	random := make([]byte, *in.NumberOfBytes)
	rand.Read(random) // never fails
	return &kms.GenerateRandomOutput{Plaintext: random}, nil
}

// generateDataKeyPair makes a key pair, and encrypts its private key with the KMS key.
func (s *Service) generateDataKeyPair(call *operation.Call,
	in *kms.GenerateDataKeyPairInput) (*kms.GenerateDataKeyPairOutput, error) {
	if err := noEnclave(in.Recipient); err != nil {
		return nil, err
	}
	out := &kms.GenerateDataKeyPairOutput{KeyPairSpec: in.KeyPairSpec}
	r := request{call: call, id: aws.ToString(in.KeyId), byAlias: true, context: in.EncryptionContext,
		states: []string{enabled}, dryRun: in.DryRun,
		about: iam.Keys{"kms:datakeypairspec": {string(in.KeyPairSpec)}}}.with("")
	err := s.view(r, func(_ *state.Txn, key Key) error { return nil }) // before the work of making one
	if err != nil {
		return nil, err
	}
	if out.PrivateKeyPlaintext, err = newBytes(string(in.KeyPairSpec)); err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(out.PrivateKeyPlaintext)
	if err != nil {
		return nil, err
	}
	if out.PublicKey, err = x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public()); err != nil {
		return nil, err
	}
	return out, s.view(r, func(_ *state.Txn, key Key) (err error) {
		out.KeyId, out.KeyMaterialId = aws.String(s.arn("key/"+key.ID)), aws.String(key.current().ID)
		out.PrivateKeyCiphertextBlob, err = key.seal(out.PrivateKeyPlaintext, in.EncryptionContext)
		return err
	})
}

func (s *Service) generateDataKeyPairWithoutPlaintext(call *operation.Call,
	in *kms.GenerateDataKeyPairWithoutPlaintextInput) (*kms.GenerateDataKeyPairWithoutPlaintextOutput, error) {
	made, err := s.generateDataKeyPair(call,
		&kms.GenerateDataKeyPairInput{KeyId: in.KeyId, KeyPairSpec: in.KeyPairSpec, EncryptionContext: in.EncryptionContext,
			DryRun: in.DryRun})
	if err != nil {
		return nil, err
	}
	return &kms.GenerateDataKeyPairWithoutPlaintextOutput{KeyId: made.KeyId, KeyMaterialId: made.KeyMaterialId,
		KeyPairSpec: made.KeyPairSpec, PublicKey: made.PublicKey,
		PrivateKeyCiphertextBlob: made.PrivateKeyCiphertextBlob}, nil
}

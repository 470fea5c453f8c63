package kms

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // hashes by their numbers in crypto
	_ "crypto/sha512"
	"crypto/x509"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

// hashOf is the hash function at the end of an algorithm's name.
func hashOf(algorithm string) crypto.Hash {
	for name, hash := range map[string]crypto.Hash{"_224": crypto.SHA224, "_256": crypto.SHA256, "_384": crypto.SHA384,
		"_512": crypto.SHA512} {
		if strings.HasSuffix(algorithm, name) {
			return hash
		}
	}
	return 0
}

// digested is what is signed of a message: its digest, or for Ed25519, which digests itself, the message.
func digested(message []byte, kind types.MessageType, algorithm types.SigningAlgorithmSpec) ([]byte, error) {
	hash := hashOf(string(algorithm))
	switch {
	case kind == types.MessageTypeExternalMu, kind == types.MessageTypeDigest &&
		algorithm == types.SigningAlgorithmSpecEd25519Sha512:
		return nil, invalid("The MessageType %s does not go with the algorithm %s.", kind, algorithm)
	case algorithm == types.SigningAlgorithmSpecEd25519Sha512:
		return message, nil
	case kind == types.MessageTypeDigest && len(message) != hash.Size():
		return nil, invalid("Digest is invalid length for algorithm %s.", algorithm)
	case kind == types.MessageTypeDigest:
		return message, nil
	}
	h := hash.New()
	h.Write(message)
	return h.Sum(nil), nil
}

// options are those of the key's signatures by an algorithm.
func options(algorithm types.SigningAlgorithmSpec) crypto.SignerOpts {
	switch hash := hashOf(string(algorithm)); {
	case algorithm == types.SigningAlgorithmSpecEd25519Sha512:
		return &ed25519.Options{}
	case strings.HasPrefix(string(algorithm), "RSASSA_PSS"):
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	default:
		return hash
	}
}

// signature is what Sign and Verify are asked about.
type signature struct {
	keyID     *string
	message   []byte
	kind      types.MessageType
	algorithm types.SigningAlgorithmSpec
	dryRun    *bool
}

// withSigner has do sign or verify what is to be signed, with the key of its ARN.
func (s *Service) withSigner(call *operation.Call, of signature,
	do func(keyARN *string, signer crypto.Signer, digest []byte) error) error {
	kind := cmp.Or(of.kind, types.MessageTypeRaw)
	r := request{call: call, id: aws.ToString(of.keyID), byAlias: true, states: []string{enabled}, dryRun: of.dryRun,
		usage: signUsage, algorithm: string(of.algorithm),
		about: iam.Keys{"kms:signingalgorithm": {string(of.algorithm)}, "kms:messagetype": {string(kind)}}}
	return s.view(r, func(_ *state.Txn, key Key) error {
		digest, err := digested(of.message, of.kind, of.algorithm)
		if err != nil {
			return err
		}
		private, err := key.signer()
		if err != nil {
			return err
		}
		return do(aws.String(s.arn("key/"+key.ID)), private, digest)
	})
}

func (s *Service) sign(call *operation.Call, in *kms.SignInput) (*kms.SignOutput, error) {
	out := &kms.SignOutput{SigningAlgorithm: in.SigningAlgorithm}
	of := signature{in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm, in.DryRun}
	return out, s.withSigner(call, of, func(keyARN *string, signer crypto.Signer, digest []byte) (err error) {
		out.KeyId = keyARN
		out.Signature, err = signer.Sign(rand.Reader, digest, options(in.SigningAlgorithm))
		return err
	})
}

func (s *Service) verify(call *operation.Call, in *kms.VerifyInput) (*kms.VerifyOutput, error) {
	out := &kms.VerifyOutput{SigningAlgorithm: in.SigningAlgorithm, SignatureValid: true}
	of := signature{in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm, in.DryRun}
	return out, s.withSigner(call, of, func(keyARN *string, signer crypto.Signer, digest []byte) error {
		out.KeyId = keyARN
		if !verified(signer.Public(), in.SigningAlgorithm, digest, in.Signature) {
			return wire.Modelled(&types.KMSInvalidSignatureException{}, schemas.KMSInvalidSignatureException)
		}
		return nil
	})
}

func verified(public crypto.PublicKey, algorithm types.SigningAlgorithmSpec, digest, signature []byte) bool {
	hash := hashOf(string(algorithm))
	switch public := public.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(string(algorithm), "RSASSA_PSS") {
			return rsa.VerifyPSS(public, hash, digest, signature,
				&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(public, digest, signature)
	}
	return false
}

func (s *Service) getPublicKey(call *operation.Call, in *kms.GetPublicKeyInput) (*kms.GetPublicKeyOutput, error) {
	out := &kms.GetPublicKeyOutput{}
	return out, s.view(request{call: call, id: aws.ToString(in.KeyId), byAlias: true, states: []string{enabled}},
		func(_ *state.Txn, key Key) error {
			if key.spec() == symmetricSpec || key.usage() == macUsage {
				return unsupported("%s has no public key.", s.arn("key/"+key.ID))
			}
			private, err := key.signer()
			if err != nil {
				return err
			}
			shown := s.describe(key)
			out.KeyId, out.KeySpec, out.KeyUsage = shown.Arn, shown.KeySpec, shown.KeyUsage
			//lint:ignore SA1019 KMS still writes it
			out.CustomerMasterKeySpec = shown.CustomerMasterKeySpec
			out.EncryptionAlgorithms, out.SigningAlgorithms = shown.EncryptionAlgorithms, shown.SigningAlgorithms
			out.PublicKey, err = x509.MarshalPKIXPublicKey(private.Public())
			return err
		})
}

func (k Key) mac(message []byte, algorithm types.MacAlgorithmSpec) []byte {
	h := hmac.New(hashOf(string(algorithm)).New, k.current().Bytes)
	h.Write(message)
	return h.Sum(nil)
}

// withMAC has do make or verify a message's authentication code, with the key of its ARN.
func (s *Service) withMAC(call *operation.Call, keyID *string, algorithm types.MacAlgorithmSpec, dryRun *bool,
	do func(keyARN *string, key Key) error) error {
	r := request{call: call, id: aws.ToString(keyID), byAlias: true,
		about: iam.Keys{"kms:macalgorithm": {string(algorithm)}}, states: []string{enabled}, dryRun: dryRun,
		usage: macUsage, algorithm: string(algorithm)}
	return s.view(r, func(_ *state.Txn, key Key) error { return do(aws.String(s.arn("key/"+key.ID)), key) })
}

func (s *Service) generateMac(call *operation.Call, in *kms.GenerateMacInput) (*kms.GenerateMacOutput, error) {
	out := &kms.GenerateMacOutput{MacAlgorithm: in.MacAlgorithm}
	return out, s.withMAC(call, in.KeyId, in.MacAlgorithm, in.DryRun, func(keyARN *string, key Key) error {
		out.KeyId, out.Mac = keyARN, key.mac(in.Message, in.MacAlgorithm)
		return nil
	})
}

func (s *Service) verifyMac(call *operation.Call, in *kms.VerifyMacInput) (*kms.VerifyMacOutput, error) {
	out := &kms.VerifyMacOutput{MacAlgorithm: in.MacAlgorithm, MacValid: true}
	return out, s.withMAC(call, in.KeyId, in.MacAlgorithm, in.DryRun, func(keyARN *string, key Key) error {
		out.KeyId = keyARN
		if !hmac.Equal(key.mac(in.Message, in.MacAlgorithm), in.Mac) {
			return wire.Modelled(&types.KMSInvalidMacException{}, schemas.KMSInvalidMacException)
		}
		return nil
	})
}

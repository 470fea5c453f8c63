package kms

import (
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

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

// hashOf is the hash function at the end of an algorithm's name.
func hashOf(algorithm string) crypto.Hash {
	for name, hash := range map[string]crypto.Hash{"_224": crypto.SHA224, "_256": crypto.SHA256, "_384": crypto.SHA384, "_512": crypto.SHA512} {
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
	case kind == types.MessageTypeExternalMu, kind == types.MessageTypeDigest && algorithm == types.SigningAlgorithmSpecEd25519Sha512:
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

// signing is the condition keys of a signature.
func signing(algorithm types.SigningAlgorithmSpec, kind types.MessageType) iam.Keys {
	if kind == "" {
		kind = types.MessageTypeRaw
	}
	return iam.Keys{"kms:signingalgorithm": {string(algorithm)}, "kms:messagetype": {string(kind)}}
}

func (s *Service) sign(call *wire.Call, in *kms.SignInput) (*kms.SignOutput, error) {
	out := &kms.SignOutput{SigningAlgorithm: in.SigningAlgorithm}
	r := request{call: call, id: aws.ToString(in.KeyId), byAlias: true, about: signing(in.SigningAlgorithm, in.MessageType), states: []string{enabled}, dryRun: in.DryRun,
		usage: signUsage, algorithm: string(in.SigningAlgorithm)}
	return out, s.view(r, func(_ *region.Txn, key Key) error {
		digest, err := digested(in.Message, in.MessageType, in.SigningAlgorithm)
		if err != nil {
			return err
		}
		private, err := key.signer()
		if err != nil {
			return err
		}
		out.KeyId = aws.String(s.arn("key/" + key.ID))
		out.Signature, err = private.Sign(rand.Reader, digest, options(in.SigningAlgorithm))
		return err
	})
}

func (s *Service) verify(call *wire.Call, in *kms.VerifyInput) (*kms.VerifyOutput, error) {
	out := &kms.VerifyOutput{SigningAlgorithm: in.SigningAlgorithm, SignatureValid: true}
	r := request{call: call, id: aws.ToString(in.KeyId), byAlias: true, about: signing(in.SigningAlgorithm, in.MessageType), states: []string{enabled}, dryRun: in.DryRun,
		usage: signUsage, algorithm: string(in.SigningAlgorithm)}
	return out, s.view(r, func(_ *region.Txn, key Key) error {
		digest, err := digested(in.Message, in.MessageType, in.SigningAlgorithm)
		if err != nil {
			return err
		}
		private, err := key.signer()
		if err != nil {
			return err
		}
		out.KeyId = aws.String(s.arn("key/" + key.ID))
		if !verified(private.Public(), in.SigningAlgorithm, digest, in.Signature) {
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
			return rsa.VerifyPSS(public, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(public, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(public, digest, signature)
	}
	return false
}

func (s *Service) getPublicKey(call *wire.Call, in *kms.GetPublicKeyInput) (*kms.GetPublicKeyOutput, error) {
	out := &kms.GetPublicKeyOutput{}
	return out, s.view(request{call: call, id: aws.ToString(in.KeyId), byAlias: true, states: []string{enabled}}, func(_ *region.Txn, key Key) error {
		if key.spec() == symmetricSpec || key.usage() == macUsage {
			return unsupported("%s has no public key.", s.arn("key/"+key.ID))
		}
		private, err := key.signer()
		if err != nil {
			return err
		}
		shown := s.describe(key)
		out.KeyId, out.KeySpec, out.KeyUsage, out.CustomerMasterKeySpec = shown.Arn, shown.KeySpec, shown.KeyUsage, shown.CustomerMasterKeySpec //lint:ignore SA1019 KMS still writes it
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

func (s *Service) generateMac(call *wire.Call, in *kms.GenerateMacInput) (*kms.GenerateMacOutput, error) {
	out := &kms.GenerateMacOutput{MacAlgorithm: in.MacAlgorithm}
	r := request{call: call, id: aws.ToString(in.KeyId), byAlias: true, about: iam.Keys{"kms:macalgorithm": {string(in.MacAlgorithm)}}, states: []string{enabled}, dryRun: in.DryRun,
		usage: macUsage, algorithm: string(in.MacAlgorithm)}
	return out, s.view(r, func(_ *region.Txn, key Key) error {
		out.KeyId, out.Mac = aws.String(s.arn("key/"+key.ID)), key.mac(in.Message, in.MacAlgorithm)
		return nil
	})
}

func (s *Service) verifyMac(call *wire.Call, in *kms.VerifyMacInput) (*kms.VerifyMacOutput, error) {
	out := &kms.VerifyMacOutput{MacAlgorithm: in.MacAlgorithm, MacValid: true}
	r := request{call: call, id: aws.ToString(in.KeyId), byAlias: true, about: iam.Keys{"kms:macalgorithm": {string(in.MacAlgorithm)}}, states: []string{enabled}, dryRun: in.DryRun,
		usage: macUsage, algorithm: string(in.MacAlgorithm)}
	return out, s.view(r, func(_ *region.Txn, key Key) error {
		out.KeyId = aws.String(s.arn("key/" + key.ID))
		if !hmac.Equal(key.mac(in.Message, in.MacAlgorithm), in.Mac) {
			return wire.Modelled(&types.KMSInvalidMacException{}, schemas.KMSInvalidMacException)
		}
		return nil
	})
}

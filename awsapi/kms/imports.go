package kms

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // RSAES_OAEP_SHA_1 is what it is
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/state"
)

const (
	// external is the origin of keys whose material their owner brings, and awsOrigin that of all others.
	external, awsOrigin = "EXTERNAL", "AWS_KMS"

	// importPeriod is how long an import token counts, and longestValid for how long material can be asked to last.
	importPeriod = 24 * time.Hour
	longestValid = 365 * day
)

// wrappingBits are the sizes of wrapping keys.
var wrappingBits = map[types.WrappingKeySpec]int{types.WrappingKeySpecRsa2048: 2048,
	types.WrappingKeySpecRsa3072: 3072, types.WrappingKeySpecRsa4096: 4096}

// wrappings are the algorithms that material can be wrapped by: the hash of OAEP, and whether that is around an AES key
// which wraps it.
var wrappings = map[types.AlgorithmSpec]struct {
	hash func() hash.Hash
	aes  bool
}{
	types.AlgorithmSpecRsaesOaepSha1: {sha1.New, false}, types.AlgorithmSpecRsaesOaepSha256: {sha256.New, false},
	types.AlgorithmSpecRsaAesKeyWrapSha1: {sha1.New, true}, types.AlgorithmSpecRsaAesKeyWrapSha256: {sha256.New, true},
}

// importToken is what an import token holds, sealed with the region's key: no zone has to keep the wrapping key.
type importToken struct {
	KeyID     string              `json:"keyId"`
	Algorithm types.AlgorithmSpec `json:"algorithm"`
	Until     time.Time           `json:"until"`
	Private   []byte              `json:"private"` // PKCS #1
}

// tokenSeal is what import tokens are sealed with: a key of their own, which follows from the region's.
func (s *Service) tokenSeal(ctx context.Context) (cipher.AEAD, error) {
	key, err := iam.EnsureSessionKey(ctx, s.State, rand.Reader, s.now())
	if err != nil {
		return nil, err
	}
	own := sha256.Sum256([]byte("kms import token\x00" + key.Key))
	block, err := aes.NewCipher(own[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// imported refuses a key whose material is not its owner's.
func (s *Service) imported(key Key) error {
	if key.Origin != external {
		return unsupported("%s origin is %s which is not valid for this operation.", s.arn("key/"+key.ID), key.origin())
	}
	return nil
}

func (s *Service) getParametersForImport(call *operation.Call,
	in *kms.GetParametersForImportInput) (*kms.GetParametersForImportOutput, error) {
	if wrappings[in.WrappingAlgorithm].hash == nil || wrappingBits[in.WrappingKeySpec] == 0 {
		return nil, unsupported("Tripod has no wrapping algorithm %s with the wrapping key spec %s.", in.WrappingAlgorithm,
			in.WrappingKeySpec)
	}
	out := &kms.GetParametersForImportOutput{ParametersValidTo: aws.Time(s.now().Add(importPeriod))}
	token := importToken{Algorithm: in.WrappingAlgorithm, Until: *out.ParametersValidTo}
	r := request{call: call, id: aws.ToString(in.KeyId), states: kept,
		about: iam.Keys{"kms:wrappingalgorithm": {string(in.WrappingAlgorithm)},
			"kms:wrappingkeyspec": {string(in.WrappingKeySpec)}}}
	err := s.view(r, func(_ *state.Txn, key Key) error {
		token.KeyID, out.KeyId = key.ID, aws.String(s.arn("key/"+key.ID))
		return s.imported(key)
	})
	if err != nil {
		return nil, err
	}
	private, err := rsa.GenerateKey(rand.Reader, wrappingBits[in.WrappingKeySpec])
	if err != nil {
		return nil, fmt.Errorf("make a wrapping key: %w", err)
	}
	if out.PublicKey, err = x509.MarshalPKIXPublicKey(&private.PublicKey); err != nil {
		return nil, fmt.Errorf("write a wrapping key: %w", err)
	}
	token.Private = x509.MarshalPKCS1PrivateKey(private)
	text, err := json.Marshal(token)
	if err != nil {
		return nil, fmt.Errorf("write an import token: %w", err)
	}
	seal, err := s.tokenSeal(call.Request.Context())
	if err != nil {
		return nil, err
	}
	nonce := randomBytes(seal.NonceSize())
	out.ImportToken = seal.Seal(nonce, nonce, text, nil)
	return out, nil
}

// openToken reads a token that getParametersForImport made, for whichever key.
func (s *Service) openToken(ctx context.Context, sealed []byte) (importToken, error) {
	var token importToken
	seal, err := s.tokenSeal(ctx)
	if err != nil {
		return token, err
	}
	if len(sealed) < seal.NonceSize() {
		return token, invalidImportToken()
	}
	text, err := seal.Open(nil, sealed[:seal.NonceSize()], sealed[seal.NonceSize():], nil)
	if err != nil || json.Unmarshal(text, &token) != nil {
		return token, invalidImportToken()
	}
	return token, nil
}

// unwrap is the material that was wrapped with the token's public key.
func (t importToken) unwrap(wrapped []byte) ([]byte, error) {
	private, err := x509.ParsePKCS1PrivateKey(t.Private)
	if err != nil {
		return nil, fmt.Errorf("read a wrapping key: %w", err)
	}
	how, rest := wrappings[t.Algorithm], []byte(nil)
	if how.aes && len(wrapped) > private.Size() {
		wrapped, rest = wrapped[:private.Size()], wrapped[private.Size():]
	}
	plain, err := rsa.DecryptOAEP(how.hash(), nil, private, wrapped, nil)
	if err == nil && how.aes {
		plain, err = unwrapPadded(plain, rest)
	}
	if err != nil {
		return nil, invalidCiphertext("The encrypted key material cannot be decrypted: wrap it with the public key and " +
			"by the algorithm of its import token.")
	}
	return plain, nil
}

// newImported is material of the owner's, if a key of that spec can have it. The same material always has the same id.
func newImported(keyID, spec string, bytes []byte, now time.Time) (Material, error) {
	want := map[string]int{symmetricSpec: 32, "HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}[spec]
	if want != 0 && len(bytes) != want || want == 0 && specOf(bytes) != spec {
		return Material{}, incorrectMaterial("The key material is not one of the key spec %s.", spec)
	}
	sum := sha256.Sum256(append([]byte("kms material\x00"+keyID+"\x00"), bytes...))
	return Material{ID: hex.EncodeToString(sum[:]), Bytes: bytes, CreatedAt: now}, nil
}

// specOf is the spec of a private key in PKCS #8; empty where it is none that KMS takes.
func specOf(bytes []byte) string {
	private, err := x509.ParsePKCS8PrivateKey(bytes)
	if err != nil {
		return ""
	}
	switch private := private.(crypto.PrivateKey).(type) {
	case *rsa.PrivateKey:
		return "RSA_" + strconv.Itoa(private.N.BitLen())
	case *ecdsa.PrivateKey:
		return "ECC_NIST_P" + strconv.Itoa(private.Curve.Params().BitSize)
	case ed25519.PrivateKey:
		return "ECC_NIST_EDWARDS25519"
	}
	return ""
}

func (s *Service) importKeyMaterial(call *operation.Call,
	in *kms.ImportKeyMaterialInput) (*kms.ImportKeyMaterialOutput, error) {
	expires := in.ExpirationModel != types.ExpirationModelTypeKeyMaterialDoesNotExpire
	switch now := s.now(); {
	case expires && in.ValidTo == nil:
		return nil, invalid("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
	case !expires && in.ValidTo != nil:
		return nil, invalid("A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")
	case expires && (!in.ValidTo.After(now) || in.ValidTo.After(now.Add(longestValid))):
		return nil, invalid("The validTo date must be in the future, at most 365 days from now")
	}
	token, err := s.openToken(call.Request.Context(), in.ImportToken)
	if err != nil {
		return nil, err
	}
	about := iam.Keys{"kms:expirationmodel": {string(types.ExpirationModelTypeKeyMaterialDoesNotExpire)}}
	if expires {
		about = iam.Keys{"kms:expirationmodel": {string(types.ExpirationModelTypeKeyMaterialExpires)},
			"kms:validto": {in.ValidTo.UTC().Format(time.RFC3339)}}
	}
	out := &kms.ImportKeyMaterialOutput{}
	return out, s.change(request{call: call, id: aws.ToString(in.KeyId), states: kept, about: about},
		func(_ *state.Txn, key *Key) error {
			switch err := s.imported(*key); {
			case err != nil:
				return err
			case token.KeyID != key.ID:
				return invalidImportToken()
			case !token.Until.After(s.now()):
				return expiredImportToken()
			}
			bytes, err := token.unwrap(in.EncryptedKeyMaterial)
			if err != nil {
				return err
			}
			made, err := newImported(key.ID, key.spec(), bytes, s.now())
			if err != nil {
				return err
			}
			switch known := len(key.Materials) > 0; {
			case in.ImportType == types.ImportTypeNewKeyMaterial && known:
				return unsupported("Tripod has one imported material a key: leave ImportType out to import the same one again.")
			case in.ImportType == types.ImportTypeExistingKeyMaterial && !known:
				return incorrectMaterial("The key has no key material yet.")
			case known && key.current().ID != made.ID, in.KeyMaterialId != nil && *in.KeyMaterialId != made.ID:
				return incorrectMaterial("The key material is not the one that was imported into the key before.")
			}
			key.Materials, key.ValidTo, key.MaterialDescription = []Material{made}, in.ValidTo,
				aws.ToString(in.KeyMaterialDescription)
			if key.State == pendingImport {
				key.State = enabled
			}
			out.KeyId, out.KeyMaterialId = aws.String(s.arn("key/"+key.ID)), aws.String(made.ID)
			return nil
		})
}

// deleteImportedKeyMaterial leaves the id of the material: only the same one can be imported again.
func (s *Service) deleteImportedKeyMaterial(call *operation.Call,
	in *kms.DeleteImportedKeyMaterialInput) (*kms.DeleteImportedKeyMaterialOutput, error) {
	out := &kms.DeleteImportedKeyMaterialOutput{}
	r := request{call: call, id: aws.ToString(in.KeyId), states: append([]string{pendingDeletion}, kept...)}
	return out, s.change(r, func(_ *state.Txn, key *Key) error {
		if err := s.imported(*key); err != nil {
			return err
		}
		out.KeyId = aws.String(s.arn("key/" + key.ID))
		if len(key.Materials) == 0 {
			return nil
		}
		out.KeyMaterialId = aws.String(key.current().ID)
		if in.KeyMaterialId != nil && *in.KeyMaterialId != key.current().ID {
			return notFound("Key material '%s' does not exist", *in.KeyMaterialId)
		}
		key.forget()
		return nil
	})
}

// forget drops imported material; the key waits for it to be imported again.
func (k *Key) forget() {
	if len(k.Materials) > 0 {
		k.Materials = []Material{{ID: k.current().ID, CreatedAt: k.current().CreatedAt}}
	}
	k.ValidTo = nil
	if k.State != pendingDeletion {
		k.State = pendingImport
	}
}

// at is the key as it is at a time: imported material whose time is over is gone.
func (k Key) at(now time.Time) Key {
	if k.ValidTo != nil && !now.Before(*k.ValidTo) {
		k.forget()
	}
	return k
}

func (k Key) hasMaterial() bool { return len(k.Materials) > 0 && len(k.current().Bytes) > 0 }

// describeImport shows what DescribeKey tells of imported material.
func (k Key) describeImport(out *types.KeyMetadata) {
	if k.Origin != external || !k.hasMaterial() {
		return
	}
	out.ExpirationModel = types.ExpirationModelTypeKeyMaterialDoesNotExpire
	if k.ValidTo != nil {
		out.ExpirationModel, out.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, k.ValidTo
	}
}

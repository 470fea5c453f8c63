package kms

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"tripod/awsapi/wire"
)

// The usual kind of key.
const symmetricSpec, encryptUsage = "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"

// The other usages.
const signUsage, macUsage = "SIGN_VERIFY", "GENERATE_VERIFY_MAC"

// kind is what a key spec can be used for: the algorithms by usage ("Key spec reference" of KMS's guide).
type kind map[string][]string

var (
	rsaKind = kind{
		encryptUsage: {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"},
		signUsage: {"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
			"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512"},
	}
	// kinds are the key specs that Tripod has.
	kinds = map[string]kind{
		symmetricSpec: {encryptUsage: {symmetricSpec}},
		"RSA_2048":    rsaKind, "RSA_3072": rsaKind, "RSA_4096": rsaKind,
		"ECC_NIST_P256": {signUsage: {"ECDSA_SHA_256"}}, "ECC_NIST_P384": {signUsage: {"ECDSA_SHA_384"}},
		"ECC_NIST_P521":         {signUsage: {"ECDSA_SHA_512"}},
		"ECC_NIST_EDWARDS25519": {signUsage: {"ED25519_SHA_512"}},
		"HMAC_224":              {macUsage: {"HMAC_SHA_224"}}, "HMAC_256": {macUsage: {"HMAC_SHA_256"}},
		"HMAC_384": {macUsage: {"HMAC_SHA_384"}}, "HMAC_512": {macUsage: {"HMAC_SHA_512"}},
	}
)

func (k Key) spec() string  { return cmp.Or(k.Spec, symmetricSpec) }
func (k Key) usage() string { return cmp.Or(k.Usage, encryptUsage) }

func (k Key) origin() string { return cmp.Or(k.Origin, awsOrigin) }

// algorithms are those that the key can be used with.
func (k Key) algorithms() []string { return kinds[k.spec()][k.usage()] }

// newBytes makes what a key of a spec works with: random bytes, or a private key in PKCS #8.
func newBytes(spec string) ([]byte, error) {
	var (
		private crypto.PrivateKey
		err     error
	)
	switch spec {
	case symmetricSpec, "HMAC_256":
		return randomBytes(32), nil
	case "HMAC_224":
		return randomBytes(28), nil
	case "HMAC_384":
		return randomBytes(48), nil
	case "HMAC_512":
		return randomBytes(64), nil
	case "RSA_2048":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "RSA_3072":
		private, err = rsa.GenerateKey(rand.Reader, 3072)
	case "RSA_4096":
		private, err = rsa.GenerateKey(rand.Reader, 4096)
	case "ECC_NIST_P256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ECC_NIST_P384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ECC_NIST_P521":
		private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ECC_NIST_EDWARDS25519":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, unsupported("Tripod has no keys of the KeySpec %s.", spec)
	}
	if err != nil {
		return nil, fmt.Errorf("make a key of %s: %w", spec, err)
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// signer is the private key of an asymmetric key.
func (k Key) signer() (crypto.Signer, error) {
	private, err := x509.ParsePKCS8PrivateKey(k.current().Bytes)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", k.ID, err)
	}
	return private.(crypto.Signer), nil // all that newBytes makes are
}

// fits refuses an operation that the key's usage or spec is not for, and an algorithm that is not the key's.
func (s *Service) fits(key Key, operation, usage, algorithm string) error {
	message := ""
	switch symmetric := key.spec() == symmetricSpec; {
	case key.usage() != usage, strings.HasPrefix(operation, "GenerateDataKey") && !symmetric:
		message = fmt.Sprintf("%s key usage is %s which is not valid for %s.", s.arn("key/"+key.ID), key.usage(), operation)
	case !slices.Contains(key.algorithms(), algorithm):
		message = fmt.Sprintf("Algorithm %s is incompatible with key spec %s.", algorithm, key.spec())
	default:
		return nil
	}
	return wire.Modelled(&types.InvalidKeyUsageException{Message: aws.String(message)}, schemas.InvalidKeyUsageException)
}

// grantable are the operations that a grant on the key can have ("Grant operations" of KMS's guide).
func (k Key) grantable() []string {
	all := []string{"CreateGrant", "DescribeKey", "RetireGrant"}
	switch k.usage() {
	case signUsage:
		return append(all, "GetPublicKey", "Sign", "Verify")
	case macUsage:
		return append(all, "GenerateMac", "VerifyMac")
	}
	all = append(all, "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo")
	if k.spec() != symmetricSpec {
		return append(all, "GetPublicKey")
	}
	return append(all, "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
		"GenerateDataKeyWithoutPlaintext")
}

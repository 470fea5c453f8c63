package kms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// key makes a key of a kind.
func (w *world) key(spec types.KeySpec, usage types.KeyUsageType) types.KeyMetadata {
	w.Helper()
	made, err := w.CreateKey(w.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
	if err != nil {
		w.Fatal(err)
	}
	return *made.KeyMetadata
}

// TestSignaturesAreVerifiedByOthers signs by each algorithm of each spec, and verifies with the public key alone.
func TestSignaturesAreVerifiedByOthers(t *testing.T) {
	w := newWorld(t)
	message := []byte("attack at dawn")
	for _, spec := range []types.KeySpec{types.KeySpecRsa2048, types.KeySpecEccNistP256, types.KeySpecEccNistP384,
		types.KeySpecEccNistP521, types.KeySpecEccNistEdwards25519} {
		key := w.key(spec, types.KeyUsageTypeSignVerify)
		if len(key.SigningAlgorithms) == 0 || len(key.EncryptionAlgorithms) > 0 || key.KeySpec != spec ||
			key.KeyUsage != types.KeyUsageTypeSignVerify {
			t.Errorf("%s: got %+v", spec, key)
		}
		public, err := w.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: key.KeyId})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParsePKIXPublicKey(public.PublicKey)
		if err != nil || public.KeySpec != spec || len(public.SigningAlgorithms) != len(key.SigningAlgorithms) {
			t.Fatalf("%s: got %+v, %v", spec, public, err)
		}
		for _, algorithm := range key.SigningAlgorithms {
			out, err := w.Sign(t.Context(), &kms.SignInput{KeyId: key.KeyId, Message: message, SigningAlgorithm: algorithm})
			if err != nil || *out.KeyId != *key.Arn || out.SigningAlgorithm != algorithm {
				t.Fatalf("%s %s: got %+v, %v", spec, algorithm, out, err)
			}
			hash, digest := digestOf(algorithm, message)
			good := false
			switch parsed := parsed.(type) {
			case *rsa.PublicKey:
				good = rsa.VerifyPKCS1v15(parsed, hash, digest, out.Signature) == nil ||
					rsa.VerifyPSS(parsed, hash, digest, out.Signature, nil) == nil
			case *ecdsa.PublicKey:
				good = ecdsa.VerifyASN1(parsed, digest, out.Signature)
			case ed25519.PublicKey:
				good = ed25519.Verify(parsed, message, out.Signature)
			}
			if !good {
				t.Errorf("%s %s: the signature is not good", spec, algorithm)
			}
			verify := func(message, signature []byte, kind types.MessageType) error {
				_, err := w.Verify(t.Context(),
					&kms.VerifyInput{KeyId: key.KeyId, Message: message, MessageType: kind, Signature: signature,
						SigningAlgorithm: algorithm})
				return err
			}
			w.works(verify(message, out.Signature, types.MessageTypeRaw))
			w.fails(verify([]byte("attack at noon"), out.Signature, types.MessageTypeRaw), "KMSInvalidSignatureException", "")
			w.fails(verify(message, bytes.Repeat([]byte{1}, len(out.Signature)), ""), "KMSInvalidSignatureException", "")
			if spec == types.KeySpecEccNistEdwards25519 {
				w.fails(verify(digest, out.Signature, types.MessageTypeDigest), "ValidationException", "does not go with")
				continue
			}
			w.works(verify(digest, out.Signature, types.MessageTypeDigest))
			w.fails(verify(message, out.Signature, types.MessageTypeDigest), "ValidationException",
				"Digest is invalid length for algorithm "+string(algorithm)+".")
		}
	}
}

func digestOf(algorithm types.SigningAlgorithmSpec, message []byte) (crypto.Hash, []byte) {
	switch {
	case strings.HasSuffix(string(algorithm), "256"):
		sum := sha256.Sum256(message)
		return crypto.SHA256, sum[:]
	case strings.HasSuffix(string(algorithm), "384"):
		sum := sha512.Sum384(message)
		return crypto.SHA384, sum[:]
	}
	sum := sha512.Sum512(message)
	return crypto.SHA512, sum[:]
}

func TestMacsAreVerified(t *testing.T) {
	w := newWorld(t)
	for spec, algorithm := range map[types.KeySpec]types.MacAlgorithmSpec{
		types.KeySpecHmac224: types.MacAlgorithmSpecHmacSha224, types.KeySpecHmac256: types.MacAlgorithmSpecHmacSha256,
		types.KeySpecHmac384: types.MacAlgorithmSpecHmacSha384, types.KeySpecHmac512: types.MacAlgorithmSpecHmacSha512,
	} {
		key := w.key(spec, types.KeyUsageTypeGenerateVerifyMac)
		made, err := w.GenerateMac(t.Context(),
			&kms.GenerateMacInput{KeyId: key.KeyId, Message: []byte("x"), MacAlgorithm: algorithm})
		if err != nil || len(made.Mac)*8 != map[types.KeySpec]int{types.KeySpecHmac224: 224, types.KeySpecHmac256: 256,
			types.KeySpecHmac384: 384, types.KeySpecHmac512: 512}[spec] {
			t.Fatalf("%s: got %+v, %v", spec, made, err)
		}
		again, err := w.GenerateMac(t.Context(),
			&kms.GenerateMacInput{KeyId: key.KeyId, Message: []byte("x"), MacAlgorithm: algorithm})
		if err != nil || !hmac.Equal(made.Mac, again.Mac) {
			t.Errorf("%s: got another MAC, %v", spec, err)
		}
		_, err = w.VerifyMac(t.Context(),
			&kms.VerifyMacInput{KeyId: key.KeyId, Message: []byte("x"), MacAlgorithm: algorithm, Mac: made.Mac})
		w.works(err)
		_, err = w.VerifyMac(t.Context(),
			&kms.VerifyMacInput{KeyId: key.KeyId, Message: []byte("y"), MacAlgorithm: algorithm, Mac: made.Mac})
		w.fails(err, "KMSInvalidMacException", "")
	}
}

func TestRSAKeysEncrypt(t *testing.T) {
	w := newWorld(t)
	key := w.key(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	public, err := w.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: key.KeyId})
	if err != nil {
		t.Fatal(err)
	}
	parsed, _ := x509.ParsePKIXPublicKey(public.PublicKey)
	outside, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, parsed.(*rsa.PublicKey), []byte("from outside"), nil)
	if err != nil {
		t.Fatal(err)
	}
	const algorithm = types.EncryptionAlgorithmSpecRsaesOaepSha256
	decrypt := func(id *string, blob []byte, algorithm types.EncryptionAlgorithmSpec) (string, error) {
		out, err := w.Decrypt(t.Context(), &kms.DecryptInput{KeyId: id, CiphertextBlob: blob, EncryptionAlgorithm: algorithm})
		if err != nil {
			return "", err
		}
		return string(out.Plaintext), nil
	}
	if got, err := decrypt(key.KeyId, outside, algorithm); err != nil || got != "from outside" {
		t.Errorf("got %q, %v", got, err)
	}
	inside, err := w.Encrypt(t.Context(),
		&kms.EncryptInput{KeyId: key.KeyId, Plaintext: []byte("from inside"), EncryptionAlgorithm: algorithm})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decrypt(key.KeyId, inside.CiphertextBlob, algorithm); err != nil || got != "from inside" {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = decrypt(key.KeyId, inside.CiphertextBlob, types.EncryptionAlgorithmSpecRsaesOaepSha1)
	w.fails(err, "InvalidCiphertextException", "")
	_, err = decrypt(nil, inside.CiphertextBlob, algorithm)
	w.fails(err, "ValidationException", "KeyId is required")
	_, err = w.Encrypt(t.Context(), &kms.EncryptInput{KeyId: key.KeyId, Plaintext: []byte("x")})
	w.fails(err, "InvalidKeyUsageException", "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.")
	_, err = w.Encrypt(t.Context(),
		&kms.EncryptInput{KeyId: key.KeyId, Plaintext: make([]byte, 300), EncryptionAlgorithm: algorithm})
	w.fails(err, "ValidationException", "too long")
	moved, err := w.ReEncrypt(t.Context(),
		&kms.ReEncryptInput{SourceKeyId: key.KeyId, SourceEncryptionAlgorithm: algorithm, CiphertextBlob: outside,
			DestinationKeyId: &w.keyID})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decrypt(nil, moved.CiphertextBlob, ""); err != nil || got != "from outside" {
		t.Errorf("re-encrypted: got %q, %v", got, err)
	}
}

// TestKeysAreForTheirUsageOnly has the refusals of what a key is not for.
func TestKeysAreForTheirUsageOnly(t *testing.T) {
	w := newWorld(t)
	create := func(spec types.KeySpec, usage types.KeyUsageType) error {
		_, err := w.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage})
		return err
	}
	w.fails(create(types.KeySpecRsa2048, ""), "ValidationException",
		"You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	w.fails(create(types.KeySpecEccNistP256, types.KeyUsageTypeEncryptDecrypt), "ValidationException",
		"KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256")
	w.fails(create(types.KeySpecHmac256, types.KeyUsageTypeSignVerify), "ValidationException",
		"KeyUsage SIGN_VERIFY is not compatible with KeySpec HMAC_256")
	w.fails(create(types.KeySpecSymmetricDefault, types.KeyUsageTypeSignVerify), "ValidationException",
		"KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT")
	w.fails(create(types.KeySpecSm2, types.KeyUsageTypeSignVerify), "UnsupportedOperationException", "SM2")

	signer, mac := w.key(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify),
		w.key(types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)
	_, err := w.Sign(t.Context(),
		&kms.SignInput{KeyId: &w.keyID, Message: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	w.fails(err, "InvalidKeyUsageException", w.arn+" key usage is ENCRYPT_DECRYPT which is not valid for Sign.")
	_, err = w.Sign(t.Context(),
		&kms.SignInput{KeyId: signer.KeyId, Message: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha384})
	w.fails(err, "InvalidKeyUsageException", "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.")
	_, err = w.Encrypt(t.Context(), &kms.EncryptInput{KeyId: signer.KeyId, Plaintext: []byte("x")})
	w.fails(err, "InvalidKeyUsageException", "key usage is SIGN_VERIFY which is not valid for Encrypt.")
	_, err = w.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: mac.KeyId, KeySpec: types.DataKeySpecAes256})
	w.fails(err, "InvalidKeyUsageException", "key usage is GENERATE_VERIFY_MAC which is not valid for GenerateDataKey.")
	for _, id := range []*string{&w.keyID, mac.KeyId} {
		_, err = w.GetPublicKey(t.Context(), &kms.GetPublicKeyInput{KeyId: id})
		w.fails(err, "UnsupportedOperationException", "no public key")
	}
	for _, id := range []*string{signer.KeyId, mac.KeyId} {
		_, err = w.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: id})
		w.fails(err, "UnsupportedOperationException", "rotation")
	}
	_, err = w.CreateGrant(t.Context(),
		&kms.CreateGrantInput{KeyId: &w.keyID, GranteePrincipal: aws.String(users + "nobody"),
			Operations: operations("Sign")})
	w.fails(err, "ValidationException", "Sign")
	_, err = w.CreateGrant(t.Context(),
		&kms.CreateGrantInput{KeyId: signer.KeyId, GranteePrincipal: aws.String(users + "nobody"),
			Operations: operations("Sign GetPublicKey")})
	w.works(err)
	_, err = w.as("nobody").Sign(t.Context(),
		&kms.SignInput{KeyId: signer.KeyId, Message: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	w.works(err)
	_, err = w.CreateAlias(t.Context(),
		&kms.CreateAliasInput{AliasName: aws.String("alias/signer"), TargetKeyId: signer.KeyId})
	w.works(err)
	_, err = w.UpdateAlias(t.Context(),
		&kms.UpdateAliasInput{AliasName: aws.String("alias/signer"), TargetKeyId: &w.keyID})
	w.fails(err, "ValidationException", "same")
}

// TestDataKeyPairIsOpenedByItsKey takes the private key from its ciphertext.
func TestDataKeyPairIsOpenedByItsKey(t *testing.T) {
	w := newWorld(t)
	pair, err := w.GenerateDataKeyPair(t.Context(),
		&kms.GenerateDataKeyPairInput{KeyId: &w.keyID, KeyPairSpec: types.DataKeyPairSpecEccNistP256})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := w.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: pair.PrivateKeyCiphertextBlob})
	if err != nil || !bytes.Equal(opened.Plaintext, pair.PrivateKeyPlaintext) {
		t.Fatalf("got %v", err)
	}
	private, err := x509.ParsePKCS8PrivateKey(opened.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())
	if !bytes.Equal(public, pair.PublicKey) {
		t.Error("the public key is another one's")
	}
	without, err := w.GenerateDataKeyPairWithoutPlaintext(t.Context(),
		&kms.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &w.keyID, KeyPairSpec: types.DataKeyPairSpecEccNistP384})
	if err != nil || len(without.PrivateKeyCiphertextBlob) == 0 {
		t.Errorf("got %+v, %v", without, err)
	}
}

package kms_test

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"hash"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// external makes a key without material.
func (w *world) external(in kms.CreateKeyInput) *types.KeyMetadata {
	w.Helper()
	in.Origin = types.OriginTypeExternal
	made, err := w.CreateKey(w.Context(), &in)
	if err != nil {
		w.Fatal(err)
	}
	return made.KeyMetadata
}

// wrap gets parameters for an import, and wraps material by them as a client does.
func (w *world) wrap(keyID string, algorithm types.AlgorithmSpec, material []byte) *kms.ImportKeyMaterialInput {
	w.Helper()
	params, err := w.GetParametersForImport(w.Context(),
		&kms.GetParametersForImportInput{KeyId: &keyID, WrappingAlgorithm: algorithm,
			WrappingKeySpec: types.WrappingKeySpecRsa2048})
	if err != nil {
		w.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(params.PublicKey)
	if err != nil {
		w.Fatal(err)
	}
	h := map[types.AlgorithmSpec]hash.Hash{types.AlgorithmSpecRsaesOaepSha1: sha1.New(),
		types.AlgorithmSpecRsaAesKeyWrapSha1: sha1.New()}[algorithm]
	if h == nil {
		h = sha256.New()
	}
	var rest []byte
	if strings.HasPrefix(string(algorithm), "RSA_AES") {
		kek := make([]byte, 32)
		rand.Read(kek)
		material, rest = kek, keyWrap(w.T, kek, material)
	}
	wrapped, err := rsa.EncryptOAEP(h, rand.Reader, public.(*rsa.PublicKey), material, nil)
	if err != nil {
		w.Fatal(err)
	}
	return &kms.ImportKeyMaterialInput{KeyId: &keyID, ImportToken: params.ImportToken,
		EncryptedKeyMaterial: append(wrapped, rest...),
		ExpirationModel:      types.ExpirationModelTypeKeyMaterialDoesNotExpire}
}

// keyWrap is AES key wrap with padding of more than 8 bytes (RFC 5649, section 4.1).
func keyWrap(t *testing.T, kek, plain []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(kek)
	if err != nil {
		t.Fatal(err)
	}
	blocks := append([]byte(nil), plain...)
	for len(blocks)%8 != 0 {
		blocks = append(blocks, 0)
	}
	check := binary.BigEndian.AppendUint32([]byte{0xA6, 0x59, 0x59, 0xA6}, uint32(len(plain)))
	n := len(blocks) / 8
	for j := range 6 {
		for i := 1; i <= n; i++ {
			b := append(append([]byte(nil), check...), blocks[8*(i-1):8*i]...)
			block.Encrypt(b, b)
			binary.BigEndian.PutUint64(check, binary.BigEndian.Uint64(b[:8])^uint64(n*j+i))
			copy(blocks[8*(i-1):], b[8:])
		}
	}
	return append(check, blocks...)
}

func (w *world) importing(in *kms.ImportKeyMaterialInput) string {
	w.Helper()
	out, err := w.ImportKeyMaterial(w.Context(), in)
	if err != nil {
		w.Fatal(err)
	}
	return *out.KeyMaterialId
}

func TestImportedMaterialEncryptsUntilItIsDeletedAndAfterItIsBack(t *testing.T) {
	w := newWorld(t)
	key := w.external(kms.CreateKeyInput{})
	if key.Origin != types.OriginTypeExternal || key.KeyState != types.KeyStatePendingImport || key.Enabled ||
		key.CurrentKeyMaterialId != nil {
		t.Errorf("got %+v", key)
	}
	w.keyID = *key.KeyId
	_, err := w.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte("x")})
	w.fails(err, "KMSInvalidStateException", "is pending import.")
	_, err = w.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &w.keyID})
	w.fails(err, "KMSInvalidStateException", "is pending import.")
	material := bytes.Repeat([]byte{7}, 32)
	first := w.importing(w.wrap(w.keyID, types.AlgorithmSpecRsaesOaepSha256, material))
	blob := w.encrypt("attack at dawn", nil)
	described, err := w.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &w.keyID})
	if err != nil || described.KeyMetadata.KeyState != types.KeyStateEnabled ||
		aws.ToString(described.KeyMetadata.CurrentKeyMaterialId) != first ||
		described.KeyMetadata.ExpirationModel != types.ExpirationModelTypeKeyMaterialDoesNotExpire {
		t.Errorf("got %+v, %v", described, err)
	}
	_, err = w.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: &w.keyID})
	w.fails(err, "UnsupportedOperationException", "origin is EXTERNAL which is not valid for this operation.")
	deleted, err := w.DeleteImportedKeyMaterial(t.Context(), &kms.DeleteImportedKeyMaterialInput{KeyId: &w.keyID})
	if err != nil || aws.ToString(deleted.KeyMaterialId) != first {
		t.Errorf("got %+v, %v", deleted, err)
	}
	_, err = w.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob})
	w.fails(err, "KMSInvalidStateException", "is pending import.")
	_, err = w.ImportKeyMaterial(t.Context(),
		w.wrap(w.keyID, types.AlgorithmSpecRsaesOaepSha1, bytes.Repeat([]byte{8}, 32)))
	w.fails(err, "IncorrectKeyMaterialException", "not the one that was imported")
	// The same material, by another algorithm and for an hour.
	again := w.wrap(w.keyID, types.AlgorithmSpecRsaAesKeyWrapSha1, material)
	again.ExpirationModel, again.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, aws.Time(time.Now().Add(time.Hour))
	if id := w.importing(again); id != first {
		t.Errorf("the same material is %s, and was %s", id, first)
	}
	out, err := w.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob})
	if err != nil || string(out.Plaintext) != "attack at dawn" {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestImportsAreRefusedAsInKMS(t *testing.T) {
	w := newWorld(t)
	key, other := *w.external(kms.CreateKeyInput{}).KeyId, *w.external(kms.CreateKeyInput{}).KeyId
	material := bytes.Repeat([]byte{7}, 32)
	_, err := w.GetParametersForImport(t.Context(),
		&kms.GetParametersForImportInput{KeyId: &w.keyID, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256,
			WrappingKeySpec: types.WrappingKeySpecRsa2048})
	w.fails(err, "UnsupportedOperationException", w.arn+" origin is AWS_KMS which is not valid for this operation.")
	good := w.wrap(key, types.AlgorithmSpecRsaesOaepSha256, material)
	for name, c := range map[string]struct {
		change      func(*kms.ImportKeyMaterialInput)
		code, words string
	}{
		"no date": {func(in *kms.ImportKeyMaterialInput) { in.ExpirationModel = "" }, "ValidationException",
			"A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"},
		"a date for ever": {func(in *kms.ImportKeyMaterialInput) { in.ValidTo = aws.Time(time.Now().Add(time.Hour)) },
			"ValidationException", "must not be set"},
		"another's token": {func(in *kms.ImportKeyMaterialInput) { in.KeyId = &other }, "InvalidImportTokenException", ""},
		"no token": {func(in *kms.ImportKeyMaterialInput) { in.ImportToken = []byte("x") },
			"InvalidImportTokenException", ""},
		"changed": {func(in *kms.ImportKeyMaterialInput) { in.EncryptedKeyMaterial[9] ^= 1 },
			"InvalidCiphertextException", ""},
		"none to be back": {func(in *kms.ImportKeyMaterialInput) { in.ImportType = types.ImportTypeExistingKeyMaterial },
			"IncorrectKeyMaterialException", ""},
		"another key's id": {func(in *kms.ImportKeyMaterialInput) {
			in.KeyMaterialId = aws.String(strings.Repeat("0",
				64))
		}, "IncorrectKeyMaterialException", ""},
		"a date in the past": {func(in *kms.ImportKeyMaterialInput) {
			in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, aws.Time(time.Now().Add(-time.Hour))
		}, "ValidationException", "in the future"},
	} {
		in := *good
		in.EncryptedKeyMaterial = bytes.Clone(good.EncryptedKeyMaterial)
		c.change(&in)
		_, err := w.ImportKeyMaterial(t.Context(), &in)
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		w.fails(err, c.code, c.words)
	}
	_, err = w.ImportKeyMaterial(t.Context(), w.wrap(key, types.AlgorithmSpecRsaesOaepSha256, material[:16]))
	w.fails(err, "IncorrectKeyMaterialException", "not one of the key spec SYMMETRIC_DEFAULT")
	w.importing(good)
}

func TestImportedPrivateKeySigns(t *testing.T) {
	w := newWorld(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key := *w.external(kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeSignVerify}).KeyId
	w.importing(w.wrap(key, types.AlgorithmSpecRsaAesKeyWrapSha256, der))
	out, err := w.Sign(t.Context(),
		&kms.SignInput{KeyId: &key, Message: []byte("hello"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("hello"))
	if !ecdsa.VerifyASN1(&private.PublicKey, digest[:], out.Signature) {
		t.Error("the signature is not the imported key's")
	}
	wrong := *w.external(kms.CreateKeyInput{KeySpec: types.KeySpecEccNistP384,
		KeyUsage: types.KeyUsageTypeSignVerify}).KeyId
	_, err = w.ImportKeyMaterial(t.Context(), w.wrap(wrong, types.AlgorithmSpecRsaAesKeyWrapSha256, der))
	w.fails(err, "IncorrectKeyMaterialException", "ECC_NIST_P384")
}

func TestMultiRegionKeysWorkInTheirOneRegion(t *testing.T) {
	w := newWorld(t)
	made, err := w.CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	key := made.KeyMetadata
	if !strings.HasPrefix(*key.KeyId, "mrk-") || len(*key.KeyId) != 36 || !*key.MultiRegion ||
		key.MultiRegionConfiguration.MultiRegionKeyType != types.MultiRegionKeyTypePrimary ||
		*key.MultiRegionConfiguration.PrimaryKey.Arn != *key.Arn ||
		*key.MultiRegionConfiguration.PrimaryKey.Region != "us-east-1" {
		t.Errorf("got %+v", key)
	}
	w.keyID = *key.KeyId
	out, err := w.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: w.encrypt("hello", nil)})
	if err != nil || string(out.Plaintext) != "hello" || *out.KeyId != *key.Arn {
		t.Errorf("got %+v, %v", out, err)
	}
	_, err = w.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &w.keyID, ReplicaRegion: aws.String("eu-west-1")})
	w.fails(err, "UnsupportedOperationException", "cannot be replicated to eu-west-1")
}

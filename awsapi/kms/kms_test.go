package kms_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/apitest"
)

const admin = "arn:aws:iam::111122223333:user/admin"

type world struct {
	*apitest.World
	*testing.T
	*kms.Client // the administrator's
	keyID, arn  string
}

// newWorld is a region with one key.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: apitest.New(t), T: t}
	w.Client = w.as("admin")
	made, err := w.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	w.keyID, w.arn = *made.KeyMetadata.KeyId, *made.KeyMetadata.Arn
	return w
}

func (w *world) as(user string) *kms.Client { return kms.NewFromConfig(w.Config(user)) }

// fails says that a call failed with that code and a sentence that holds the words.
func (w *world) fails(err error, code, words string) {
	w.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), words) {
		w.Errorf("got %v, want %s with %q", err, code, words)
	}
}

func (w *world) works(err error) {
	w.Helper()
	if err != nil {
		w.Error(err)
	}
}

func (w *world) encrypt(text string, context map[string]string) []byte {
	w.Helper()
	out, err := w.Encrypt(w.Context(),
		&kms.EncryptInput{KeyId: &w.keyID, Plaintext: []byte(text), EncryptionContext: context})
	if err != nil {
		w.Fatal(err)
	}
	return out.CiphertextBlob
}

func TestCiphertextIsOpenedInItsContextOnly(t *testing.T) {
	w := newWorld(t)
	blob := w.encrypt("attack at dawn", map[string]string{"purpose": "test"})
	if bytes.Contains(blob, []byte("attack")) {
		t.Error("the plaintext is in the ciphertext")
	}
	out, err := w.Decrypt(t.Context(),
		&kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: map[string]string{"purpose": "test"}})
	if err != nil || string(out.Plaintext) != "attack at dawn" || *out.KeyId != w.arn {
		t.Errorf("got %+v, %v", out, err)
	}
	for name, in := range map[string]*kms.DecryptInput{
		"no context":    {CiphertextBlob: blob},
		"other context": {CiphertextBlob: blob, EncryptionContext: map[string]string{"purpose": "tests"}},
		"shifted":       {CiphertextBlob: blob, EncryptionContext: map[string]string{"purposet": "est"}},
		"changed": {CiphertextBlob: append(bytes.Clone(blob[:len(blob)-1]), blob[len(blob)-1]^1),
			EncryptionContext: map[string]string{"purpose": "test"}},
		"cut": {CiphertextBlob: blob[:20]},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Decrypt(context.Background(), in)
			w.fails(err, "InvalidCiphertextException", "")
		})
	}
}

func TestRotatedKeyStillDecryptsWhatItsOldMaterialEncrypted(t *testing.T) {
	w := newWorld(t)
	old := w.encrypt("old", nil)
	_, err := w.RotateKeyOnDemand(t.Context(), &kms.RotateKeyOnDemandInput{KeyId: &w.keyID})
	w.works(err)
	for want, blob := range map[string][]byte{"old": old, "new": w.encrypt("new", nil)} {
		out, err := w.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob})
		if err != nil || string(out.Plaintext) != want {
			t.Errorf("got %+v, %v, want %s", out, err, want)
		}
	}
}

func TestReEncryptMovesToAnotherKey(t *testing.T) {
	w := newWorld(t)
	other, err := w.CreateKey(t.Context(), &kms.CreateKeyInput{})
	w.works(err)
	moved, err := w.ReEncrypt(t.Context(),
		&kms.ReEncryptInput{CiphertextBlob: w.encrypt("x", nil), DestinationKeyId: other.KeyMetadata.KeyId,
			DestinationEncryptionContext: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.Decrypt(t.Context(),
		&kms.DecryptInput{CiphertextBlob: moved.CiphertextBlob, KeyId: other.KeyMetadata.Arn,
			EncryptionContext: map[string]string{"a": "b"}})
	if err != nil || string(out.Plaintext) != "x" {
		t.Errorf("got %+v, %v", out, err)
	}
	_, err = w.Decrypt(t.Context(),
		&kms.DecryptInput{CiphertextBlob: moved.CiphertextBlob, KeyId: &w.keyID,
			EncryptionContext: map[string]string{"a": "b"}})
	w.fails(err, "IncorrectKeyException", "does not identify a CMK")
}

func TestKeyOfNoUseRefusesByItsState(t *testing.T) {
	w := newWorld(t)
	blob := w.encrypt("x", nil)
	use := func() error {
		_, err := w.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob})
		return err
	}
	_, err := w.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &w.keyID})
	w.works(err)
	w.fails(use(), "DisabledException", w.arn+" is disabled.")
	out, err := w.ScheduleKeyDeletion(t.Context(),
		&kms.ScheduleKeyDeletionInput{KeyId: &w.keyID, PendingWindowInDays: aws.Int32(7)})
	if err != nil || time.Until(*out.DeletionDate) > 7*24*time.Hour {
		t.Errorf("got %+v, %v", out, err)
	}
	w.fails(use(), "KMSInvalidStateException", w.arn+" is pending deletion.")
	_, err = w.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &w.keyID})
	w.works(err)
	_, err = w.CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &w.keyID})
	w.fails(err, "KMSInvalidStateException", "is not pending deletion.")
	_, err = w.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &w.keyID})
	w.works(err)
	w.works(use())
}

func TestAliasStandsForItsKey(t *testing.T) {
	w := newWorld(t)
	create := func(name string) error {
		_, err := w.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: &name, TargetKeyId: &w.keyID})
		return err
	}
	w.works(create("alias/secrets"))
	w.fails(create("alias/secrets"), "AlreadyExistsException",
		"An alias with the name arn:aws:kms:us-east-1:111122223333:alias/secrets already exists")
	w.fails(create("secrets"), "ValidationException",
		`Alias must start with the prefix "alias/". Please see `+
			`https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`)
	w.fails(create("Alias/secrets"), "ValidationException", "must start with the prefix")
	w.fails(create("alias/a:b"), "ValidationException", "alias/a:b contains invalid characters for an alias")
	w.fails(create("alias/a b"), "ValidationException",
		"Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: "+
			"^[a-zA-Z0-9:/_-]+$")
	w.fails(create("alias/aws/eks"), "NotAuthorizedException", "reserved")
	for _, target := range []string{"alias/secrets", "arn:aws:kms:us-east-1:111122223333:alias/secrets"} {
		_, err := w.CreateAlias(t.Context(),
			&kms.CreateAliasInput{AliasName: aws.String("alias/again"), TargetKeyId: &target})
		w.fails(err, "ValidationException", "Aliases must refer to keys. Not aliases")
		_, err = w.UpdateAlias(t.Context(),
			&kms.UpdateAliasInput{AliasName: aws.String("alias/secrets"), TargetKeyId: &target})
		w.fails(err, "ValidationException", "Aliases must refer to keys. Not aliases")
	}
	for _, name := range []string{"alias/aws/ebs", "secrets", "alias/none"} {
		code := map[string]string{"alias/aws/ebs": "NotAuthorizedException", "secrets": "ValidationException",
			"alias/none": "NotFoundException"}[name]
		_, err := w.DeleteAlias(t.Context(), &kms.DeleteAliasInput{AliasName: &name})
		w.fails(err, code, "")
		_, err = w.UpdateAlias(t.Context(), &kms.UpdateAliasInput{AliasName: &name, TargetKeyId: &w.keyID})
		w.fails(err, code, "")
	}
	for _, id := range []string{"alias/secrets", "arn:aws:kms:us-east-1:111122223333:alias/secrets", w.keyID, w.arn} {
		out, err := w.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id})
		if err != nil || *out.KeyMetadata.KeyId != w.keyID {
			t.Errorf("%s: got %+v, %v", id, out, err)
		}
	}
	for id, code := range map[string]string{
		"alias/none": "NotFoundException", "nonsense": "NotFoundException",
		"arn:aws:kms:us-east-1:111122223333:thing/x":        "InvalidArnException",
		"arn:aws:kms:eu-west-1:111122223333:key/" + w.keyID: "NotFoundException",
		"arn:aws:kms:us-east-1:444455556666:key/" + w.keyID: "NotFoundException",
	} {
		_, err := w.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id})
		w.fails(err, code, "")
		if id == "nonsense" {
			w.fails(err, code, "Invalid keyId 'nonsense'")
		}
	}
	_, err := w.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: aws.String("alias/secrets")})
	w.fails(err, "NotFoundException", "Invalid keyId 'alias/secrets'")
}

// TestPredefinedAliasGetsItsKeyWhenItIsDescribed follows "DescribeKey" and "ListAliases" of KMS's API reference.
func TestPredefinedAliasGetsItsKeyWhenItIsDescribed(t *testing.T) {
	w := newWorld(t)
	ebs := func() types.AliasListEntry {
		out, err := w.ListAliases(t.Context(), &kms.ListAliasesInput{})
		w.works(err)
		for _, alias := range out.Aliases {
			if *alias.AliasName == "alias/aws/ebs" {
				return alias
			}
		}
		t.Fatal("there is no alias/aws/ebs")
		return types.AliasListEntry{}
	}
	if before := ebs(); before.TargetKeyId != nil ||
		*before.AliasArn != "arn:aws:kms:us-east-1:111122223333:alias/aws/ebs" {
		t.Errorf("got %+v, want an alias without a key", before)
	}
	_, err := w.as("nobody").DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/aws/ebs")})
	w.fails(err, "AccessDeniedException", "kms:DescribeKey")
	if ebs().TargetKeyId != nil {
		t.Error("who may not describe it made the key")
	}
	var made []string
	for range 2 {
		out, err := w.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/aws/ebs")})
		if err != nil || out.KeyMetadata.KeyManager != types.KeyManagerTypeAws {
			t.Fatalf("got %+v, %v", out, err)
		}
		made = append(made, *out.KeyMetadata.KeyId)
	}
	if made[0] != made[1] || *ebs().TargetKeyId != made[0] {
		t.Errorf("got %q, and the alias is %+v", made, ebs())
	}
	_, err = w.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/aws/ebs"), Plaintext: []byte("x")})
	w.fails(err, "AccessDeniedException", "because no resource-based policy allows the kms:Encrypt action")
	_, err = w.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &made[0]})
	w.fails(err, "AccessDeniedException", "because no resource-based policy allows the kms:ScheduleKeyDeletion action")
	_, err = w.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/aws/coffee")})
	w.fails(err, "NotFoundException", "Alias arn:aws:kms:us-east-1:111122223333:alias/aws/coffee is not found.")
}

func TestBadInputIsRefusedAndNoSecretShown(t *testing.T) {
	w := newWorld(t)
	_, err := w.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String(""), Plaintext: make([]byte, 4097)})
	w.fails(err, "ValidationException", "Value '' at 'keyId' failed to satisfy constraint: Member must have length "+
		"greater than or equal to 1")
	w.fails(err, "ValidationException", "Value (a blob of 4097) at 'plaintext' failed to satisfy constraint: Member "+
		"must have length less than or equal to 4096")
	_, err = w.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: &w.keyID})
	w.fails(err, "ValidationException", "either number of bytes or key spec")
	_, err = w.DescribeCustomKeyStores(t.Context(), &kms.DescribeCustomKeyStoresInput{})
	w.fails(err, "UnknownOperationException", "Tripod does not have kms:DescribeCustomKeyStores yet.")
}

func TestBoto3UsesKeys(t *testing.T) { apitest.New(t).Boto3("testdata/clients.py") }

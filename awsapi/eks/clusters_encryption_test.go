package eks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	keys "tripod/awsapi/kms"
	"tripod/region"
	"tripod/state"
)

// newKey makes a KMS key and returns a client for it.
func newKey(t *testing.T, w *world) (client *kms.Client, arn string) {
	t.Helper()
	options := w.Options()
	client = kms.New(kms.Options{Region: options.Region, BaseEndpoint: options.BaseEndpoint, HTTPClient: options.HTTPClient,
		Credentials: options.Credentials, RetryMaxAttempts: 1})
	return client, *must(client.CreateKey(ctx, &kms.CreateKeyInput{}))(t).KeyMetadata.Arn
}

func encryption(arn string) []types.EncryptionConfig {
	return []types.EncryptionConfig{{Provider: &types.Provider{KeyArn: &arn}}}
}

// unwrapped is the cluster demo's key of encryption at rest, as its zones get it.
func unwrapped(t *testing.T, w *world) (key string, err error) {
	t.Helper()
	viewed := w.state.View(func(tx *state.Txn) error {
		record, _ := region.ClusterNamed(tx, "demo")
		if record.Secrets.EncryptionKey != "" {
			t.Errorf("the key is in the record: %s", record.Secrets.EncryptionKey)
		}
		key, err = keys.Unwrap(tx, record, time.Now())
		return nil
	})
	if viewed != nil {
		t.Fatal(viewed)
	}
	return key, err
}

func TestClusterKeyNeedsItsKMSKey(t *testing.T) {
	w := newWorld(t, "API")
	w.set(t, func(c *region.Cluster) { c.Secrets.EncryptionKey = "the key" })
	client, arn := newKey(t, w)
	must(w.AssociateEncryptionConfig(ctx,
		&eks.AssociateEncryptionConfigInput{ClusterName: aws.String("demo"), EncryptionConfig: encryption(arn)}))(t)
	if key, err := unwrapped(t, w); key != "the key" || err != nil {
		t.Errorf("got %q, %v", key, err)
	}
	_, err := w.AssociateEncryptionConfig(ctx,
		&eks.AssociateEncryptionConfigInput{ClusterName: aws.String("demo"), EncryptionConfig: encryption(arn)})
	if err == nil || !strings.Contains(err.Error(), "InvalidParameterException: Encryption is already enabled on "+
		"the cluster") {
		t.Errorf("again: %v", err)
	}
	grants := must(client.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn}))(t).Grants
	if len(grants) != 1 {
		t.Fatalf("grants: %+v", grants)
	}
	for _, step := range []struct {
		code string
		do   func() (any, error)
	}{
		{"", func() (any, error) { return nil, nil }},
		{"KmsKeyDisabled", func() (any, error) { return client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &arn}) }},
		{"", func() (any, error) { return client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &arn}) }},
		{"KmsGrantRevoked", func() (any, error) {
			return client.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &arn, GrantId: grants[0].GrantId})
		}},
		{"KmsKeyMarkedForDeletion", func() (any, error) {
			return client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &arn})
		}},
	} {
		if _, err := step.do(); err != nil {
			t.Fatal(err)
		}
		issues := must(w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")}))(t).Cluster.Health.Issues
		if got := len(issues); got > 1 || (got == 0) != (step.code == "") || got == 1 &&
			(string(issues[0].Code) != step.code || issues[0].ResourceIds[0] != arn) {
			t.Errorf("issues: %+v, want %q", issues, step.code)
		}
		if _, err := unwrapped(t, w); (err == nil) != (step.code == "") {
			t.Errorf("with %q the key: %v", step.code, err)
		}
	}
}

func TestEncryptionConfigIsCheckedAtCreation(t *testing.T) {
	w := newWorld(t, "API")
	client, arn := newKey(t, w)
	must(client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/eks"), TargetKeyId: &arn}))(t)
	disabled := *must(client.CreateKey(ctx, &kms.CreateKeyInput{}))(t).KeyMetadata.Arn
	must(client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &disabled}))(t)
	w.allow(t, "powerless", "eks:*", "iam:PassRole")
	for name, c := range map[string]struct {
		by     *eks.Client
		config []types.EncryptionConfig
		want   string
	}{
		"none": {w.Client, encryption(strings.Replace(arn, "key/", "key/0", 1)),
			"InvalidParameterException: Key 'arn:aws:kms:us-east-1:111122223333:key/0"},
		"disabled": {w.Client, encryption(disabled), "InvalidParameterException: The AWS KMS key used for your cluster " +
			"is disabled"},
		"foreign": {w.Client, encryption("arn:aws:kms:us-east-1:444455556666:key/x"),
			"InvalidParameterException: The keyArn for encryptionConfig must be owned by caller's account."},
		"elsewhere": {w.Client, encryption("arn:aws:kms:eu-west-1:111122223333:key/x"),
			"InvalidParameterException: Invalid arn eu-west-1"},
		"no key": {w.Client, []types.EncryptionConfig{{Provider: &types.Provider{}}},
			"InvalidParameterException: KeyArn is required"},
		"forbidden": {w.powerless, encryption(arn), "InvalidRequestException: User not authorized to perform " +
			"kms:DescribeKey operation"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.by.CreateCluster(ctx,
				newCluster("new", func(in *eks.CreateClusterInput) { in.EncryptionConfig = c.config }))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	aliased := "arn:aws:kms:us-east-1:111122223333:alias/eks"
	made := must(w.CreateCluster(ctx,
		newCluster("new", func(in *eks.CreateClusterInput) { in.EncryptionConfig = encryption(aliased) })))(t).Cluster
	if got := made.EncryptionConfig; len(got) != 1 || *got[0].Provider.KeyArn != aliased {
		t.Errorf("shown: %+v", got)
	}
	if e := record(t, w, "new").Envelope; e == nil || e.KeyARN != arn {
		t.Errorf("the record has %+v", e)
	}
	w.activate(t, "new")
	must(w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("new")}))(t)
	if left := must(client.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn}))(t).Grants; len(left) != 0 {
		t.Errorf("the deleted cluster's grant is left: %+v", left)
	}
}

// allow gives a user an inline policy for actions on everything.
func (w *world) allow(t *testing.T, name string, actions ...string) {
	t.Helper()
	if err := w.state.Update(ctx, func(tx *state.Txn) error {
		user, _ := region.Users.Get(tx, name)
		user.Inline = map[string]string{"own": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["` +
			strings.Join(actions, `","`) + `"],"Resource":"*"}}`}
		region.Users.Put(tx, name, user)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

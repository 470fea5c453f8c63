package awsapi_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"tripod/awsapi/history"
	"tripod/iam"
)

func TestRootIsItsAccountToSTSAndInTheHistory(t *testing.T) {
	configure, read := withHistory(t)
	w := newWorld(t, configure)
	ctx := context.Background()
	key, _, err := iam.EnsureRootKey(ctx, w, rand.Reader, iam.DefaultAccountID, created)
	if err != nil {
		t.Fatal(err)
	}
	root := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	who, err := w.sts(root).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || *who.Arn != "arn:aws:iam::111122223333:root" || *who.UserId != "111122223333" ||
		*who.Account != "111122223333" {
		t.Errorf("got %+v, %v", who, err)
	}
	_, err = w.sts(root).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/any"),
		RoleSessionName: aws.String("me")})
	if err == nil || !strings.Contains(err.Error(), "Roles may not be assumed by root accounts.") {
		t.Errorf("AssumeRole: got %v", err)
	}
	w.raw(t, "GET", "/?Action=CreateAccessKey&Version=2010-05-08", "", nil, signAs(t, root, "iam"))
	records, text := read()
	want := history.Identity{Type: "Root", PrincipalID: "111122223333", ARN: "arn:aws:iam::111122223333:root",
		AccountID: "111122223333", AccessKeyID: key.ID}
	for _, record := range records {
		if record.UserIdentity != want {
			t.Errorf("%s: got %+v, want %+v", record.EventName, record.UserIdentity, want)
		}
	}
	if len(records) != 3 || records[2].ErrorCode != "" ||
		!strings.Contains(string(records[2].ResponseElements), "AKIA") || strings.Contains(text, key.Secret) {
		t.Fatalf("got %s", text)
	}
	for _, made := range w.accessKeys(t) {
		if strings.Contains(text, made.Secret) {
			t.Errorf("the history tells the secret of %s", made.ID)
		}
	}
}

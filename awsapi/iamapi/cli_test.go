package iamapi_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestAWSCommandUnderstandsTheAnswers drives the front with the program that users have.
func TestAWSCommandUnderstandsTheAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("the aws command takes seconds to start each time")
	}
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("there is no aws on PATH")
	}
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	run := func(args string) string {
		t.Helper()
		words := strings.Split(args, " ")
		command := exec.CommandContext(ctx, aws, append(words, "--endpoint-url", w.url, "--output", "text")...)
		command.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+w.admin.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY="+w.admin.SecretAccessKey,
			"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_CONFIG_FILE="+os.DevNull,
			"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
		out, err := command.CombinedOutput()
		if err != nil && ctx.Err() == nil && !strings.Contains(string(out), "error occurred") {
			t.Fatalf("aws %s: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, c := range []struct{ args, want string }{
		{"iam create-role --role-name node --assume-role-policy-document " +
			accounts + " --tags Key=a,Value=b --query Role.Arn", "arn:aws:iam::" + account + ":role/node"},
		{"iam get-role --role-name node --query Role.AssumeRolePolicyDocument.Statement.Principal.AWS", account},
		{"iam create-open-id-connect-provider --url https://localhost:4566/id/X --client-id-list sts.amazonaws.com " +
			"--query OpenIDConnectProviderArn",
			"arn:aws:iam::" + account + ":oidc-provider/localhost:4566/id/X"},
		{"iam get-account-summary --query SummaryMap.Users", "2"},
		{"sts get-federation-token --name bob --policy-arns arn=arn:aws:iam::aws:policy/ReadOnlyAccess --tags " +
			"Key=a,Value=b --query FederatedUser.Arn",
			"arn:aws:sts::" + account + ":federated-user/bob"},
		{"iam update-assume-role-policy --role-name node --policy-document " +
			strings.Replace(accounts, `"sts:AssumeRole"`, `["sts:AssumeRole","sts:TagSession"]`, 1), ""},
		{"sts assume-role --role-arn arn:aws:iam::" + account + ":role/node --role-session-name s1 --tags Key=a,Value=b " +
			"--transitive-tag-keys a --query AssumedRoleUser.Arn",
			"arn:aws:sts::" + account + ":assumed-role/node/s1"},
		{"iam delete-role --role-name none", "NoSuchEntity"},
	} {
		if got := run(c.args); got != c.want && (c.want != "NoSuchEntity" || !strings.Contains(got, c.want)) {
			t.Errorf("aws %s: got %q, want %q", c.args, got, c.want)
		}
	}
}

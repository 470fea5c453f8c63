// Package apitest is the AWS endpoint for tests of the services: a front over a region in memory, and users who call it
// with real clients.
package apitest

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi"
	"tripod/awsapi/eks"
	"tripod/iam"
	"tripod/internal/sdkclient"
	"tripod/region"
	"tripod/state"
)

// Region is the name of every test's region.
const Region = "us-east-1"

// World is a front over a region with the user admin, who may do everything, and nobody, who may do nothing.
type World struct {
	*state.Memory
	Front *awsapi.Front
	URL   string
	t     *testing.T
	keys  map[string]region.AccessKey // by the user's name
}

// New starts a front over a region that holds what the seeds write. It ends with the test.
func New(t *testing.T, seeds ...func(*state.Txn)) *World {
	t.Helper()
	return Start(t, func(*World) {}, seeds...)
}

// Start is New with a front that configure has changed before it serves.
func Start(t *testing.T, configure func(*World), seeds ...func(*state.Txn)) *World {
	t.Helper()
	w := &World{Memory: region.NewMemory(seeds...), t: t, keys: map[string]region.AccessKey{}}
	w.Front = &awsapi.Front{Backend: awsapi.Backend{
		Region: Region, AccountID: iam.DefaultAccountID, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"},
		State: w.Memory, ControlPlane: controlPlane(),
	}}
	w.User("admin", iam.AdministratorAccess)
	w.User("nobody")
	configure(w)
	server := httptest.NewServer(w.Front.Handler())
	t.Cleanup(server.Close)
	w.URL = server.URL
	return w
}

// controlPlane is what clusters are made of, as far as records go: there are no zones that act on them.
func controlPlane() eks.ControlPlane {
	return eks.ControlPlane{FirstPort: 20010, PortsPerCluster: 10, MostClusters: 5, AWSPort: 4566,
		DefaultVersion: "1.36",
		Versions:       map[string]string{"1.36": "v1.36.3-eks-1", "1.37": "v1.37.2-eks-1"},
		NewSecrets: func(region.Cluster) (region.ClusterSecrets, error) {
			return region.ClusterSecrets{CACert: "a certificate"}, nil
		}}
}

// User makes a user with an access key and managed policies.
func (w *World) User(name string, policies ...string) {
	w.t.Helper()
	user, err := iam.NewUser(rand.Reader, iam.DefaultAccountID, name, time.Now(), policies...)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := iam.NewAccessKey(rand.Reader, iam.DefaultAccountID, name, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.keys[name] = key
	w.Write(func(tx *state.Txn) {
		region.Users.Put(tx, name, user)
		region.AccessKeys.Put(tx, key.ID, key)
	})
}

// Root makes an access key of the account's root user, who is called root here.
func (w *World) Root() {
	w.t.Helper()
	key, _, err := iam.EnsureRootKey(context.Background(), w.Memory, rand.Reader, iam.DefaultAccountID, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.keys["root"] = key
}

// Allow gives a user an inline policy with one statement.
func (w *World) Allow(name, action, resource string) {
	w.t.Helper()
	w.Write(func(tx *state.Txn) {
		user, _ := region.Users.Get(tx, name)
		user.Inline = map[string]string{"own": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` +
			action + `","Resource":"` + resource + `"}}`}
		region.Users.Put(tx, name, user)
	})
}

// Write changes the region behind the front's back.
func (w *World) Write(edit func(*state.Txn)) {
	w.t.Helper()
	if err := w.Update(context.Background(), func(tx *state.Txn) error { edit(tx); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// Config is the SDK's configuration of a client that a user calls with.
func (w *World) Config(user string) aws.Config {
	key := w.keys[user]
	return aws.Config{
		Region: Region, BaseEndpoint: aws.String(w.URL), RetryMaxAttempts: 1, HTTPClient: sdkclient.New(&http.Transport{}, time.Minute),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}, nil
		}),
	}
}

// Boto3 runs a script as the user admin; the test is skipped where there is no boto3.
func (w *World) Boto3(script string) {
	w.t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import boto3").Run() != nil {
		w.t.Skip("there is no python3 with boto3")
	}
	w.run(exec.Command(python, script))
}

// CLI runs the aws command as the user admin and returns what it printed; the test is skipped where there is no such
// command.
func (w *World) CLI(args ...string) string {
	w.t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		w.t.Skip("there is no aws command")
	}
	return w.run(exec.Command(path, args...))
}

func (w *World) run(command *exec.Cmd) string {
	w.t.Helper()
	key := w.keys["admin"]
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.t.TempDir(), "AWS_ACCESS_KEY_ID=" + key.ID,
		"AWS_SECRET_ACCESS_KEY=" + key.Secret,
		"AWS_DEFAULT_REGION=" + Region, "AWS_REGION=" + Region, "AWS_ENDPOINT_URL=" + w.URL, "AWS_MAX_ATTEMPTS=1",
		"AWS_PAGER=",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"}
	out, err := command.CombinedOutput()
	if err != nil {
		w.t.Errorf("%v: %v\n%s", command.Args, err, out)
	}
	return string(out)
}

package ec2_test

import (
	"crypto/rand"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tripod/awsapi"
	"tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const clusterID = "0123456789ABCDEF0123456789ABCDEF"

// serve starts a front over a region with the cluster demo, and returns the environment in which clients find it.
func serve(t *testing.T) []string {
	t.Helper()
	created := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	user, err := iam.NewUser(rand.Reader, iam.DefaultAccountID, "admin", created, iam.AdministratorAccess)
	if err != nil {
		t.Fatal(err)
	}
	key, err := iam.NewAccessKey(rand.Reader, iam.DefaultAccountID, "admin", created)
	if err != nil {
		t.Fatal(err)
	}
	zones := []string{"us-east-1a", "us-east-1b", "us-east-1c"}
	front := &awsapi.Front{Backend: awsapi.Backend{
		Region: "us-east-1", AccountID: iam.DefaultAccountID, Zones: zones,
		State: region.NewMemory(func(tx *state.Txn) {
			region.Users.Put(tx, user.Name, user)
			region.AccessKeys.Put(tx, key.ID, key)
			c := region.Cluster{ID: clusterID, Name: "demo", CreatedAt: created, Nodes: 4}
			region.Clusters.Put(tx, clusterID, c)
			network := &ec2.Service{VPC: ec2.VPC{AccountID: iam.DefaultAccountID, Region: "us-east-1", Zones: zones}}
			if err := network.AdoptNodes(tx, c, created); err != nil {
				t.Error(err)
			}
		}),
	}}
	server := httptest.NewServer(front.Handler())
	t.Cleanup(server.Close)
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_ACCESS_KEY_ID=" + key.ID,
		"AWS_SECRET_ACCESS_KEY=" + key.Secret,
		"AWS_DEFAULT_REGION=us-east-1", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=" + server.URL, "AWS_MAX_ATTEMPTS=1",
		"AWS_PAGER=",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
		"NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1"}
}

// TestBoto3ReadsWhatItWrote runs testdata/clients.py: botocore parses every answer by Amazon's own model, and the
// script says what must be in it.
func TestBoto3ReadsWhatItWrote(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to run boto3 with")
	}
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		t.Skip("python3 has no boto3")
	}
	cmd := exec.Command(python, "testdata/clients.py")
	cmd.Env = serve(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("clients.py: %v\n%s", err, out)
	}
}

func TestCommandLineReadsTheDefaultNetwork(t *testing.T) {
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("no aws command line")
	}
	cmd := exec.Command(cli, "ec2", "describe-subnets", "--filters", "Name=tag:kubernetes.io/role/internal-elb,Values=1",
		"--query", "Subnets[].[AvailabilityZone,CidrBlock]", "--output", "text")
	cmd.Env = serve(t)
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"us-east-1a\t10.0.0.0/19", "us-east-1b\t10.0.32.0/19", "us-east-1c\t10.0.64.0/19"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("got %q, %v, want %q in it", out, err, want)
		}
	}
}

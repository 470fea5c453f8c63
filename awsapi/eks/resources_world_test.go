package eks_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/smithy-go"

	"tripod/awsapi"
	"tripod/awsapi/ec2"
	service "tripod/awsapi/eks"
	"tripod/iam"
	"tripod/internal/pki"
	"tripod/internal/sdkclient"
	"tripod/region"
	"tripod/state"
)

const (
	clusterID = "0123456789ABCDEF0123456789ABCDEF"
	role      = "arn:aws:iam::111122223333:role/team/worker"
	root      = "arn:aws:iam::111122223333:root"
	otherRole = "arn:aws:iam::111122223333:role/other"
)

// trustOfAll lets all services take a role that requests give roles to.
const trustOfAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"Service":["eks.amazonaws.com",
	"ec2.amazonaws.com","eks-fargate-pods.amazonaws.com","pods.eks.amazonaws.com","capabilities.eks.amazonaws.com"]}}]}`

var (
	ctx     = context.Background()
	created = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	vpc     = ec2.VPC{AccountID: iam.DefaultAccountID, Region: "us-east-1",
		Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
)

// world is a front over a region with the clusters demo and other, two roles, and a client signed as an administrator.
type world struct {
	*eks.Client
	state     *state.Memory
	admin     string // its ARN
	powerless *eks.Client
	memory    int64 // what the machine has left
}

func newWorld(t *testing.T, mode string, wishes ...func(*service.ControlPlane)) *world {
	t.Helper()
	w := &world{}
	credentials := map[string]aws.Credentials{}
	w.state = region.NewMemory(func(tx *state.Txn) {
		for name, policies := range map[string][]string{"admin": {iam.AdministratorAccess}, "powerless": nil} {
			user, err := iam.NewUser(rand.Reader, iam.DefaultAccountID, name, created, policies...)
			if err != nil {
				t.Fatal(err)
			}
			key, err := iam.NewAccessKey(rand.Reader, iam.DefaultAccountID, name, created)
			if err != nil {
				t.Fatal(err)
			}
			region.Users.Put(tx, name, user)
			region.AccessKeys.Put(tx, key.ID, key)
			credentials[name] = aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
			if name == "admin" {
				w.admin = user.ARN
			}
		}
		region.Roles.Put(tx, "worker",
			region.Role{Name: "worker", ARN: role, ID: "AROAWORKERWORKERWORKE", Path: "/team/", TrustPolicy: trustOfAll})
		region.Roles.Put(tx, "other",
			region.Role{Name: "other", ARN: otherRole, ID: "AROAOTHEROTHEROTHEROT", Path: "/", TrustPolicy: trustOfAll})
		for name, id := range map[string]string{"demo": clusterID, "other": "F" + clusterID[1:]} {
			region.Clusters.Put(tx, id, region.Cluster{ID: id, Name: name, Version: "1.36", Status: "ACTIVE", CreatedAt: created,
				CreatorARN: w.admin, AuthenticationMode: mode, Issuer: "https://localhost:4566/id/" + id})
		}
	})
	plane := service.ControlPlane{FirstPort: 20010, PortsPerCluster: 10, MostClusters: 5,
		PortsFree: func(port int) bool { return port != 20020 }, AWSPort: 4566, DefaultVersion: "1.36",
		Versions:        map[string]string{"1.35": "v1.35.6-eks-1", "1.36": "v1.36.3-eks-1", "1.37": "v1.37.2-eks-1"},
		AvailableMemory: func() int64 { return w.memory },
		NewSecrets: func(c region.Cluster) (region.ClusterSecrets, error) {
			return region.ClusterSecrets{CACert: "certificate for " + c.ServiceCIDR, CAKey: "the private key"}, nil
		},
		NewAuthority: func(region.Cluster) (cert, key string, err error) {
			made, err := pki.NewAuthority("another", pki.Loopback)
			if err != nil {
				return "", "", err
			}
			return string(made.Cert), string(made.Key), nil
		}}
	for _, wish := range wishes {
		wish(&plane)
	}
	front := &awsapi.Front{Backend: awsapi.Backend{
		Region: vpc.Region, AccountID: vpc.AccountID, Zones: vpc.Zones, State: w.state, ControlPlane: plane,
	}}
	server := httptest.NewServer(front.Handler())
	t.Cleanup(server.Close)
	client := func(name string) *eks.Client {
		return eks.New(eks.Options{Region: vpc.Region, BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
			HTTPClient: sdkclient.New(&http.Transport{}, time.Minute),
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return credentials[name],
					nil
			})})
	}
	w.Client, w.powerless = client("admin"), client("powerless")
	return w
}

// set changes the cluster demo's record.
func (w *world) set(t *testing.T, change func(*region.Cluster)) {
	t.Helper()
	if err := w.state.Update(ctx, func(tx *state.Txn) error {
		c, _ := region.Clusters.Get(tx, clusterID)
		change(&c)
		region.Clusters.Put(tx, clusterID, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// must is the answer of a call that succeeds.
func must[T any](answer T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

// wantError checks which exception a call met.
func wantError[T any](t *testing.T, _ T, err error, code string) {
	t.Helper()
	statuses := map[string]int{"ResourceNotFoundException": 404, "NotFoundException": 404, "ResourceInUseException": 409,
		"AccessDeniedException": 403}
	want, special := statuses[code]
	if !special {
		want = 400
	}
	var apiError smithy.APIError
	var response *awshttp.ResponseError
	if !errors.As(err, &apiError) || !errors.As(err, &response) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if apiError.ErrorCode() != code || response.HTTPStatusCode() != want {
		t.Errorf("got %s with status %d: %s; want %s with %d", apiError.ErrorCode(), response.HTTPStatusCode(),
			apiError.ErrorMessage(), code, want)
	}
}

const (
	invalid  = "InvalidParameterException"
	refused  = "InvalidRequestException"
	missing  = "ResourceNotFoundException"
	taken    = "ResourceInUseException"
	noAccess = "AccessDeniedException"
)

// pagesOf collects the items of all pages of a list operation, two a page, and checks that no page is larger.
func pagesOf[Out, Item any](t *testing.T, more func() bool, next func() (Out, error), items func(Out) []Item) []Item {
	t.Helper()
	var all []Item
	for more() {
		out, err := next()
		if err != nil {
			t.Fatal(err)
		}
		if len(items(out)) > 2 {
			t.Errorf("got a page of %d, want 2 at most", len(items(out)))
		}
		all = append(all, items(out)...)
	}
	return all
}

package awsapi_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/prometheus/client_golang/prometheus"

	"tripod/awsapi"
	"tripod/iam"
	"tripod/internal/sdkclient"
	"tripod/region"
	"tripod/state"
)

const clusterID = "0123456789ABCDEF0123456789ABCDEF"

var created = time.Date(2026, 3, 4, 5, 6, 7, 250e6, time.UTC)

// world is a front over a region with the cluster demo, the user admin, and a user who may do nothing.
type world struct {
	end func() // ends the endpoint once all calls are answered and noted
	*state.Memory
	url               string
	user              region.User
	admin, powerless  aws.Credentials
	serviceAccountKey *ecdsa.PrivateKey
	metrics           *prometheus.Registry
	log               *syncBuffer
	clock             time.Time // zero: the real one
}

// syncBuffer is a log that the server writes while the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newWorld(t testing.TB, configure ...func(*awsapi.Front)) *world {
	t.Helper()
	w := &world{metrics: prometheus.NewRegistry(), log: &syncBuffer{}}
	var err error
	if w.serviceAccountKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(w.serviceAccountKey)
	if err != nil {
		t.Fatal(err)
	}
	w.Memory = region.NewMemory(func(tx *state.Txn) {
		w.user, w.admin = putUser(t, tx, "admin", iam.AdministratorAccess)
		_, w.powerless = putUser(t, tx, "powerless")
		region.Clusters.Put(tx, clusterID, region.Cluster{
			ID: clusterID, Name: "demo", Version: "1.36", Status: "ACTIVE", CreatedAt: created, CreatorARN: w.user.ARN,
			AuthenticationMode: "API_AND_CONFIG_MAP", EndpointPort: 16443, ServiceCIDR: "10.100.0.0/16",
			Issuer: "https://localhost:4566/id/" + clusterID,
			Secrets: region.ClusterSecrets{
				CACert:            "-----BEGIN CERTIFICATE-----\n",
				CAKey:             "the CA's private key",
				ServiceAccountKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
			},
		})
	})
	front := &awsapi.Front{
		Backend: awsapi.Backend{
			Region: "us-east-1", AccountID: iam.DefaultAccountID,
			Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}, State: w,
			Now: func() time.Time {
				if w.clock.IsZero() {
					return time.Now()
				}
				return w.clock
			},
		},
		Registerer: w.metrics, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	for _, change := range configure {
		change(front)
	}
	server := httptest.NewServer(front.Handler())
	t.Cleanup(server.Close)
	w.url, w.end = server.URL, server.Close
	return w
}

func putUser(t testing.TB, tx *state.Txn, name string, policies ...string) (region.User, aws.Credentials) {
	t.Helper()
	user, err := iam.NewUser(rand.Reader, iam.DefaultAccountID, name, created, policies...)
	if err != nil {
		t.Fatal(err)
	}
	key, err := iam.NewAccessKey(rand.Reader, iam.DefaultAccountID, name, created)
	if err != nil {
		t.Fatal(err)
	}
	region.Users.Put(tx, user.Name, user)
	region.AccessKeys.Put(tx, key.ID, key)
	return user, aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
}

func (w *world) accessKeys(t *testing.T) (keys []region.AccessKey) {
	t.Helper()
	w.update(t, func(tx *state.Txn) { keys = region.AccessKeys.List(tx) })
	return keys
}

func (w *world) update(t *testing.T, fn func(*state.Txn)) {
	t.Helper()
	if err := w.Update(context.Background(), func(tx *state.Txn) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

// near is the HTTP client of the tests' clients.
var near = sdkclient.New(&http.Transport{}, time.Minute)

func provide(c aws.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

func (w *world) eks(c aws.Credentials) *eks.Client {
	return eks.New(eks.Options{Region: "us-east-1", BaseEndpoint: &w.url, HTTPClient: near, Credentials: provide(c), RetryMaxAttempts: 1})
}

func (w *world) sts(c aws.Credentials) *sts.Client {
	return sts.New(sts.Options{Region: "us-east-1", BaseEndpoint: &w.url, HTTPClient: near, Credentials: provide(c), RetryMaxAttempts: 1})
}

// wantCode checks what an SDK made of an error: code, HTTP status, and a request id.
func wantCode(t *testing.T, err error, code string, status int) {
	t.Helper()
	var apiError smithy.APIError
	if !errors.As(err, &apiError) {
		t.Fatalf("got %v, want %s", err, code)
	}
	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		t.Fatalf("%v has no response", err)
	}
	if apiError.ErrorCode() != code || response.HTTPStatusCode() != status {
		t.Errorf("got %s with status %d (%v), want %s with %d", apiError.ErrorCode(), response.HTTPStatusCode(), err,
			code, status)
	}
	if response.ServiceRequestID() == "" {
		t.Errorf("%v has no request id", err)
	}
	if apiError.ErrorMessage() == "" {
		t.Errorf("%s has no message", code)
	}
}

// raw sends a request made by hand, signed by sign where given, and returns the answer.
func (w *world) raw(t *testing.T, method, path, body string, header map[string]string,
	sign func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	if sign != nil {
		sign(r)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// signAs signs a raw request without a body for a service.
func signAs(t *testing.T, c aws.Credentials, service string) func(*http.Request) {
	return func(r *http.Request) {
		t.Helper()
		const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		if err := v4.NewSigner().SignHTTP(context.Background(), c, r, emptyHash, service, "us-east-1",
			time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

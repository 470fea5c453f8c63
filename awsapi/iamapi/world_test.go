package iamapi_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tripod/awsapi"
	"tripod/awsapi/iamapi"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	account  = iam.DefaultAccountID
	nobody   = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`
	accounts = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` +
		account + `"},"Action":"sts:AssumeRole"}}`
)

// world is a front over a region with the user admin and one who may do nothing.
type world struct {
	*testing.T
	*state.Memory
	url              string
	admin, powerless aws.Credentials
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	w.Memory = region.NewMemory(func(tx *state.Txn) {
		w.admin = put(t, tx, "admin", iam.AdministratorAccess)
		w.powerless = put(t, tx, "powerless")
	})
	front := &awsapi.Front{Backend: awsapi.Backend{
		Region: "us-east-1", AccountID: account, Zones: []string{"us-east-1a"}, State: w.Memory,
	}}
	server := httptest.NewServer(front.Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func put(t *testing.T, tx *state.Txn, name string, policies ...string) aws.Credentials {
	t.Helper()
	user, err := iam.NewUser(rand.Reader, account, name, time.Now(), policies...)
	if err != nil {
		t.Fatal(err)
	}
	key, err := iam.NewAccessKey(rand.Reader, account, name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	region.Users.Put(tx, name, user)
	region.AccessKeys.Put(tx, key.ID, key)
	return aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
}

// call makes a signed call with parameters as name, value, name, value; it returns the answer and the error's code, or
// "".
func (w *world) call(by aws.Credentials, service, version, action string, params ...string) (text, code string) {
	w.Helper()
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	body := form.Encode()
	r, err := http.NewRequest(http.MethodPost, w.url+"/", strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	if by.AccessKeyID != "" { // else unsigned
		if err := v4.NewSigner().SignHTTP(context.Background(), by, r, hex.EncodeToString(sum[:]), service, "us-east-1",
			time.Now()); err != nil {
			w.Fatal(err)
		}
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	var failed struct {
		Code string `xml:"Error>Code"`
	}
	if err := xml.Unmarshal(raw, &failed); err != nil {
		w.Fatalf("%s: %v in %s", action, err, raw)
	}
	if (failed.Code == "") != (response.StatusCode == http.StatusOK) ||
		response.StatusCode >= http.StatusInternalServerError {
		w.Errorf("%s: status %d: %s", action, response.StatusCode, raw)
	}
	return string(raw), failed.Code
}

// iam makes an IAM call that must end with that error code, or none where it is empty.
func (w *world) iam(by aws.Credentials, want, action string, params ...string) string {
	w.Helper()
	text, code := w.call(by, iamapi.Name, iamapi.Version, action, params...)
	if code != want {
		w.Fatalf("%s %q: got the error %q, want %q: %s", action, params, code, want, text)
	}
	return text
}

// answer reads an IAM call's answer into a struct with paths of its elements.
func answer[T any](w *world, action string, params ...string) T {
	w.Helper()
	var out T
	if err := xml.Unmarshal([]byte(w.iam(w.admin, "", action, params...)), &out); err != nil {
		w.Fatal(err)
	}
	return out
}

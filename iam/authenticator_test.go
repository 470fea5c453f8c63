package iam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

func (w *world) authenticator(log *bytes.Buffer) *iam.Authenticator {
	return &iam.Authenticator{
		ClusterID: clusterID, Region: "us-east-1", Hosts: hosts, State: w, Now: func() time.Time { return now },
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}
}

// review sends a TokenReview as an API server does and returns the answer's status.
func review(t *testing.T, a *iam.Authenticator, token string) map[string]any {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": map[string]any{"creationTimestamp": nil},
		"spec":   map[string]any{"token": token, "audiences": []string{"https://kubernetes.default.svc"}},
		"status": map[string]any{"user": map[string]any{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/authenticate", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), token) {
		t.Error("the answer repeats the token")
	}
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer["apiVersion"] != "authentication.k8s.io/v1" || answer["kind"] != "TokenReview" {
		t.Errorf("the answer is %v", answer)
	}
	return answer["status"].(map[string]any)
}

func TestHiddenCreatorIsAdministrator(t *testing.T) {
	w := newWorld(t)
	w.mode(t, "CONFIG_MAP")
	token, err := iam.Token(context.Background(), w.admin, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	got := review(t, w.authenticator(&log), token)
	arn, id := w.adminUser.ARN, w.adminUser.ID
	want := map[string]any{
		"authenticated": true,
		"user": map[string]any{
			"username": "kubernetes-admin",
			"uid":      "aws-iam-authenticator:111122223333:" + id,
			"groups":   []any{"system:masters"},
			"extra": map[string]any{
				"arn": []any{arn}, "canonicalArn": []any{arn}, "sessionName": []any{""},
				"accessKeyId": []any{w.admin.AccessKeyID}, "principalId": []any{id},
				"sigs.k8s.io/aws-iam-authenticator/principalId": []any{id},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	wantOneLine(t, w, &log, token, `msg="access granted" component=authenticator cluster=demo arn=`+arn)
}

func TestRefusedTokensAreAnsweredAndLogged(t *testing.T) {
	w := newWorld(t)
	other, err := iam.Token(context.Background(), w.other, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	foreign := w.spec()
	foreign.as = iam.Credentials{AccessKeyID: "ASIA\n1\x1b[31m", SecretAccessKey: "s", SessionToken: "live"}
	path := w.spec()
	path.url = endpoint + "/a%0Alevel=INFO"
	for _, c := range []struct{ name, token, want string }{
		{"valid, but without access", other, "it has no access entry"},
		{"control characters in the key", encode(foreign.signed(t)), `ASIA`},
		{"control characters in the path", encode(path.signed(t)), `path`},
		{"service account token", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "does not begin with"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			status := review(t, w.authenticator(&log), c.token)
			if status["authenticated"] != false || status["user"] != nil || !strings.Contains(status["error"].(string), c.want) {
				t.Errorf("got %v, want it refused with something about %q", status, c.want)
			}
			noSecrets(t, status["error"].(string), c.token, w)
			wantOneLine(t, w, &log, c.token, `level=WARN msg="access denied" component=authenticator cluster=demo`)
		})
	}
}

func TestClusterThatIsGoneRefusesItsTokens(t *testing.T) {
	w := newWorld(t)
	token, err := iam.Token(context.Background(), w.admin, "us-east-1", endpoint, "demo", now)
	if err != nil {
		t.Fatal(err)
	}
	w.update(t, func(tx *state.Txn) { region.Clusters.Delete(tx, clusterID) })
	var log bytes.Buffer
	if status := review(t, w.authenticator(&log), token); status["authenticated"] != false {
		t.Errorf("got %v", status)
	}
}

func TestOnlyTokenReviewsAreAnswered(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, method, contentType, body string
		want                            int
	}{
		{"GET", http.MethodGet, "application/json", "", http.StatusMethodNotAllowed},
		{"form", http.MethodPost, "application/x-www-form-urlencoded", "a=b", http.StatusUnsupportedMediaType},
		{"no JSON", http.MethodPost, "application/json", "{", http.StatusBadRequest},
		{"old version", http.MethodPost, "application/json",
			`{"apiVersion":"authentication.k8s.io/v1beta1","kind":"TokenReview"}`, http.StatusBadRequest},
		{"another kind", http.MethodPost, "application/json",
			`{"apiVersion":"authentication.k8s.io/v1","kind":"SubjectAccessReview"}`, http.StatusBadRequest},
		{"too large", http.MethodPost, "application/json", `{"spec":{"token":"` + strings.Repeat("x", 2<<20) + `"}}`,
			http.StatusBadRequest},
	} {
		r := httptest.NewRequest(c.method, "/authenticate", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		answer := httptest.NewRecorder()
		var log bytes.Buffer
		w.authenticator(&log).ServeHTTP(answer, r)
		if answer.Code != c.want {
			t.Errorf("%s: got status %d, want %d", c.name, answer.Code, c.want)
		}
	}
}

func wantOneLine(t *testing.T, w *world, log *bytes.Buffer, token, want string) {
	t.Helper()
	line := strings.TrimSuffix(log.String(), "\n")
	if !strings.Contains(line, want) {
		t.Errorf("logged %q, want %q", line, want)
	}
	noSecrets(t, line, token, w)
}

func TestImpersonationThatForgesAPrincipalIsKnown(t *testing.T) {
	for _, c := range []struct {
		verb, resource, subresource string
		want                        bool
	}{
		{"impersonate", "userextras", "principalId", true},
		{"impersonate", "userextras", "arn", true},
		{"impersonate", "userextras", "canonicalArn", true},
		{"impersonate", "userextras", "sessionName", true},
		{"impersonate", "userextras", "accessKeyId", true},
		{"impersonate", "userextras", "sigs.k8s.io/aws-iam-authenticator/principalId", true},
		{"impersonate", "userextras", "principalid", true}, // as a header's name comes
		{"impersonate", "userextras", "Sigs.k8s.io/AWS-IAM-Authenticator/PrincipalID", true},
		{"impersonate", "userextras", "*", true},
		{"impersonate", "userextras", "scopes", false},
		{"impersonate", "userextras", "principalId2", false},
		{"impersonate", "userextras", "", false},
		// The modes of constrained impersonation, and of the check for the verb that is to be used: it sets no extras.
		{"impersonate:user-info", "userextras", "principalId", true},
		{"impersonate:user-info", "userextras", "*", true},
		{"impersonate:user-info", "userextras", "scopes", false},
		{"impersonate:serviceaccount", "userextras", "principalId", true},
		{"impersonate:arbitrary-node", "userextras", "principalId", true},
		{"impersonate:associated-node", "userextras", "principalId", true},
		{"impersonate:one-of-a-later-Kubernetes", "userextras", "principalId", true},
		{"impersonate-on:user-info:get", "userextras", "principalId", false},
		// Who else is impersonated is RBAC's to decide, and so is what else is done.
		{"impersonate", "users", "", false},
		{"impersonate", "groups", "", false},
		{"impersonate", "uids", "", false},
		{"impersonate", "serviceaccounts", "principalId", false},
		{"impersonate:user-info", "users", "principalId", false},
		{"get", "userextras", "principalId", false},
		{"impersonated", "userextras", "principalId", false},
		{"*", "userextras", "*", false}, // no request's verb
		{"Impersonate", "userextras", "principalId", false},
		{"impersonate", "UserExtras", "principalId", false},
	} {
		if got := iam.ForgesPrincipal(c.verb, c.resource, c.subresource); got != c.want {
			t.Errorf("%s %s/%s: got %v, want %v", c.verb, c.resource, c.subresource, got, c.want)
		}
	}
}

// TestAZoneThatMayHaveMissedSomethingDecidesOnNoToken: the API server asks again, or another one.
func TestAZoneThatMayHaveMissedSomethingDecidesOnNoToken(t *testing.T) {
	var log bytes.Buffer
	a := newWorld(t).authenticator(&log)
	a.Fresh = func(context.Context) error { return state.ErrCutOff }
	body := `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"t"}}`
	r, answer := httptest.NewRequest(http.MethodPost, "/authenticate", strings.NewReader(body)), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/json")
	a.ServeHTTP(answer, r)
	if answer.Code != http.StatusServiceUnavailable || log.Len() > 0 {
		t.Errorf("got %d, logged %q", answer.Code, log.String())
	}
}

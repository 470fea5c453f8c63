package nodes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// signed is a client of an API server that lets in whom admits says, for nodes one and two of the instances i-1 and
// i-2.
func signed(t *testing.T, admits func(token string) bool) (get func(node string) (asked string, err error)) {
	t.Helper()
	made := 0
	client := &signIn{tokens: newNodeTokens(newRoster(node{name: "one", instanceID: "i-1"},
		node{name: "two", instanceID: "i-2"}),
		func(_ context.Context, instanceID string) (string, error) {
			made++
			if instanceID == "i-2" && made > 3 {
				return "", errors.New("the role is gone")
			}
			return fmt.Sprint(instanceID, "/", made), nil
		})}
	asked := ""
	client.next = roundTripper(func(req *http.Request) (*http.Response, error) {
		asked = req.Header.Get("Authorization")
		if admits(asked) {
			return &http.Response{StatusCode: http.StatusOK}, nil
		}
		return &http.Response{StatusCode: http.StatusUnauthorized}, nil
	})
	return func(node string) (string, error) {
		asked = ""
		request, err := http.NewRequestWithContext(as(t.Context(), node), http.MethodGet, "https://127.0.0.1:1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.RoundTrip(request)
		return asked, err
	}
}

func TestKubeletsShareAClientAndSignInEachAsItself(t *testing.T) {
	get := signed(t, func(string) bool { return true })
	for _, step := range []struct{ node, want string }{{"one", "Bearer i-1/1"}, {"two", "Bearer i-2/2"},
		{"one", "Bearer i-1/1"}, {"two", "Bearer i-2/2"}} {
		if got, err := get(step.node); got != step.want || err != nil {
			t.Errorf("node %s sends %q (%v), want %q", step.node, got, err, step.want)
		}
	}
	if got, err := get("three"); err == nil || got != "" {
		t.Errorf("a node that the zone has not sends %q (%v), want an error and no request", got, err)
	}
}

func TestRefusedKubeletHasItsTokenMadeAnew(t *testing.T) {
	get := signed(t, func(token string) bool { return !strings.HasSuffix(token, "/1") })
	if got, err := get("one"); got != "Bearer i-1/1" || err != nil {
		t.Fatalf("got %q (%v)", got, err)
	}
	if got, err := get("one"); got != "Bearer i-1/2" || err != nil {
		t.Errorf("after a refusal a node sends %q (%v), want a new token", got, err)
	}
}

func TestKubeletWithoutCredentialsSaysWhy(t *testing.T) {
	get := signed(t, func(string) bool { return false })
	for range 3 {
		if _, err := get("two"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := get("two"); err == nil || !strings.Contains(err.Error(), "node two cannot sign in: the role is gone") {
		t.Errorf("got %v, want the node and the reason", err)
	}
}

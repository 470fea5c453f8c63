package nodes

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestLogSaysWhyNodesAreOutAndWhenTheyAreBack(t *testing.T) {
	var log bytes.Buffer
	var tokenErr, dialErr error
	status := http.StatusOK
	r := &reach{log: slog.New(slog.NewTextHandler(&log, nil)), server: "https://127.0.0.1:1"}
	client := r.wrap(&signIn{tokens: newNodeTokens(newRoster(node{name: "one", instanceID: "i-1"}),
		func(context.Context, string) (string, error) { return "token", tokenErr }),
		next: roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status}, dialErr
		})})
	for _, step := range []struct {
		change func()
		want   string // the only line; empty: none
	}{
		{func() {}, ""},
		{func() { dialErr = errors.New("connection refused") }, "cannot be reached; nodes keep trying"},
		{func() { dialErr = errors.New("timed out") }, ""},
		{func() { dialErr, status = nil, http.StatusUnauthorized }, "does not let the nodes in"}, // its token is made anew
		{func() { tokenErr = errors.New("the nodes have no IAM role") },
			"node one cannot sign in: the nodes have no IAM role"},
		{func() { tokenErr, status = nil, http.StatusForbidden }, "API server is back"},
	} {
		step.change()
		log.Reset()
		for range 2 {
			request, err := http.NewRequestWithContext(as(t.Context(), "one"), http.MethodGet, r.server, nil)
			if err != nil {
				t.Fatal(err)
			}
			client.RoundTrip(request)
		}
		if got := log.String(); !strings.Contains(got, step.want) || strings.Count(got, "\n") > 1 || got != "" &&
			step.want == "" {
			t.Errorf("got %q, want the one line %q", got, step.want)
		}
	}
}

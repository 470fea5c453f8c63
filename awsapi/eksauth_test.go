package awsapi_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestEKSAuthIsCalledByItsPathAndSigned(t *testing.T) {
	w := newWorld(t)
	w.clock = created
	const path, body = "/clusters/demo/assume-role-for-pod-identity", `{"token":"eyJ.e.x"}`
	for name, c := range map[string]struct {
		method, path string
		sign         func(*http.Request)
		status       int
		code         string
	}{
		"unsigned": {"POST", path, nil, 403, "MissingAuthenticationTokenException"},
		"for EKS": {"POST", path, func(r *http.Request) { signBody(r, body, w.admin, "eks") }, 404,
			"UnknownOperationException"},
		"without right": {"POST", path, func(r *http.Request) { signBody(r, body, w.powerless, "eks-auth") }, 400,
			"AccessDeniedException"},
		"another path": {"POST", "/clusters", func(r *http.Request) { signBody(r, body, w.admin, "eks-auth") }, 404,
			"UnknownOperationException"},
		"no good token": {"POST", path, func(r *http.Request) { signBody(r, body, w.admin, "eks-auth") }, 400,
			"InvalidTokenException"},
	} {
		t.Run(name, func(t *testing.T) {
			response, text := w.raw(t, c.method, c.path, body, nil, c.sign)
			if response.StatusCode != c.status || response.Header.Get("X-Amzn-Errortype") != c.code ||
				!strings.Contains(text, `"message"`) {
				t.Errorf("got %d %s: %s, want %d %s", response.StatusCode, response.Header.Get("X-Amzn-Errortype"),
					text, c.status, c.code)
			}
		})
	}
}

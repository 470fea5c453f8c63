package system

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"tripod/client"
)

// TestAPIServersFail as users see it: late, without seats, with a clock that is wrong, and with an expired certificate.
func TestAPIServersFail(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	r.do(t, "stop", "apiserver/a") // so that the endpoint leads to b
	r.do(t, "stop", "apiserver/c")
	config := r.config(t)
	asked := func() *http.Response { return askOnce(t, config, "/api/v1/namespaces/default") }
	if got := asked().StatusCode; got != http.StatusOK {
		t.Fatalf("before all faults: %d", got)
	}
	must(t, "slow", command(t, r, "slow", "apiserver/b", "--latency", "300ms"))
	begin := time.Now()
	if got := asked().StatusCode; got != http.StatusOK || time.Since(begin) < 300*time.Millisecond {
		t.Errorf("a slow API server answers %d after %v", got, time.Since(begin))
	}
	r.heal(t, "apiserver/b")

	r.fault(t, "apiserver/b", "clock=+20m", "--for", "1h")
	status := 0
	eventually(t, 10*time.Second, "tokens look too old", func() (bool, string) { // the last one counts for a second
		status = asked().StatusCode
		return status == http.StatusUnauthorized, fmt.Sprint(status)
	})
	r.heal(t, "apiserver/b")
	eventually(t, 10*time.Second, "tokens are good again", func() (bool, string) {
		status = asked().StatusCode
		return status == http.StatusOK, fmt.Sprint(status)
	})

	r.fault(t, "apiserver/b", "certificate-expired")
	expired := func(when string) {
		t.Helper()
		eventually(t, 20*time.Second, when, func() (bool, string) {
			_, err := visit(within(t, 10*time.Second), config)
			return err != nil && strings.Contains(err.Error(), "certificate has expired"), fmt.Sprint(err)
		})
	}
	expired("clients see the expired certificate")
	r.do(t, "kill", "apiserver/b")
	r.await(t, 40*time.Second, "apiserver/b", client.ForHealthy)
	expired("the API server's successor has it, too")
	r.do(t, "reset", "apiserver/b")
	eventually(t, 20*time.Second, "the certificate is good again", func() (bool, string) {
		_, err := visit(within(t, 10*time.Second), config)
		return err == nil, fmt.Sprint(err)
	})

	r.fault(t, "apiserver/b", "overloaded")
	response := asked()
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("an overloaded API server answers %d, Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
	for _, target := range []string{"apiserver/b", "controllers/b"} {
		if got := r.instance(t, target).State; got != "ready" {
			t.Errorf("beside the load %s is %s", target, got)
		}
	}
	must(t, "reset all", command(t, r, "reset"))
	r.await(t, 40*time.Second, "region", client.ForHealthy)
	if got := asked().StatusCode; got != http.StatusOK {
		t.Errorf("after the load: %d", got)
	}
}

// askOnce makes one request with the user's token, over a connection of its own and without client-go's further attempts.
func askOnce(t *testing.T, config *rest.Config, path string) *http.Response {
	t.Helper()
	tls, err := rest.TLSConfigFor(&rest.Config{TLSClientConfig: config.TLSClientConfig})
	must(t, "make a TLS config", err)
	wrap, err := rest.HTTPWrappersForConfig(config, &http.Transport{TLSClientConfig: tls, DisableKeepAlives: true})
	must(t, "make a transport", err)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+path, nil)
	must(t, "make a request", err)
	response, err := wrap.RoundTrip(request)
	must(t, "ask for "+path, err)
	response.Body.Close()
	return response
}

func (r *testRegion) heal(t testing.TB, target string) {
	t.Helper()
	must(t, "heal "+target, command(t, r, "heal", target))
}

// command runs a command; the error says what it said.
func command(t testing.TB, r *testRegion, args ...string) error {
	t.Helper()
	stdout, stderr, code := tripod(t, r.dir, args...)
	if code != 0 {
		return fmt.Errorf("tripod %s: %s%s", strings.Join(args, " "), stdout, stderr)
	}
	return nil
}

package door

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
)

// served is a server behind both doors, which says who came from where; and the addresses.
func served(t *testing.T, as user.Info) (port, socket string, stop func()) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unix, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	inner := authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: as}, true, nil
	})
	listener := New(tcp, unix)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response, ok, err := Guard{inner, func(name string) bool { return name == "job-controller" }}.AuthenticateRequest(r)
		if err != nil || !ok {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		io.WriteString(w, response.User.GetName())
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	return tcp.Addr().String(), socket, func() {
		t.Helper()
		server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ends with %v", err)
		}
		for _, address := range [][2]string{{"tcp", tcp.Addr().String()}, {"unix", socket}} {
			if conn, err := net.Dial(address[0], address[1]); err == nil {
				conn.Close()
				t.Errorf("%s is still open", address[1])
			}
		}
	}
}

func ask(t *testing.T, network, address string) (code int, text string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("http://x/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestTokensComeInBehindTheBalancerAlone(t *testing.T) {
	extra := func(id string) map[string][]string { return map[string][]string{user.CredentialIDKey: {id}} }
	ofPod := extra("JTI=1")
	ofPod[serviceaccount.PodNameKey] = []string{"mine"}
	for _, c := range []struct {
		who    *user.DefaultInfo
		byPort int
	}{
		{&user.DefaultInfo{Name: "ada", Extra: extra("JTI=1")}, 401},
		{&user.DefaultInfo{Name: "ada"}, 401},
		{&user.DefaultInfo{Name: "system:serviceaccount:default:shop", Extra: extra("JTI=X509SHA256=1")}, 401},
		{&user.DefaultInfo{Name: "system:serviceaccount:kube-system:job-controller", Extra: extra("JTI=1")}, 200},
		{&user.DefaultInfo{Name: "system:serviceaccount:kube-system:job-controller", Extra: ofPod}, 401},
		{&user.DefaultInfo{Name: "system:serviceaccount:kube-system:coredns", Extra: extra("JTI=1")}, 401},
		{&user.DefaultInfo{Name: "system:serviceaccount:kube-system:coredns", Extra: extra("X509SHA256=1")}, 401},
		{&user.DefaultInfo{Name: "system:kube-scheduler", Extra: extra("X509SHA256=1")}, 200},
		{&user.DefaultInfo{Name: user.APIServerUser}, 200},
		{&user.DefaultInfo{Name: user.Anonymous}, 200},
	} {
		port, socket, stop := served(t, c.who)
		if code, text := ask(t, "tcp", port); code != c.byPort {
			t.Errorf("%s by the port: got %d %s, want %d", c.who.Name, code, text, c.byPort)
		}
		if code, text := ask(t, "unix", socket); code != 200 || text != c.who.Name {
			t.Errorf("%s by the socket: got %d %s", c.who.Name, code, text)
		}
		stop()
	}
}

// A TokenReview asks about a token that has come in by no door: upstream's storage of them makes such a request.
func TestReviewsOfTokensAreAnswered(t *testing.T) {
	ada := &user.DefaultInfo{Name: "ada", Extra: map[string][]string{user.CredentialIDKey: {"JTI=1"}}}
	guard := Guard{Request: authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: ada}, true, nil
	})}
	response, ok, err := guard.AuthenticateRequest(&http.Request{Header: http.Header{"Authorization": {"Bearer x"}}})
	if err != nil || !ok || response.User.GetName() != "ada" {
		t.Errorf("got %+v, %t, %v", response, ok, err)
	}
}

func TestWhatTheAuthenticatorsRefuseStaysRefused(t *testing.T) {
	refused := errors.New("no")
	guard := Guard{Request: authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return nil,
			false, refused
	})}
	if _, ok, err := guard.AuthenticateRequest(&http.Request{RemoteAddr: "127.0.0.1:0"}); ok || err != refused {
		t.Errorf("got %t, %v", ok, err)
	}
}

package chaos

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tripod/internal/kubecall"
)

// kube speaks to a cluster's endpoint with nothing between: no client's retries, limits or caches.
type kube struct {
	server string
	roots  *x509.CertPool
	token  func(context.Context) (string, error)

	mu     sync.Mutex
	bearer string
	asked  time.Time // when somebody asked for it last
}

// renewal is how old a token may be: they live for 15 minutes.
const renewal = 10 * time.Minute

// readPath is there in every cluster, and every read of it is one of etcd's.
const readPath = "/api/v1/namespaces/default"

func newKube(server string, ca []byte, token func(context.Context) (string, error)) (*kube, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("the kubeconfig has no certificate of the authority of %s", server)
	}
	return &kube{server: server, roots: roots, token: token}, nil
}

// client makes an HTTP client. HTTP/1.1, so that a new connection is a new connection.
func (k *kube) client(kept bool) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: k.roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: !kept}}
}

func (k *kube) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	bearer, err := k.bearerOf(ctx)
	if err != nil {
		return nil, err
	}
	request, err := kubecall.NewRequest(ctx, method, k.server+path, bearer, body)
	if err == nil {
		request.Header.Set("User-Agent", "tripod-chaos")
	}
	return request, err
}

// bearerOf is a token. One that is old is renewed by whoever asks next; the others go on with it.
func (k *kube) bearerOf(ctx context.Context) (string, error) {
	k.mu.Lock()
	bearer, asks := k.bearer, time.Since(k.asked) > renewal || k.bearer == ""
	if asks {
		k.asked = time.Now()
	}
	k.mu.Unlock()
	if !asks {
		return bearer, nil
	}
	token, err := k.token(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.asked = time.Now().Add(10*time.Second - renewal) // the old one is good for some minutes
		if bearer == "" {
			return "", err
		}
		return bearer, nil
	}
	k.bearer = token
	return token, nil
}

// do sends one request and reads the answer into out, if that is not nil.
func (k *kube) do(ctx context.Context, calls *http.Client, method, path string, body, out any) error {
	request, err := k.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	return kubecall.Do(calls, request, out)
}

func (k *kube) reader(kept bool) func(context.Context) error {
	calls := k.client(kept)
	return func(ctx context.Context) error { return k.do(ctx, calls, http.MethodGet, readPath, nil, nil) }
}

// conditions is what an object says of itself.
type conditions struct {
	Status struct {
		Conditions []struct{ Type, Status, Reason string }
	}
}

// is says whether a condition is true; else why not, in a clause.
func (c conditions) is(name string) (met bool, missing string) {
	for _, one := range c.Status.Conditions {
		if one.Type == name {
			return one.Status == "True", fmt.Sprintf("%s is %s (%s)", name, one.Status, one.Reason)
		}
	}
	return false, "it has no condition " + name
}

func (k *kube) condition(path, name string) func(context.Context) error {
	calls := k.client(false)
	return func(ctx context.Context) error {
		var object conditions
		if err := k.do(ctx, calls, http.MethodGet, path, nil, &object); err != nil {
			return err
		}
		if met, missing := object.is(name); !met {
			return fmt.Errorf("%s", missing)
		}
		return nil
	}
}

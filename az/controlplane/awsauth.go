package controlplane

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/iam"
	"tripod/internal/pki"
	"tripod/internal/reconcile"
)

const (
	awsAuthRetry    = time.Second     // after an API server that cannot be asked
	awsAuthTimeout  = 5 * time.Second // of a request that ends
	awsAuthWatch    = 10 * time.Minute
	awsAuthMaxBytes = 4 << 20 // an object in etcd has at most 1.5 MiB
)

// awsAuth is what the ConfigMap aws-auth says, as the zone's own API server has it. While that cannot be asked, the
// last copy counts, also one of an earlier life of the zone: it is on the zone's disk. EKS's authenticator does it over
// the same API, as the same user, whose role allows no more than that.
type awsAuth struct {
	server string // https://127.0.0.1:PORT
	file   string
	logger *slog.Logger

	mu     sync.Mutex
	client *http.Client

	current atomic.Pointer[iam.AWSAuth]
	// known says that it was read, and version from where to watch it. They belong to follow.
	known   bool
	version string
}

// configMap is as much of a ConfigMap as counts.
type configMap struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
}

func (c *Part) newAWSAuth() (*awsAuth, error) {
	client, err := c.newAPIClient(launch.Authenticator)
	if err != nil {
		return nil, err
	}
	a := &awsAuth{
		server: "https://" + plan.APIServerAddress(c.cluster.EndpointPort, c.index),
		file:   filepath.Join(c.dir, "aws-auth.json"),
		client: client,
		logger: c.authenticatorLogger().With("component", "authenticator", "cluster", c.cluster.Name),
	}
	a.current.Store(&iam.AWSAuth{})
	return a, a.load()
}

// newAPIClient speaks to API servers with the named certificate, and has the certificates of now.
func (c *Part) newAPIClient(as string) (*http.Client, error) {
	pair, err := pki.ReadPair(filepath.Join(c.dir, "pki"), as)
	if err != nil {
		return nil, err
	}
	cert, err := pair.TLS()
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: poolOf(c.trust.Load().bundle),
		Certificates: []tls.Certificate{cert}}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: settings, DialContext: c.leash.dial}}, nil
}

// trust goes on with another client.
func (a *awsAuth) trust(client *http.Client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.client.CloseIdleConnections()
	a.client = client
}

func (a *awsAuth) caller() *http.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.client
}

// load uses the copy on the zone's disk, if there is one.
func (a *awsAuth) load() error {
	text, err := os.ReadFile(a.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var data map[string]string
	if err == nil {
		err = json.Unmarshal(text, &data)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", a.file, err)
	}
	a.use(data)
	return nil
}

func (a *awsAuth) use(data map[string]string) {
	auth, problems := iam.ParseAWSAuth(data)
	for _, problem := range problems {
		a.logger.Warn("the ConfigMap aws-auth: " + problem)
	}
	a.current.Store(&auth)
}

// take uses what the API server says, and keeps it.
func (a *awsAuth) take(data map[string]string) {
	a.use(data)
	text, err := json.Marshal(data)
	if err == nil {
		err = pki.Write(a.file, text)
	}
	if err != nil {
		a.logger.Warn("keep the ConfigMap aws-auth", "error", err)
	}
}

// follow keeps up with the ConfigMap: it reads it, and then watches until that ends.
func (a *awsAuth) follow(ctx context.Context) (time.Duration, error) {
	if !a.known {
		version, err := a.read(ctx)
		a.version, a.known = version, err == nil
		return reconcile.Now, err
	}
	a.known = false // whatever ends the watch, it is read again
	return reconcile.Now, a.watch(ctx, a.version)
}

// read takes the ConfigMap as it is now, and returns from where to watch it.
func (a *awsAuth) read(ctx context.Context) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, awsAuthTimeout)
	defer cancel()
	body, err := a.get(ctx, url.Values{})
	if err != nil {
		return "", err
	}
	defer body.Close()
	var list struct {
		configMap
		Items []configMap `json:"items"`
	}
	if err := json.NewDecoder(io.LimitReader(body, awsAuthMaxBytes)).Decode(&list); err != nil {
		return "", err
	}
	var data map[string]string // none is there: nobody is mapped
	if len(list.Items) > 0 {
		data = list.Items[0].Data
	}
	a.take(data)
	return list.Metadata.ResourceVersion, nil
}

// watch takes changes until the API server ends the watch, which is no error.
func (a *awsAuth) watch(ctx context.Context, version string) error {
	body, err := a.get(ctx, url.Values{"watch": {"true"}, "resourceVersion": {version},
		"timeoutSeconds": {fmt.Sprint(int(awsAuthWatch.Seconds()))}})
	if err != nil {
		return err
	}
	defer body.Close()
	for events := json.NewDecoder(body); ; {
		var event struct {
			Type   string    `json:"type"`
			Object configMap `json:"object"`
		}
		switch err := events.Decode(&event); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			a.take(event.Object.Data)
		case "DELETED":
			a.take(nil)
		default:
			return nil // what was watched from is too old: it is read again
		}
	}
}

func (a *awsAuth) get(ctx context.Context, query url.Values) (io.ReadCloser, error) {
	query.Set("fieldSelector", "metadata.name=aws-auth")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		a.server+"/api/v1/namespaces/kube-system/configmaps?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "aws-iam-authenticator (tripod)")
	response, err := a.caller().Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("the API server answers %s", response.Status)
	}
	return response.Body, nil
}

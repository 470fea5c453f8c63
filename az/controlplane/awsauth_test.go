package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tripod/az/zonetest"
	"tripod/iam"
	"tripod/internal/reconcile"
)

const mappedUser = "arn:aws:iam::111122223333:user/ops"

// fakeConfigMaps is an API server that has one ConfigMap, and tells its watchers of changes.
type fakeConfigMaps struct {
	mu      sync.Mutex
	refuse  bool
	version int
	users   string        // mapUsers; empty: there is no ConfigMap
	changed chan struct{} // closed at a change
}

func (f *fakeConfigMaps) set(users string, refuse bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users, f.refuse = users, refuse
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeConfigMaps) get() (users string, refuse bool, version string, changed chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.users, f.refuse, fmt.Sprint(f.version), f.changed
}

func (f *fakeConfigMaps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	users, refuse, version, changed := f.get()
	object := fmt.Sprintf(`{"data":{"mapUsers":%q}}`, users)
	switch {
	case refuse || r.URL.Path != "/api/v1/namespaces/kube-system/configmaps" ||
		r.FormValue("fieldSelector") != "metadata.name=aws-auth":
		http.Error(w, "no", http.StatusForbidden)
	case r.FormValue("watch") == "":
		if users == "" {
			object = ""
		}
		fmt.Fprintf(w, `{"metadata":{"resourceVersion":%q},"items":[%s]}`, version, object)
	default:
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		if r.FormValue("resourceVersion") == version {
			select {
			case <-r.Context().Done():
				return
			case <-changed:
			}
		}
		users, refuse, _, _ := f.get()
		if refuse {
			return
		}
		kind := "MODIFIED"
		if users == "" {
			kind = "DELETED"
		}
		fmt.Fprintf(w, `{"type":%q,"object":{"data":{"mapUsers":%q}}}`+"\n", kind, users)
	}
}

func TestAWSAuthFollowsItsConfigMap(t *testing.T) {
	api := &fakeConfigMaps{changed: make(chan struct{})}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	auth := &awsAuth{server: server.URL, client: server.Client(), file: filepath.Join(t.TempDir(), "aws-auth.json"),
		logger: quiet()}
	auth.current.Store(&iam.AWSAuth{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	loop := reconcile.Loop{Do: auth.follow, Pauses: reconcile.Pauses{First: time.Millisecond, Most: time.Millisecond},
		Logger: quiet()}
	go func() { defer close(done); loop.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	maps := func(a *awsAuth, want bool) func() bool {
		return func() bool { return a.current.Load().Maps(mappedUser) == want }
	}
	state := func() any { return *auth.current.Load() }

	line := "[{userarn: '" + mappedUser + "', username: ops}]"
	api.set(line, false)
	zonetest.Eventually(t, "a ConfigMap that is made counts", maps(auth, true), state)
	api.set("", false)
	zonetest.Eventually(t, "one that is deleted does not count", maps(auth, false), state)
	api.set(line, false)
	zonetest.Eventually(t, "one that is made again counts", maps(auth, true), state)
	api.set(line, true)
	zonetest.Eventually(t, "an unreadable one is kept on disk", func() bool {
		next := &awsAuth{file: auth.file, logger: quiet()}
		next.current.Store(&iam.AWSAuth{})
		return next.load() == nil && maps(next, true)() && maps(auth, true)()
	}, state)
}

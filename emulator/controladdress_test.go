package emulator

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/docs"
)

func TestACallThatIsNoneIsRefusedInASentence(t *testing.T) {
	for _, asked := range []string{"GET /v1/nothing", "DELETE /v1/status", "GET /"} {
		method, path, _ := strings.Cut(asked, " ")
		recorder := httptest.NewRecorder()
		(&control{region: &Emulator{}}).handler().ServeHTTP(recorder, httptest.NewRequest(method, path, nil))
		var said api.Refused
		err := json.Unmarshal(recorder.Body.Bytes(), &said)
		if err != nil || recorder.Code != http.StatusNotFound || !strings.HasPrefix(said.Error, "there is no call "+asked+": ") {
			t.Errorf("%s: %d %q, %v", asked, recorder.Code, said.Error, err)
		}
	}
}

func TestEveryRouteHasAHandler(t *testing.T) {
	c := &control{region: &Emulator{}}
	var names []string
	for _, route := range api.Routes {
		names = append(names, route.Name)
	}
	slices.Sort(names)
	if handlers := slices.Sorted(maps.Keys(c.handlers())); !slices.Equal(names, handlers) {
		t.Errorf("api.Routes are %v, and there are handlers of %v", names, handlers)
	}
}

// TestABodyIsForTheCallItself, also one that says that it is a form, as curl's -d does.
func TestABodyIsForTheCallItself(t *testing.T) {
	c := &control{region: &Emulator{sleeper: &sleeper{}}}
	var read string
	handler := c.speaks(api.Route{Looks: true}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		read = string(text)
	}))
	request := httptest.NewRequest(http.MethodPost, "/v1/query", strings.NewReader(`{"query": "up"}`))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	handler.ServeHTTP(httptest.NewRecorder(), request)
	if read != `{"query": "up"}` {
		t.Errorf("the call read %q", read)
	}
}

// TestNobodyIsWokenForMetrics, nor waits for one that sleeps.
func TestNobodyIsWokenForMetrics(t *testing.T) {
	c := &control{region: &Emulator{sleeper: &sleeper{}}}
	since := time.Now()
	c.region.sleeper.asleep.Store(&since)
	routes := c.someRoutes("", func(api.Route) bool { return true })
	for _, path := range []string{"/metrics/kube-state/demo", "/metrics/etcd/a", "/metrics/node/demo/x"} {
		recorder := httptest.NewRecorder()
		routes.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		if recorder.Code != http.StatusConflict || !strings.Contains(recorder.Body.String(), "sleeps") {
			t.Errorf("%s: %d %s", path, recorder.Code, recorder.Body)
		}
	}
}

// newDoor serves a door in front of a handler that says what it read.
func newDoor(t *testing.T, token string) (base string, door *controlDoor) {
	t.Helper()
	door = &controlDoor{file: tokenFile, token: sha256.Sum256([]byte(token)),
		next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })}
	server := httptest.NewUnstartedServer(door)
	server.Config.ConnState = door.count
	server.Config.ReadHeaderTimeout = 5 * time.Second
	server.Start()
	t.Cleanup(server.Close)
	door.port = server.Listener.Addr().(*net.TCPAddr).Port
	return server.URL, door
}

func TestTheControlAddressAdmitsItsTokenAlone(t *testing.T) {
	base, door := newDoor(t, "secret")
	bearer := map[string]string{"Authorization": "Bearer secret"}
	own := func(name string) string { return fmt.Sprintf("%s:%d", name, door.port) }
	for name, c := range map[string]struct {
		header map[string]string
		host   string
		body   string
		want   int
		says   string
	}{
		"the token":                {header: bearer, body: "x", want: 200},
		"by the name localhost":    {header: bearer, host: own("localhost"), want: 200},
		"no token":                 {want: 401, says: "control-token"},
		"another token":            {header: map[string]string{"Authorization": "Bearer secrets"}, want: 401, says: "control-token"},
		"another scheme":           {header: map[string]string{"Authorization": "Basic secret"}, want: 401, says: "Bearer TOKEN"},
		"a name that leads here":   {header: bearer, host: own("evil.example"), want: 403, says: "localhost"},
		"a name without a port":    {header: bearer, host: "127.0.0.1", want: 403, says: "127.0.0.1"},
		"an address that is not":   {header: bearer, host: own("10.0.0.1"), want: 403, says: "Host"},
		"a page":                   {header: map[string]string{"Authorization": "Bearer secret", "Origin": "null"}, want: 403, says: "Origin"},
		"a page of another server": {header: map[string]string{"Authorization": "Bearer secret", "Origin": base}, want: 403, says: "Origin"},
		"a body that is too large": {header: bearer, body: strings.Repeat("x", mostBody+1), want: 413,
			says: "65536 bytes"},
	} {
		request, err := http.NewRequest(http.MethodPost, base+"/v1/links", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = c.host
		for key, value := range c.header {
			request.Header.Set(key, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.want || !strings.Contains(string(text), c.says) {
			t.Errorf("%s: got %d %s (%v), want %d with %q", name, response.StatusCode, text, err, c.want, c.says)
		}
		if c.want == 200 && string(text) != c.body {
			t.Errorf("%s: the body came through as %q", name, text)
		}
	}
}

func TestTheControlAddressHasSoManyConnections(t *testing.T) {
	base, door := newDoor(t, "secret")
	door.connections.Store(mostConnections)
	if response, err := http.Get(base); err == nil {
		response.Body.Close()
		t.Errorf("one connection too many was answered with %s", response.Status)
	}
	for end := time.Now().Add(5 * time.Second); door.connections.Load() > mostConnections; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are counted, and %d are there", door.connections.Load(), mostConnections)
		}
	}
	door.connections.Store(0)
	response, err := http.Get(base)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

func TestTheControlTokenIsItsUsersAlone(t *testing.T) {
	d := &dataDir{path: t.TempDir()}
	token, err := d.token(tokenFile)
	if err != nil || len(token) < 32 {
		t.Fatalf("the first token is %q: %v", token, err)
	}
	file := d.file(tokenFile)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its file has the mode %v: %v", info.Mode(), err)
	}
	if again, err := d.token(tokenFile); err != nil || again != token {
		t.Errorf("the next start has %q, want %q: %v", again, token, err)
	}
	for name, spoil := range map[string]func() error{
		"others may have read": func() error { return os.Chmod(file, 0o640) },
		"32 are the least":     func() error { return os.WriteFile(file, []byte("short\n"), 0o600) },
		"cannot read":          func() error { return os.Symlink(filepath.Join(d.path, "elsewhere"), file) },
		"no file of yours":     func() error { return os.Mkdir(file, 0o700) },
	} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "cannot read" || name == "no file of yours" {
			os.Remove(file)
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		got, err := d.token(tokenFile)
		if err == nil || !strings.Contains(err.Error(), name) ||
			!strings.Contains(err.Error(), "delete ") || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		os.Remove(file)
	}
}

// testControlAddress looks at a region by its control address, as a program would that has only its files.
func testControlAddress(t *testing.T, r *testRegion) {
	address := r.Status().ControlAddress
	token, err := os.ReadFile(r.dir.file(tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string, into any) {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(into); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %v", path, response.Status, err)
		}
	}
	var status api.Status
	if ask("/v1/status", &status); status.PID != os.Getpid() || len(status.Zones) != 3 {
		t.Errorf("the status is %+v", status)
	}
	var served, embedded map[string]any
	ask("/v1/openapi.json", &served)
	if err := json.Unmarshal(docs.OpenAPI, &embedded); err != nil || served["openapi"] != "3.1.0" || len(served) != len(embedded) {
		t.Errorf("the description that is served is %v: %v", served["openapi"], err)
	}
	var event api.Event
	if ask("/v1/events", &event); event.Seq == 0 {
		t.Errorf("the first event is %+v", event)
	}
}

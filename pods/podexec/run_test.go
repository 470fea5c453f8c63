package podexec

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestSignalEndsThePreparationAndNothingIsLeft(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/namespaces/web/pods/shop":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"web","name":"shop"},`+
				`"spec":{"containers":[{"name":"app","envFrom":[{"secretRef":{"name":"keys"}}]}]}}`)
		default: // the Secret, for which it waits
			syscall.Kill(os.Getpid(), syscall.SIGTERM)
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"arn:aws:eks:us-east-1:111122223333:cluster/demo",
		"clusters":[{"name":"demo","cluster":{"server":%q}}],"users":[{"name":"u","user":{}}],
		"contexts":[{"name":"arn:aws:eks:us-east-1:111122223333:cluster/demo","context":{"cluster":"demo","user":"u"}}]}`, server.URL)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Kubeconfig: kubeconfig, Cluster: "demo", Namespace: "web", Pod: "shop", Command: []string{"false"},
		Directory: filepath.Join(dir, "pods"), NoMounts: true}
	code, err := Run(t.Context(), o)
	if err != nil || code != 128+int(syscall.SIGTERM) {
		t.Errorf("got exit code %d (%v), want %d", code, err, 128+int(syscall.SIGTERM))
	}
	if left, err := os.ReadDir(o.Directory); err != nil || len(left) != 0 {
		t.Errorf("left: %v (%v)", left, err)
	}
}

package system

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tripod/internal/datadir"
)

// memory is what a restart must keep: names, ports, keys, and the objects of users.
type memory struct {
	Files    map[string]string // sums of what clients hold copies of
	Endpoint string
	AWS      string
	Cluster  string // its id
	Objects  map[string]string
}

func (r *testRegion) remember(t testing.TB) memory {
	t.Helper()
	m := memory{Files: map[string]string{}, Objects: map[string]string{}, Endpoint: r.cluster(t).Endpoint,
		AWS: r.status(t).AWSEndpoint, Cluster: r.cluster(t).ID}
	err := filepath.WalkDir(r.dir, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(r.dir, path)
		if err != nil || entry.IsDir() || strings.Contains(name, "/etcd/") {
			return nil
		}
		if strings.Contains(name, "pki/") || name == "kubeconfig" || name == "credentials.json" || name == "tripod.json" {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(text)
			m.Files[name] = hex.EncodeToString(sum[:8])
		}
		return nil
	})
	must(t, "read the data directory", err)
	ctx := within(t, 30*time.Second)
	objects, err := r.dynamic(t).Resource(widgetGVR).Namespace("kept").List(ctx, metav1.ListOptions{})
	must(t, "list widgets", err)
	for _, object := range objects.Items {
		m.keep(&object)
	}
	kube := r.kube(t)
	maps, err := kube.CoreV1().ConfigMaps("kept").List(ctx, metav1.ListOptions{})
	must(t, "list config maps", err)
	for _, object := range maps.Items {
		if object.Name != "kube-root-ca.crt" {
			m.keep(&object)
		}
	}
	secret, err := kube.CoreV1().Secrets("kept").Get(ctx, "secret", metav1.GetOptions{})
	must(t, "get the secret", err)
	m.keep(secret)
	m.Objects["secret's content"] = string(secret.Data["value"])
	return m
}

func (m memory) keep(object metav1.Object) {
	m.Objects[fmt.Sprintf("%T %s", object, object.GetName())] = fmt.Sprint(object.GetUID(), " at ",
		object.GetResourceVersion())
}

// populate makes objects of several kinds.
func populate(t testing.TB, r *testRegion) {
	t.Helper()
	ctx := within(t, 60*time.Second)
	kube := r.kube(t)
	namespace(t, kube, "kept")
	_, err := kube.CoreV1().ConfigMaps("kept").Create(ctx, configMap("map", "value"), metav1.CreateOptions{})
	must(t, "create a config map", err)
	_, err = kube.CoreV1().Secrets("kept").Create(ctx,
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "secret"},
			StringData: map[string]string{"value": "kept secret"}}, metav1.CreateOptions{})
	must(t, "create a secret", err)
	dynamic := r.dynamic(t)
	_, err = dynamic.Resource(crdGVR).Create(ctx, widgetDefinition(), metav1.CreateOptions{})
	must(t, "define a kind", err)
	eventually(t, 30*time.Second, "create a widget", func() (bool, string) {
		_, err := dynamic.Resource(widgetGVR).Namespace("kept").Create(ctx, widget("one", map[string]any{"size": int64(1)}),
			metav1.CreateOptions{})
		return err == nil, fmt.Sprint(err)
	})
}

// sameAs compares what is there now with what was.
func (r *testRegion) sameAs(t testing.TB, want memory) {
	t.Helper()
	if got := r.remember(t); !cmp.Equal(want, got) {
		t.Errorf("the restart changed (- before, + now):\n%s", cmp.Diff(want, got))
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	r := bringUp(t, dir)
	populate(t, r)
	before := r.remember(t)

	t.Log("down and up")
	must(t, "down", r.Close(within(t, 60*time.Second)))
	noProcesses(t, dir)
	if _, err := r.Status(within(t, 5*time.Second)); err == nil {
		t.Error("a stopped region answers")
	}
	if sockets, _ := filepath.Glob(filepath.Join(filepath.Dir(datadir.SocketPath(dir)), "*", "*.sock")); len(sockets) > 0 {
		t.Errorf("a stopped region leaves sockets: %v", sockets)
	}
	r = bringUp(t, dir)
	r.sameAs(t, before)

	t.Log("kill -9 of every process, in the middle of writes, and up")
	entries := keepWriting(t, r, "journal")
	entries.goesOn(t, 50, 30*time.Second)
	killAll(processesOf(dir))
	entries.stop()
	noProcesses(t, dir)
	r = bringUp(t, dir)
	r.sameAs(t, before)
	entries.verify(t)

	t.Log("kill -9 of the region's own process while its children cannot notice, and up")
	children, let := orphan(t, r)
	if _, stderr, code := tripod(t, dir, "down"); code != 1 || !strings.Contains(stderr,
		fmt.Sprintf("%d of its children are alive", len(children))) {
		t.Errorf("down with %d children alive: exit code %d, said %q", len(children), code, stderr)
	}
	r = bringUp(t, dir)
	let()
	for _, child := range children {
		if running(child.pid) {
			t.Errorf("%v of the earlier start still runs", child)
		}
	}
	r.sameAs(t, before)
	if zones := processesOf(dir); len(zones) != 13 {
		t.Errorf("a region of one cluster has 13 processes, not %d: %v", len(zones), zones)
	}
}

// orphan kills the region's own process in a way that its children do not notice: each watches a pipe that ends with
// its parent, and the test keeps these open. It returns the children, and what lets go of them.
func orphan(t testing.TB, r *testRegion) (children []proc, let func()) {
	t.Helper()
	supervisor := r.status(t).PID
	for _, p := range processesOf(r.dir) {
		if p.pid != supervisor {
			children = append(children, p)
		}
	}
	var held []*os.File
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", supervisor))
	must(t, "list the region's files", err)
	for _, link := range links {
		target, _ := os.Readlink(link)
		info, _ := os.ReadFile(strings.Replace(link, "/fd/", "/fdinfo/", 1))
		if strings.HasPrefix(target, "pipe:") && writeOnly.Match(info) {
			file, err := os.OpenFile(link, os.O_WRONLY|syscall.O_NONBLOCK, 0)
			must(t, "hold a lifeline", err)
			held = append(held, file)
		}
	}
	let = func() {
		for _, file := range held {
			file.Close()
		}
	}
	t.Cleanup(let)
	must(t, "SIGKILL", syscall.Kill(supervisor, syscall.SIGKILL))
	eventually(t, 5*time.Second, "the region's process ends",
		func() (bool, string) { return !running(supervisor), "it runs" })
	return children, let
}

// writeOnly matches the flags of a pipe's writing end, as proc(5) shows them.
var writeOnly = regexp.MustCompile(`(?m)^flags:\s+[0-7]*1$`)

func TestOldDataDirOpens(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("../testdata/datadir-*.tar.gz")
	must(t, "look for archives", err)
	if len(archives) == 0 {
		t.Fatal("testdata/ has no old data directory")
	}
	for _, archive := range archives { // all have the same ports: one after the other
		t.Run(filepath.Base(archive), func(t *testing.T) {
			dir := newDir(t)
			unpack(t, archive, dir)
			began := time.Now()
			r := bringUp(t, dir)
			status := r.status(t)
			if status.AWSEndpoint != "http://127.0.0.1:19990" || r.cluster(t).Endpoint != "https://127.0.0.1:19010" ||
				r.cluster(t).ID != "0123456789ABCDEF0123456789ABCDEF" {
				t.Errorf("got AWS endpoint %s, cluster %+v", status.AWSEndpoint, r.cluster(t))
			}
			oldObjects(t, r.kube(t))
			r.awsClients(t, awsHTTP).read(t)
			root, err := r.RootCredentials(within(t, 30*time.Second)) // of whom the directory knows nothing
			must(t, "ask for root's credentials", err)
			r.awsClientsWith(t, awsHTTP, *root).read(t)
			entries := keepWriting(t, r, "journal")
			entries.goesOn(t, 10, 20*time.Second)
			entries.verify(t)
			nodesRenew(t, r.kube(t), 3, began) // whose role the directory does not have either
		})
	}
}

// oldObjects looks for what testdata/README.md says was put in.
func oldObjects(t *testing.T, kube kubernetes.Interface) {
	ctx := within(t, 30*time.Second)
	config, err := kube.CoreV1().ConfigMaps("old").Get(ctx, "greeting", metav1.GetOptions{})
	if err != nil || config.Data["value"] != "from the past" {
		t.Errorf("config map: got %v, %v", config.Data, err)
	}
	secret, err := kube.CoreV1().Secrets("old").Get(ctx, "secret", metav1.GetOptions{})
	if err != nil || string(secret.Data["value"]) != "still readable" {
		t.Errorf("secret: got %v, %v", secret.Data, err)
	}
	eventually(t, 40*time.Second, "the old deployment runs", func() (bool, string) {
		web, err := kube.AppsV1().Deployments("old").Get(ctx, "web", metav1.GetOptions{})
		return err == nil && web.Status.ReadyReplicas == 2, fmt.Sprint(err, web.Status)
	})
}

// untar extracts a .tar.gz. Modes are those of a data directory, whatever the archive says.
func untar(archive io.Reader, dir string) error {
	plain, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	for entries := tar.NewReader(plain); ; {
		entry, err := entries.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(entry.Name) {
			return fmt.Errorf("%q leads out of the archive", entry.Name)
		}
		path := filepath.Join(dir, entry.Name)
		switch entry.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o700)
		case tar.TypeReg:
			err = extract(entries, path)
		default:
			err = fmt.Errorf("%q is neither a file nor a directory", entry.Name)
		}
		if err != nil {
			return err
		}
	}
}

func extract(content io.Reader, path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// unpack extracts an archive of a data directory as dir.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	file, err := os.Open(archive)
	must(t, "open the archive", err)
	defer file.Close()
	must(t, "unpack "+archive, untar(file, dir))
	if _, err := datadir.ReadMarker(dir); err != nil {
		t.Fatalf("%s holds no region: %v", archive, err)
	}
}

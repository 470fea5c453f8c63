package system

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

// TestABrowserKeepsItsPageWhileAZoneDies is a story of a headless Chromium before an Ingress with two paths, of two Services:
// a user who loads the page again where it did not come loses nothing by the death of a zone, and one who does not a load or
// two at most: those under way.
func TestABrowserKeepsItsPageWhileAZoneDies(t *testing.T) {
	t.Parallel()
	chromium := chromiumHere(t)
	r := startRegion(t)
	kube := r.kube(t)
	webPods(t, kube, 6)
	for _, name := range []string{"web", "data"} {
		_, err := kube.CoreV1().Services("default").Create(within(t, time.Minute), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"},
				Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt(80)}}}}, metav1.CreateOptions{})
		must(t, "make the Service "+name, err)
	}
	b := r.loadBalancer(t, twoPaths(t, kube))
	eventually(t, time.Minute, "both paths have healthy targets", func() (bool, string) {
		b = r.loadBalancer(t, b.DNSName)
		return b.Healthy == 12, fmt.Sprintf("%d of %d", b.Healthy, b.Targets)
	})
	users := browse(t, chromium, b.Listeners[0].URL, "/data/now")
	users.await(t, 10)
	r.do(t, "kill", "az/b")
	users.await(t, 20)
	r.do(t, "start", "az/b")
	users.await(t, 10)
	failed := users.end(t)
	t.Logf("of %d loads each, the plain user lost %d: %v", users.least(), len(failed["plain"]), failed["plain"])
	if len(failed["patient"]) > 0 {
		t.Errorf("a user who loads again lost pages: %v", failed["patient"])
	}
	if len(failed["plain"]) > 2 {
		t.Errorf("a user who does not load again lost %d pages: %v", len(failed["plain"]), failed["plain"])
	}
}

// chromiumHere is Chromium, or another browser of its kind, of this machine.
func chromiumHere(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium is installed (Debian: apt-get install chromium)")
	return ""
}

// twoPaths makes an Ingress of the class alb, and returns the name that its status tells.
func twoPaths(t *testing.T, kube kubernetes.Interface) (host string) {
	t.Helper()
	below := networkingv1.PathTypePrefix
	path := func(at, service string) networkingv1.HTTPIngressPath {
		return networkingv1.HTTPIngressPath{Path: at, PathType: &below, Backend: networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: 80}}}}
	}
	_, err := kube.NetworkingV1().Ingresses("default").Create(within(t, time.Minute), &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "pages", Annotations: map[string]string{
			"alb.ingress.kubernetes.io/scheme": "internet-facing", "alb.ingress.kubernetes.io/target-type": "ip"}},
		Spec: networkingv1.IngressSpec{IngressClassName: aws.String("alb"), Rules: []networkingv1.IngressRule{{
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{path("/data", "data"), path("/", "web")}}}}}}}, metav1.CreateOptions{})
	must(t, "make the Ingress", err)
	return ingressHost(t, kube, "pages")
}

// users are those of a browser, by their names: what each of their loads came to.
type users struct {
	program *exec.Cmd
	stdin   interface{ Close() error }
	said    *os.File // what the program said of its own trouble

	mu     sync.Mutex
	loads  map[string]int
	failed map[string][]string
	ended  chan struct{}
}

// browse has the users load a page, and what it loads at a path, until end.
func browse(t *testing.T, chromium, url, path string) *users {
	t.Helper()
	program := filepath.Join(t.TempDir(), "browser")
	build := exec.CommandContext(within(t, 3*time.Minute), "go", "build", "-o", program, ".")
	build.Dir, build.Env = "browser", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program that drives the browser: %v: %s", err, out)
	}
	u := &users{program: exec.Command(program, chromium, url, path), loads: map[string]int{}, failed: map[string][]string{},
		ended: make(chan struct{})}
	stdin, err := u.program.StdinPipe()
	must(t, "make a pipe", err)
	stdout, err := u.program.StdoutPipe()
	must(t, "make a pipe", err)
	u.said, err = os.Create(filepath.Join(t.TempDir(), "browser.log"))
	must(t, "make a log", err)
	u.stdin, u.program.Stderr = stdin, u.said
	must(t, "start the browser", u.program.Start())
	t.Cleanup(func() { stdin.Close(); u.program.Process.Kill(); <-u.ended; u.program.Wait(); u.said.Close() })
	go func() {
		defer close(u.ended)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			who, what, _ := strings.Cut(lines.Text(), " ")
			u.mu.Lock()
			u.loads[who]++
			if what != "ok" {
				u.failed[who] = append(u.failed[who], what)
			}
			u.mu.Unlock()
		}
	}()
	return u
}

// least is how many loads the slower of the users has made.
func (u *users) least() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return min(u.loads["patient"], u.loads["plain"])
}

// await waits for so many more loads of each user.
func (u *users) await(t *testing.T, n int) {
	t.Helper()
	wanted := u.least() + n
	eventually(t, 2*time.Minute, fmt.Sprintf("each user has loaded the page %d times", wanted), func() (bool, string) {
		text, _ := os.ReadFile(u.said.Name())
		return u.least() >= wanted, fmt.Sprintf("%d; %s", u.least(), text)
	})
}

// end has the users go, and returns what each has lost.
func (u *users) end(t *testing.T) map[string][]string {
	t.Helper()
	u.stdin.Close()
	select {
	case <-u.ended:
	case <-time.After(time.Minute):
		t.Fatal("the browser does not end")
	}
	return u.failed
}

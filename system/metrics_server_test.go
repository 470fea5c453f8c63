package system

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// TestMetricsServerTellsTheSame runs the real metrics-server as its pod, by its own manifest: it takes the place of what is built in,
// answers `kubectl top` with the same nodes and pods and what they use, and gives the place back.
func TestMetricsServerTellsTheSame(t *testing.T) {
	program := builtApart(t, "metrics-server")
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, "find a free port", err)
	address := free.Addr().String()
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	free.Close()
	r := bringUp(t, newDir(t), "--local-ports", port)
	r.kubectl(t, "apply", "-f", "testdata/used.yaml")
	// without its Service it takes no place yet, and ours has its pod, too
	manifest, err := os.ReadFile("testdata/metrics-server.yaml")
	must(t, "read the manifest", err)
	var first []string
	for document := range strings.SplitSeq(string(manifest), "\n---\n") {
		if !strings.Contains(document, "kind: Service\n") && !strings.Contains(document, "kind: APIService\n") {
			first = append(first, document)
		}
	}
	apart := filepath.Join(t.TempDir(), "apart.yaml")
	must(t, "write the manifest", os.WriteFile(apart, []byte(strings.Join(first, "\n---\n")), 0o600))
	r.kubectl(t, "apply", "-f", apart)
	r.kubectl(t, "wait", "--for=condition=Available", "--timeout=2m", "-n", "used", "deployment", "--all")
	pod := ""
	eventually(t, time.Minute, "its pod is there", func() (bool, string) {
		pod = r.kubectl(t, "get", "pod", "-n", "kube-system", "-l", "k8s-app=metrics-server", "-o", "jsonpath={.items[*].metadata.name}")
		return pod != "", ""
	})
	r.kubectl(t, "annotate", "pod", "-n", "kube-system", pod, "tripod.internal/local-address="+address)
	ours := r.uses(t, "ours", func(got uses) bool { return got.has("used/steady", 3, pod) })

	stop := r.runInVPC(t, "kube-system/"+pod, program, "--cert-dir="+t.TempDir(), "--bind-address=127.0.0.1", "--secure-port="+port,
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname", "--kubelet-use-node-status-port", "--metric-resolution=15s")
	r.kubectl(t, "apply", "-f", "testdata/metrics-server.yaml")
	r.shows(t, time.Minute, "its pod has the Service", func(out string) bool { return strings.HasPrefix(out, "10.0.") },
		"get", "endpointslices", "-n", "kube-system", "-l", "kubernetes.io/service-name=metrics-server",
		"-o", "jsonpath={.items[*].endpoints[*].addresses[*]}")
	theirs := r.uses(t, "theirs", func(got uses) bool { return got.has("used/steady", 3, pod) })
	theirs.same(t, ours)
	r.shows(t, time.Minute, "top node", func(out string) bool { return strings.Count(out, "ec2.internal") == 3 }, "top", "node")

	stop()
	r.refuses(t, "ServiceUnavailable|Metrics API not available|unable to handle the request|error trying to reach service", "top", "node")
	r.kubectl(t, "delete", "-f", "testdata/metrics-server.yaml")
	r.uses(t, "ours again", func(got uses) bool { return got.has("used/steady", 3, "") })
}

// uses is what metrics.k8s.io says that nodes, and containers as "NAMESPACE/POD/CONTAINER", use.
type uses map[string]used

type used struct{ CPU, Memory resource.Quantity }

// has says whether there are that many containers whose names begin so, and the metrics-server's, and three nodes.
func (u uses) has(prefix string, count int, pod string) bool {
	nodes, containers := 0, 0
	for name := range u {
		if !strings.Contains(name, "/") {
			nodes++
		} else if strings.HasPrefix(name, prefix) {
			containers++
		}
	}
	_, there := u["kube-system/"+pod+"/metrics-server"]
	return nodes == 3 && containers == count && (there || pod == "")
}

// same holds one answer against another one: the same things, and what they use. All that is said of the pods here is constant; what
// nodes do for requests is not.
func (u uses) same(t *testing.T, want uses) {
	t.Helper()
	if got, want := slices.Sorted(maps.Keys(u)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
		t.Fatalf("it tells of %v, want %v", got, want)
	}
	for name, got := range u {
		cpu, memory := got.CPU.AsApproximateFloat64(), got.Memory.AsApproximateFloat64()
		before := want[name]
		wantCPU, wantMemory := before.CPU.AsApproximateFloat64(), before.Memory.AsApproximateFloat64()
		if math.Abs(cpu-wantCPU) > 0.1*wantCPU+0.002 || math.Abs(memory-wantMemory) > 0.05*wantMemory {
			t.Errorf("%s uses %v, %v, want %v, %v", name, &got.CPU, &got.Memory, &before.CPU, &before.Memory)
		}
	}
}

// uses asks until the answer is good.
func (r *testRegion) uses(t *testing.T, what string, good func(uses) bool) (got uses) {
	t.Helper()
	eventually(t, 2*time.Minute, what, func() (bool, string) {
		got = uses{}
		for _, path := range []string{"nodes", "pods"} {
			out, errs, code := tripod(t, r.dir, "kubectl", "get", "--raw", "/apis/metrics.k8s.io/v1beta1/"+path)
			if code != 0 {
				return false, errs
			}
			var list struct {
				Items []struct {
					Metadata   struct{ Namespace, Name string }
					Usage      used
					Containers []struct {
						Name  string
						Usage used
					}
				}
			}
			must(t, "read the answer", json.Unmarshal([]byte(out), &list))
			for _, item := range list.Items {
				if path == "nodes" {
					got[item.Metadata.Name] = item.Usage
				}
				for _, c := range item.Containers {
					got[item.Metadata.Namespace+"/"+item.Metadata.Name+"/"+c.Name] = c.Usage
				}
			}
		}
		return good(got), fmt.Sprint(slices.Sorted(maps.Keys(got)))
	})
	return got
}

// runInVPC runs a program of this machine as a pod, with its files and volumes and in its place of the network, until stop or the test's
// end. What it prints is shown when the test fails.
func (r *testRegion) runInVPC(t *testing.T, pod, program string, args ...string) (stop func()) {
	t.Helper()
	as := []string{"--data-dir", r.dir, "pod", "exec", pod, "--"}
	if out, err := exec.CommandContext(within(t, time.Minute), binary, append(as, "true")...).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "--no-mounts") {
			t.Skip("this system lets no command have mounts of its own")
		}
		t.Fatalf("pod exec %s: %s", pod, out)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "pod.log"))
	must(t, "make a log", err)
	through := []string{"--data-dir", r.dir, "proxy", "--as", "pod/" + pod, "--", binary}
	command := exec.Command(binary, slices.Concat(through, as, []string{program}, args)...)
	command.Stdout, command.Stderr = log, log
	must(t, "run the pod's program", command.Start())
	stop = sync.OnceFunc(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which its log says
		_ = command.Wait()
		log.Close()
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log(tail(log.Name(), 40))
		}
	})
	return stop
}

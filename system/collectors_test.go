package system

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What the pods of the collectors' stories write: the talker's lines are longer than a part of a log is, and enough for its
// log to be set aside twice.
const (
	longLines = 1300
	longLine  = 17_000 // bytes and more
)

// nodeFiles is what `tripod logs --paths -o json` says of a node.
type nodeFiles struct{ Node, Pods, APIServer, CAFile, Kubelet string }

// nodesFiles are those of all nodes, by node.
func (r *testRegion) nodesFiles(t *testing.T) map[string]nodeFiles {
	t.Helper()
	out, errs, code := tripod(t, r.dir, "logs", "--paths", "-o", "json")
	if code != 0 {
		t.Fatalf("tripod logs --paths: %s", errs)
	}
	all := map[string]nodeFiles{}
	for decoder := json.NewDecoder(strings.NewReader(out)); decoder.More(); {
		var files nodeFiles
		must(t, "read the paths", decoder.Decode(&files))
		all[files.Node] = files
	}
	return all
}

// talker makes a pod on a node, or where the scheduler wants it, and returns where that is.
func (r *testRegion) talker(t *testing.T, node string, pod *corev1.Pod) string {
	t.Helper()
	pod.Spec.NodeName = node
	eventually(t, time.Minute, "a pod is made", func() (bool, string) {
		_, err := r.kube(t).CoreV1().Pods("default").Create(within(t, 20*time.Second), pod, metav1.CreateOptions{})
		return err == nil, fmt.Sprint(err)
	})
	r.kubectl(t, "wait", "--for=condition=Ready", "--timeout=60s", "pod/"+pod.Name)
	return strings.TrimSpace(r.kubectl(t, "get", "pod", pod.Name, "-o", "jsonpath={.spec.nodeName}"))
}

// shortTalker says made-up lines, with a sequence number from 0 on.
func shortTalker() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "short", Annotations: map[string]string{"tripod.internal/logs-generate": "50/s text"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "nginx"}}},
	}
}

// longTalker says numbered lines that come in parts: one, and all others when a collector has had time to find that.
func longTalker() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "long"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "say", Image: "busybox",
			Env: []corev1.EnvVar{{Name: "PAD", Value: strings.Repeat("a long line ", longLine/12+1)}},
			Command: []string{"sh", "-c", fmt.Sprintf(`echo "number=1 ${PAD}end=1"; sleep 5; `+
				`for i in $(seq 2 %d); do echo "number=$i ${PAD}end=$i"; sleep 0.01; done; sleep 100000`, longLines)}}}}}
}

// collected is what a collector has found: lines by pod, as "NAMESPACE/POD/CONTAINER".
type collected map[string][]string

var numberOf = regexp.MustCompile(`^number=(\d+) (?:a long line )+end=(\d+)$|^\S+ \w+ +[^=]* seq=(\d+) `)

// numbers are those of the lines of a container. What is not a whole line is an error.
func (c collected) numbers(t *testing.T, container string) []int {
	t.Helper()
	var numbers []int
	for _, line := range c[container] {
		found := numberOf.FindStringSubmatch(line)
		if found == nil || found[1] != found[2] {
			t.Fatalf("%s: no whole line: %.80q ... %.80q", container, line, tailOf(line, 80))
		}
		number, err := strconv.Atoi(found[1] + found[3])
		must(t, "read a number", err)
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return numbers
}

// whole says whether the numbers are those from first on, each once, and of what is lost or doubled the first.
func whole(numbers []int, first int) (bool, string) {
	for i, n := range numbers {
		if n != first+i {
			return false, fmt.Sprintf("line %d is missing or %d is there twice, of %d", first+i, n, len(numbers))
		}
	}
	return true, fmt.Sprint(len(numbers), " lines")
}

// collects waits until a collector of a node has all of the long lines and some of the short ones, under their pods' names, each once.
func (r *testRegion) collects(t *testing.T, node string, read func() collected) {
	t.Helper()
	eventually(t, time.Minute, "the collector works", func() (bool, string) {
		return len(read()["default/short/shop"]) > 0, "it has found nothing"
	})
	r.talker(t, node, longTalker())
	var found collected
	eventually(t, 90*time.Second, "all lines are collected", func() (bool, string) {
		found = read()
		long, short := len(found["default/long/say"]), len(found["default/short/shop"])
		return long >= longLines && short > 100, fmt.Sprint(long, " long ones, ", short, " short ones")
	})
	for container, first := range map[string]int{"default/long/say": 1, "default/short/shop": 0} {
		if good, why := whole(found.numbers(t, container), first); !good {
			t.Errorf("%s: %s", container, why)
		}
	}
	if n := len(found["default/long/say"]); n != longLines {
		t.Errorf("there are %d long lines, want %d", n, longLines)
	}
	aside, err := filepath.Glob(filepath.Join(r.nodesFiles(t)[node].Pods, "default_long_*", "say", "0.log.*"))
	must(t, "look for files set aside", err)
	if len(aside) == 0 { // two, but that a log is set aside once in a second
		t.Error("the log was not set aside")
	}
	t.Logf("the log was set aside %d times", len(aside))
}

// grown is a file that somebody writes: its lines are read once.
type grown struct {
	name string
	at   int64
}

// lines reads the whole lines that are new.
func (g *grown) lines(t *testing.T, do func(line []byte)) {
	t.Helper()
	file, err := os.Open(g.name)
	if os.IsNotExist(err) {
		return
	}
	must(t, "read what the collector has written", err)
	defer file.Close()
	_, err = file.Seek(g.at, io.SeekStart)
	must(t, "read what the collector has written", err)
	for reader := bufio.NewReaderSize(file, 1<<20); ; {
		line, err := reader.ReadBytes('\n')
		if err != nil {
			return // the last one is being written
		}
		g.at += int64(len(line))
		do(line[:len(line)-1])
	}
}

// TestRsyslogCollectsLogFiles runs Debian's rsyslog by the configuration of docs/observability.md: each line of a container comes once,
// and whole, while its log is set aside twice.
func TestRsyslogCollectsLogFiles(t *testing.T) {
	program, err := exec.LookPath("rsyslogd")
	if err != nil {
		if program = "/usr/sbin/rsyslogd"; !exists(program) {
			t.Skip("there is no program rsyslogd: Debian's package rsyslog has it")
		}
	}
	t.Parallel()
	r := bringUp(t, newDir(t), "--node-logs")
	node := r.talker(t, "", shortTalker())
	dir := t.TempDir()
	template, err := os.ReadFile("../testdata/collector/rsyslog.conf")
	must(t, "read the configuration", err)
	config, out := filepath.Join(dir, "rsyslog.conf"), filepath.Join(dir, "lines")
	must(t, "write the configuration", os.WriteFile(config,
		[]byte(strings.NewReplacer("NODE/var/log/pods", r.nodesFiles(t)[node].Pods, "STATE", dir, "OUTPUT", out).
			Replace(string(template))), 0o600))
	runUntilEnd(t, exec.Command(program, "-n", "-f", config, "-i", filepath.Join(dir, "pid")))
	file, found := grown{name: out}, collected{}
	r.collects(t, node, func() collected {
		file.lines(t, found.addRsyslog)
		return found
	})
}

// runUntilEnd runs a program until the test ends. What it prints is shown when it or the test fails.
func runUntilEnd(t *testing.T, command *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	must(t, "start "+command.Path, command.Start())
	t.Cleanup(func() {
		command.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		if err := command.Wait(); err != nil || t.Failed() {
			t.Logf("%s: %v\n%s", command.Path, err, tailOf(said.String(), 4000))
		}
	})
}

// partOfLine is what stands before each part of a line; the parts that rsyslog has put together have a line's end between them, escaped.
var partOfLine = regexp.MustCompile(`(?:^|\\n)\S+ (?:stdout|stderr) [FP] `)

// podOfPath are the names in the path of a log.
var podOfPath = regexp.MustCompile(`/([^/_]+)_([^/_]+)_[^/_]+/([^/]+)/\d+\.log$`)

// addRsyslog takes what rsyslog has written: a path, a blank, and a line with its parts.
func (c collected) addRsyslog(text []byte) {
	path, line, _ := strings.Cut(string(text), " ")
	if names := podOfPath.FindStringSubmatch(path); names != nil {
		container := strings.Join(names[1:], "/")
		c[container] = append(c[container], partOfLine.ReplaceAllString(line, ""))
	}
}

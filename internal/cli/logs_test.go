package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod/internal/datadir"
)

func TestLogsFindsTheFile(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	logs := filepath.Join(dataDir, "zones", "us-east-1a", "logs")
	write(t, filepath.Join(logs, "az.log"), "the agent\n")
	write(t, filepath.Join(logs, "apiserver-AB.log"), "the API server\n")
	write(t, filepath.Join(logs, "etcd-AB.log"), "demo's member\n")
	write(t, filepath.Join(logs, "etcd-CD.log"), "other's member\n")
	write(t, filepath.Join(dataDir, "logs", "up.log"), "the region\n")
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"az/a", 0, "the agent\n"},
		{"az/us-east-1a", 0, "the agent\n"},
		{"apiserver/a", 0, "the API server\n"},
		{"up", 0, "the region\n"},
		{"etcd/a --cluster CD", 0, "other's member\n"},
		{"etcd/a", 1, "choose with --cluster an id"},
		{"controllers/a", 1, "controllers/a has no log yet"},
		{"az/b", 1, `there is no zone "b" in us-east-1: its zones are a`},
	} {
		got := tripod(t, dataDir, append([]string{"logs"}, strings.Fields(test.args)...)...)
		if got.code != test.code || !strings.Contains(got.stdout+got.stderr, test.want) {
			t.Errorf("logs %s: got %+v, want %d %q", test.args, got, test.code, test.want)
		}
	}
	status := testStatus()
	newSupervisor(t, dataDir, status)
	if got := tripod(t, dataDir, "logs", "etcd/a", "--cluster", "demo"); got.stdout != "demo's member\n" {
		t.Errorf("by the cluster's name: got %+v", got)
	}
}

func TestLogsBeginsWithTheLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var all strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&all, "line %d\n", i)
	}
	write(t, path, all.String()+"no end")
	for _, test := range []struct {
		tail int
		want string
	}{{0, ""}, {1, "no end\n"}, {3, "line 19998\nline 19999\nno end\n"}, {-1, all.String() + "no end\n"},
		{99999, all.String() + "no end\n"}} {
		var out bytes.Buffer
		log := &logReader{path: path, out: &out, interval: time.Millisecond}
		if err := log.run(t.Context(), test.tail, false); err != nil || out.String() != test.want {
			t.Errorf("--tail %d: got %d bytes and %v, want %d bytes", test.tail, out.Len(), err, len(test.want))
		}
	}
}

// syncBuffer is a bytes.Buffer for two goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestLogsReadsWhatWasSetAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "etcd-AB.log")
	for name, text := range map[string]string{"etcd-AB-2026-11-25T16-00-00.000.log": "1\n2\n3",
		"etcd-AB-2026-11-25T17-00-00.000.log": "4\n5\n", "etcd-AB.log": "6\n", "etcd-ABC.log": "x\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for tail, want := range map[int]string{-1: "1\n2\n3\n4\n5\n6\n", 0: "", 1: "6\n", 2: "5\n6\n", 3: "4\n5\n6\n",
		4: "3\n4\n5\n6\n", 6: "1\n2\n3\n4\n5\n6\n", 100: "1\n2\n3\n4\n5\n6\n"} {
		var out strings.Builder
		log := &logReader{path: path, out: &out, interval: time.Millisecond}
		if err := log.run(t.Context(), tail, false); err != nil || out.String() != want {
			t.Errorf("--tail %d: got %q (%v), want %q", tail, out.String(), err, want)
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // at this moment it is set aside
		t.Fatal(err)
	}
	var out strings.Builder
	log := &logReader{path: path, out: &out, interval: time.Millisecond}
	if err := log.run(t.Context(), 2, false); err != nil || out.String() != "4\n5\n" {
		t.Errorf("got %q (%v)", out.String(), err)
	}
}

func TestLogsFollowsRotationAndTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, "one\n")
	var out syncBuffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	log := &logReader{path: path, out: &out, escape: true, interval: time.Millisecond}
	go func() { done <- log.run(ctx, -1, true) }()
	reached := func(want string) {
		t.Helper()
		eventually(t, func() bool { return out.String() == want }, out.String)
	}
	appendTo := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		file.WriteString(text)
		file.Close()
	}
	reached("one\n")
	appendTo("tw")
	appendTo("o\x1b[2J\n")
	reached("one\ntwo\\x1b[2J\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, path, "three\n")
	reached("one\ntwo\\x1b[2J\nthree\n")
	write(t, path, "4\n") // truncates
	reached("one\ntwo\\x1b[2J\nthree\n4\n")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLogsTellsWhereNodesHaveTheirs(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	if got := tripod(t, dataDir, "logs", "--paths"); got.code != 1 || !strings.Contains(got.stderr, "'tripod up --node-logs'") {
		t.Errorf("without log files: %+v", got)
	}
	for _, node := range []datadir.Node{{Name: "ip-10-0-0-2.ec2.internal", InstanceID: "i-2", Zone: "us-east-1b", ClusterID: "AB",
		Server: "https://127.0.0.1:6443", Kubelet: "10.0.0.2:10250"},
		{Name: "ip-10-0-0-1.ec2.internal", InstanceID: "i-1", Zone: "us-east-1a", ClusterID: "AB"}} {
		dir := datadir.NodeDir(datadir.ZoneDir(dataDir, node.Zone), node.InstanceID)
		if err := errors.Join(os.MkdirAll(dir, 0o700), datadir.WriteNode(dir, node)); err != nil {
			t.Fatal(err)
		}
	}
	got := tripod(t, dataDir, "logs", "--paths")
	root := filepath.Join(dataDir, "zones", "us-east-1a", "nodes", "i-1", "root")
	if first, _, _ := strings.Cut(got.stdout, "\n"); first != "AB\tip-10-0-0-1.ec2.internal\t"+root+"/var/log/containers" {
		t.Errorf("got %+v", got)
	}
	got = tripod(t, dataDir, "logs", "--paths", "-o", "json")
	for _, want := range []string{`"apiServer":"https://127.0.0.1:6443"`, `"kubelet":"10.0.0.2:10250"`,
		`"caFile":"` + root + `/etc/kubernetes/pki/ca.crt"`} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %s in %s", want, got.stdout)
		}
	}
	for args, want := range map[string]string{"up --paths": "--paths is of all nodes", "up -o json": "-o belongs to --paths",
		"--paths -o yaml": "-o yaml is not a format"} {
		if got := tripod(t, dataDir, append([]string{"logs"}, strings.Fields(args)...)...); got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("logs %s: %+v", args, got)
		}
	}
}

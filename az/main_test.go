package az

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"tripod/apiserver/launch"
	"tripod/az/instance"
	"tripod/az/plan"
	"tripod/etcdcluster"
	"tripod/internal/process"
	"tripod/internal/version"
)

// TestMain lets the test binary be the processes that a zone starts: `TEST internal COMPONENT ...`.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "internal" {
		os.Exit(play(os.Args[2], os.Args[3:]))
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector lets each process, children too, linger for a second at its end
	precedence = 0
	os.Exit(m.Run())
}

// play is a process that reports as the real ones do.
func play(role string, args []string) int {
	ctx, line, err := process.Attach(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	switch role {
	case "etcd": // CONFIG METRICS-SOCKET
		os.Remove(args[1]) // its predecessor's
		listener, err := net.Listen("unix", args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := serveEtcdClients(args[0]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "etcd_server_is_leader 1") }))
		line.Report(instance.Report{Ready: true})
		line.Report(instance.Report{Ready: true, Leads: []string{"etcd"}})
	case "apiserver":
		defer keepDiary(role, args)()
		if awaitLeave(ctx, role, args) {
			line.Report(instance.Report{Ready: true})
		}
	case "controllers":
		defer keepDiary(role, args)()
		if awaitLeave(ctx, role, args) {
			line.Report(instance.Report{Ready: true, Leads: []string{"kube-controller-manager", "kube-scheduler"}})
		}
	}
	<-ctx.Done()
	return 0
}

// serveEtcdClients shakes hands where the member's clients look for it.
func serveEtcdClients(file string) error {
	var config etcdcluster.Config
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(config.TLS.Cert, config.TLS.Key)
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", config.ListenClient, &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go conn.(*tls.Conn).Handshake() // the client closes it
		}
	}()
	return nil
}

// awaitLeave is how tests keep a process from becoming ready: while the cluster's directory has a file unready-ROLE-VERSION, it does not.
func awaitLeave(ctx context.Context, role string, args []string) bool {
	for poll := time.NewTicker(5 * time.Millisecond); ; {
		if _, err := os.Stat(filepath.Join(filepath.Dir(args[0]), "unready-"+role+"-"+versionOf(args[0]))); err != nil {
			return true
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return false
		}
	}
}

// keepDiary notes in the cluster's directory that the process has started; what it returns notes its end.
func keepDiary(role string, args []string) func() {
	version := versionOf(args[0])
	note := func(what string) {
		diary, err := os.OpenFile(filepath.Join(filepath.Dir(args[0]), "diary"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			fmt.Fprintln(diary, role, version, what)
			diary.Close()
		}
	}
	note("starts")
	return func() { note("ends") }
}

// versionOf is the minor version in a component's file, such as 1.36.
func versionOf(file string) string {
	var spec launch.Process
	if text, err := os.ReadFile(file); err == nil {
		json.Unmarshal(text, &spec) // without it the version is empty
	}
	for _, version := range version.KubernetesVersions {
		if version.Build == spec.ReportsVersion {
			return version.Minor
		}
	}
	return ""
}

const clusterID = "0123456789ABCDEF0123456789ABCDEF"

// testConfig is zone a's of a region with three.
func testConfig() plan.Zone {
	config := plan.Zone{Region: "us-east-1", AccountID: "000000000000", Zone: "us-east-1a"}
	for i, letter := range []string{"a", "b", "c"} {
		config.Peers = append(config.Peers, plan.Peer{Zone: "us-east-1" + letter, ID: "use1-az" + string('1'+rune(i)), RaftPort: 20000 + i, RunDir: "/run/tripod/" + letter})
	}
	return config
}

// shortDir is a directory whose path leaves room for a socket's name: t.TempDir's does not everywhere.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "az")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// eventually polls until what holds; state tells how things stood when it did not. The deadline tells what hangs from what is slow on a loaded machine.
func eventually(t *testing.T, what string, holds func() bool, state func() any) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s; at the end: %v", what, state())
		}
	}
}

// noneLeft checks that nothing of the gateway, an instance or the zone runs any more in the background.
func noneLeft(t *testing.T) {
	t.Helper()
	var left string
	eventually(t, "every goroutine has ended", func() bool {
		left = ""
		text := make([]byte, 1<<20)
		text = text[:runtime.Stack(text, true)]
		for stack := range strings.SplitSeq(string(text), "\n\n") {
			if (strings.Contains(stack, "tripod/az.(*") || strings.Contains(stack, "tripod/az/")) && !strings.Contains(stack, "testing.tRunner") {
				left += stack + "\n\n"
			}
		}
		return left == ""
	}, func() any { return left })
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

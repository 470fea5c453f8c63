package zonetest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"tripod/apiserver/launch"
	"tripod/az/instance"
	"tripod/etcdcluster"
	"tripod/internal/process"
	"tripod/internal/version"
)

// Play is a process of a zone that reports as the real ones do; args are those of `tripod internal`. It returns the
// exit status.
func Play(role string, args []string) int {
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
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter,
			_ *http.Request) {
			fmt.Fprintln(w, "etcd_server_is_leader 1")
		}))
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

// awaitLeave is how tests keep a process from becoming ready: while the cluster's directory has a file
// unready-ROLE-VERSION, it does not.
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

// Package zonetest is what tests of a zone and of its parts share.
package zonetest

import (
	"net"
	"os"
	"testing"
	"time"

	"tripod/az/plan"
)

// ClusterID is that of the tests' cluster.
const ClusterID = "0123456789ABCDEF0123456789ABCDEF"

// Plan is zone a's of a region with three.
func Plan() plan.Zone {
	config := plan.Zone{Region: "us-east-1", AccountID: "000000000000", Zone: "us-east-1a"}
	for i, letter := range []string{"a", "b", "c"} {
		config.Peers = append(config.Peers,
			plan.Peer{Zone: "us-east-1" + letter, ID: "use1-az" + string('1'+rune(i)), RaftPort: 20000 + i,
				RunDir: "/run/tripod/" + letter})
	}
	return config
}

// ShortDir is a directory whose path leaves room for a socket's name: t.TempDir's does not everywhere.
func ShortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "az")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Eventually polls until what holds; state tells how things stood when it did not. The deadline tells what hangs from
// what is slow on a loaded machine.
func Eventually(t *testing.T, what string, holds func() bool, state func() any) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s; at the end: %v", what, state())
		}
	}
}

// FreePort is a port that was free a moment ago.
func FreePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

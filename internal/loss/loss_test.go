package loss

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// TestLossArrivesAsItWasSent, beside what else the socket serves.
func TestLossArrivesAsItWasSent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	told, suspended := make(chan Loss, 1), make(chan Suspension, 1)
	server := &http.Server{Handler: Handler(http.NotFoundHandler(), func(_ context.Context, l Loss) { told <- l },
		func(_ context.Context, s Suspension) { suspended <- s })}
	go server.Serve(listener)
	defer server.Close()
	want := Loss{Zone: "us-east-1b", Component: "etcd", ClusterID: "0123", At: time.Now().UTC().Round(0), Rank: 1}
	if err := Tell(t.Context(), socket, want); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := TellSuspension(t.Context(), socket, Suspension{Suspended: true}); err != nil {
		t.Fatal(err)
	}
	if got := <-suspended; !got.Suspended {
		t.Errorf("got %+v", got)
	}
	if err := Tell(t.Context(), socket, Loss{}); err == nil {
		t.Error("a loss without a zone was taken")
	}
}

func TestLossOfAZoneIsOfAllItHas(t *testing.T) {
	zone, member := Loss{Zone: "us-east-1c"}, Loss{Zone: "us-east-1c", Component: "etcd"}
	if !zone.Of("etcd") || !zone.Of("controllers") || !member.Of("etcd") || member.Of("controllers") ||
		zone.Letter() != "c" {
		t.Error("a zone's loss is one of all its components, a component's of that one alone")
	}
}

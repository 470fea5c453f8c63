package etcdcluster

import (
	"path/filepath"
	"testing"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
)

// Ended between the creation of its log and its first entries, etcd itself would wait for ever at the next start.
func TestMemberEndedWhileItWasMadeIsMadeAnew(t *testing.T) {
	c := newCluster(t, 1)
	log, err := wal.Create(zap.NewNop(), filepath.Join(c.members[0].config.Dir, "member", "wal"), []byte("metadata"))
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	c.start(t, 0)
	c.put(t, "key", "value")
	if got := c.get(t, "key"); got != "value" {
		t.Errorf("got %q", got)
	}
}

package state

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewerSnapshotIsRefused(t *testing.T) {
	err := newStore(testSchema).restore(strings.NewReader(`{"schema":3,"index":1}`))
	if err == nil || !strings.Contains(err.Error(), "newer Tripod (schema 3, this one knows 2)") {
		t.Errorf("got %v", err)
	}
}

// Snapshots of schema 1 are as those of schema 2: the indexes, which no disk has, are made of the records.
func TestSnapshotOfSchema1IsRead(t *testing.T) {
	const old = `{"schema":1,"index":9,"tables":{"access-key":{"revision":9,"records":{` +
		`"AKIA1":{"revision":7,"value":{"id":"AKIA1","user":"ada"}},"AKIA2":{"revision":8,"value":{"id":"AKIA2",` +
		`"user":"bob"}}}},` +
		`"user":{"revision":5,"records":null},"role":null},"outcomes":[{"id":"x","index":9}]}` + "\n"
	s := newStore(testSchema)
	if err := s.restore(strings.NewReader(old)); err != nil {
		t.Fatal(err)
	}
	err := view(s, func(tx *Txn) error {
		if keys := keysByOwner.Of("ada").List(tx); len(keys) != 1 || keys[0].ID != "AKIA1" {
			t.Errorf("ada has the keys %v", keys)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	again := newStore(testSchema)
	if err := again.restore(strings.NewReader(snapshotText(t, s))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(snapshotText(t, s), snapshotText(t, again)); diff != "" {
		t.Errorf("the snapshot of a snapshot differs:\n%s", diff)
	}
	now := again.load()
	if rec, _ := now.record(ref{"access-key", "AKIA1"}); rec.Revision != 7 || now.revision("access-key") != 9 ||
		now.index != 9 {
		t.Errorf("got the record of %d, the table of %d, the state of %d", rec.Revision, now.revision("access-key"),
			now.index)
	}
}

func TestDirectoryOfSchema1IsOpenedAndBecomesSchema2(t *testing.T) {
	r := startRegion(t)
	put(t, r.voters["a"], "x", "kept")
	for zone, v := range r.voters {
		if err := v.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.dir, zone, "schema"), []byte("1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.start(t)
	r.agree(t)
	for zone, v := range r.voters {
		if got := arn(v, "x"); got != "kept" {
			t.Errorf("zone %s: got %q, want kept", zone, got)
		}
		if text, err := os.ReadFile(filepath.Join(r.dir, zone, "schema")); err != nil || string(text) != "2\n" {
			t.Errorf("zone %s: the schema file says %q (%v)", zone, text, err)
		}
	}
	put(t, r.voters["b"], "x", "new")
}

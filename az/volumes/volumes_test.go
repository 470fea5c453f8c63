package volumes

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tripod/awsapi/ec2"
	"tripod/internal/datadir"
	"tripod/region"
	"tripod/state"
)

func hostOf(t *testing.T, zone string, store *state.Memory, dirs map[string]string) *Host {
	t.Helper()
	network := &ec2.Service{VPC: ec2.VPC{AccountID: "111122223333", Region: "us-east-1",
		Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}, State: store}
	return &Host{Zone: zone, Zones: dirs, State: store, Network: network, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
}

func bring(t *testing.T, h *Host, change func(tx *state.Txn)) {
	t.Helper()
	if err := h.State.Update(t.Context(), func(tx *state.Txn) error { change(tx); return nil }); err != nil {
		t.Fatal(err)
	}
	if again, err := h.Bring(t.Context()); err != nil || again != 0 {
		t.Fatalf("Bring: %v, %v", again, err)
	}
}

// TestAVolumeIsADirectoryOfItsZone follows a volume through its life, and what it holds through a snapshot into another zone.
func TestAVolumeIsADirectoryOfItsZone(t *testing.T) {
	root := t.TempDir()
	dirs := map[string]string{"us-east-1a": filepath.Join(root, "a"), "us-east-1b": filepath.Join(root, "b")}
	store := region.NewMemory(func(*state.Txn) {})
	a, b := hostOf(t, "us-east-1a", store, dirs), hostOf(t, "us-east-1b", store, dirs)
	volume := func(id string) (v region.Volume, found bool) {
		store.View(func(tx *state.Txn) error { v, found = region.Volumes.Get(tx, id); return nil })
		return v, found
	}

	bring(t, a, func(tx *state.Txn) { region.CreateVolume(tx, region.Volume{ID: "vol-1", Zone: "us-east-1a"}) })
	if v, _ := volume("vol-1"); v.State != region.VolumeAvailable {
		t.Fatalf("it is %s", v.State)
	}
	dir := datadir.ZoneVolume(dirs["us-east-1a"], "vol-1")
	if err := os.MkdirAll(filepath.Join(dir, "db"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "db", "rows"), []byte("42"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("rows", filepath.Join(dir, "db", "now")); err != nil {
		t.Fatal(err)
	}

	bring(t, a, func(tx *state.Txn) {
		region.AttachVolume(tx, "vol-1", region.VolumeAttachment{InstanceID: "i-1", Device: "/dev/sdf"})
	})
	if v, _ := volume("vol-1"); v.State != region.VolumeInUse || v.Attachments[0].State != region.VolumeAttached {
		t.Errorf("after it was attached it is %+v", v)
	}
	bring(t, a, func(tx *state.Txn) { region.DetachVolume(tx, "vol-1", "i-1") })
	if v, _ := volume("vol-1"); v.State != region.VolumeAvailable || len(v.Attachments) != 0 {
		t.Errorf("after it was detached it is %+v", v)
	}

	bring(t, a, func(tx *state.Txn) {
		region.StartSnapshot(tx, region.Snapshot{ID: "snap-1", VolumeID: "vol-1", Zone: "us-east-1a"})
	})
	bring(t, b, func(tx *state.Txn) {
		region.CreateVolume(tx, region.Volume{ID: "vol-2", Zone: "us-east-1b", Snapshot: "snap-1"})
	})
	copied := filepath.Join(datadir.ZoneVolume(dirs["us-east-1b"], "vol-2"), "db", "now")
	if text, err := os.ReadFile(copied); err != nil || string(text) != "42" {
		t.Errorf("in the volume of the snapshot there is %q, %v", text, err)
	}

	bring(t, a, func(tx *state.Txn) { region.DeleteVolume(tx, "vol-1"); region.DeleteSnapshot(tx, "snap-1") })
	if _, found := volume("vol-1"); found {
		t.Error("the record of the deleted volume is left")
	}
	for _, gone := range []string{dir, snapshotDir(dirs["us-east-1a"], "snap-1")} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", gone, err)
		}
	}
}

// TestAZoneThatIsOutDoesNothingToItsVolumes: what it does for them waits for its agent.
func TestAZoneThatIsOutDoesNothingToItsVolumes(t *testing.T) {
	store := region.NewMemory(func(*state.Txn) {})
	b := hostOf(t, "us-east-1b", store, map[string]string{"us-east-1b": t.TempDir()})
	bring(t, b, func(tx *state.Txn) { region.CreateVolume(tx, region.Volume{ID: "vol-1", Zone: "us-east-1a"}) })
	store.View(func(tx *state.Txn) error {
		if v, _ := region.Volumes.Get(tx, "vol-1"); v.State != region.VolumeCreating {
			t.Errorf("it is %s", v.State)
		}
		return nil
	})
}

package volumes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod/internal/datadir"
	"tripod/nodes/efsvolume"
	"tripod/region"
	"tripod/state"
)

// shared are the hosts of two zones, of which the first leads.
func shared(t *testing.T) (a, b *Host, store *state.Memory) {
	t.Helper()
	root := t.TempDir()
	store = region.NewMemory(func(*state.Txn) {})
	a, b = hostOf(t, "us-east-1a", store, nil), hostOf(t, "us-east-1b", store, nil)
	a.DataDir, a.Leads = root, func() bool { return true }
	b.DataDir, b.Leads = root, func() bool { return false }
	return a, b, store
}

// bringSystems changes the state and has hosts do their part.
func bringSystems(t *testing.T, store *state.Memory, change func(tx *state.Txn), hosts ...*Host) {
	t.Helper()
	if err := store.Update(t.Context(), func(tx *state.Txn) error { change(tx); return nil }); err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts {
		if again, err := h.BringFileSystems(t.Context()); err != nil || again != 0 {
			t.Fatalf("%s: %v, %v", h.Zone, again, err)
		}
	}
}

func stateOf(store *state.Memory, id string) (s region.FileSystemState) {
	store.View(func(tx *state.Txn) error {
		f, _ := region.FileSystems.Get(tx, id)
		m, _ := region.MountTargets.Get(tx, id)
		s = f.State + m.State
		return nil
	})
	return s
}

func TestAFileSystemIsTheRegionsOrItsZones(t *testing.T) {
	a, b, store := shared(t)
	bringSystems(t, store, func(tx *state.Txn) {
		region.CreateFileSystem(tx, region.FileSystem{ID: "fs-1"})
		region.CreateFileSystem(tx, region.FileSystem{ID: "fs-2", Zone: "us-east-1b"})
		region.CreateMountTarget(tx, region.MountTarget{ID: "fsmt-1", FileSystemID: "fs-1", Zone: "us-east-1b"})
	}, a)
	if one, two, target := stateOf(store, "fs-1"), stateOf(store, "fs-2"), stateOf(store, "fsmt-1"); one != "available" ||
		two != "creating" || target != "creating" {
		t.Errorf("without zone b they are %s, %s and %s", one, two, target)
	}
	bringSystems(t, store, func(*state.Txn) {}, b)
	if two, target := stateOf(store, "fs-2"), stateOf(store, "fsmt-1"); two != "available" || target != "available" {
		t.Errorf("with zone b they are %s and %s", two, target)
	}
	dirs := []string{datadir.FileSystem(a.DataDir, "", "fs-1"), datadir.FileSystem(a.DataDir, "us-east-1b", "fs-2")}
	for _, dir := range dirs {
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	bringSystems(t, store, func(tx *state.Txn) {
		region.DeleteFileSystem(tx, "fs-1") // is refused: it has a mount target
		region.DeleteFileSystem(tx, "fs-2")
		region.DeleteMountTarget(tx, "fsmt-1")
	}, b, a)
	if stateOf(store, "fs-1") != "available" || stateOf(store, "fs-2") != "" || stateOf(store, "fsmt-1") != "" {
		t.Error("what was deleted is not gone")
	}
	bringSystems(t, store, func(tx *state.Txn) { region.DeleteFileSystem(tx, "fs-1") }, b)
	if stateOf(store, "fs-1") != "deleting" {
		t.Error("a zone that does not lead deletes the region's file system")
	}
	bringSystems(t, store, func(*state.Txn) {}, a)
	for _, dir := range dirs {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", dir, err)
		}
	}
}

func TestAMountIsRefusedInTheWordsOfMountEFS(t *testing.T) {
	a, b, store := shared(t)
	bringSystems(t, store, func(tx *state.Txn) {
		region.CreateFileSystem(tx, region.FileSystem{ID: "fs-1"})
		region.CreateFileSystem(tx, region.FileSystem{ID: "fs-2"})
		region.CreateMountTarget(tx, region.MountTarget{ID: "fsmt-1", FileSystemID: "fs-1", Zone: "us-east-1a"})
		region.AccessPoints.Put(tx, "fsap-1", region.AccessPoint{ID: "fsap-1", FileSystemID: "fs-1", Path: "/p/q",
			Creation: &region.CreationInfo{Permissions: "700"}})
		region.AccessPoints.Put(tx, "fsap-2", region.AccessPoint{ID: "fsap-2", FileSystemID: "fs-1", Path: "/none"})
		region.AccessPoints.Put(tx, "fsap-3", region.AccessPoint{ID: "fsap-3", FileSystemID: "fs-2", Path: "/"})
	}, a)
	if err := os.Symlink(t.TempDir(), filepath.Join(datadir.FileSystem(a.DataDir, "", "fs-1"), "out")); err != nil {
		t.Fatal(err)
	}
	unresolved := `Failed to resolve "fs-1.efs.us-east-1.amazonaws.com" - check that your file system ID is correct, and ensure that the ` +
		"VPC has an EFS mount target for this file system ID.\nSee https://docs.aws.amazon.com/console/efs/mount-dns-name for more detail."
	const missing = "mount.nfs4: mounting 127.0.0.1:/ failed, reason given by server: No such file or directory"
	const denied = "mount.nfs4: access denied by server while mounting 127.0.0.1:/"
	for _, c := range []struct {
		from   *Host
		volume efsvolume.Handle
		says   string // empty: it is mounted
	}{
		{a, efsvolume.Handle{FileSystem: "fs-1", Path: "/"}, ""},
		{b, efsvolume.Handle{FileSystem: "fs-1", Path: "/"}, unresolved},
		{a, efsvolume.Handle{FileSystem: "fs-9", Path: "/"}, strings.ReplaceAll(unresolved, "fs-1", "fs-9")},
		{a, efsvolume.Handle{FileSystem: "fs-1", Path: "/p"}, strings.Replace(missing, "1:/", "1:/p", 1)},
		{a, efsvolume.Handle{FileSystem: "fs-1", Path: "/", AccessPoint: "fsap-1"}, ""},
		{a, efsvolume.Handle{FileSystem: "fs-1", Path: "/p"}, ""}, // it is there now
		{a, efsvolume.Handle{FileSystem: "fs-1", Path: "/", AccessPoint: "fsap-2"}, missing},
		{a, efsvolume.Handle{FileSystem: "fs-1", Path: "/", AccessPoint: "fsap-3"}, denied},
		{a, efsvolume.Handle{FileSystem: "fs-1", Path: "/", AccessPoint: "fsap-9"}, denied},
	} {
		if says, err := c.from.Mount(c.volume); err != nil || says != c.says {
			t.Errorf("%s mounts %+v: %q, %v, want %q", c.from.Zone, c.volume, says, err, c.says)
		}
	}
	if says, err := a.Mount(efsvolume.Handle{FileSystem: "fs-1", Path: "/out"}); err == nil && says == "" {
		t.Error("a link leads out of the file system")
	}
	bringSystems(t, store, func(tx *state.Txn) { region.DeleteMountTarget(tx, "fsmt-1") })
	if says, err := a.Mount(efsvolume.Handle{FileSystem: "fs-1", Path: "/"}); err != nil || says != unresolved {
		t.Errorf("by a mount target that is being deleted: %q, %v", says, err)
	}
}

package volumes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"tripod/internal/datadir"
	"tripod/nodes/efsvolume"
	"tripod/region"
	"tripod/state"
)

// Mount says what becomes of it when a node of the zone mounts a file system of EFS: nothing, or what mount.efs prints. The root
// directory of an access point that says how is made where it is not there, as EFS does.
func (h *Host) Mount(handle efsvolume.Handle) (output string, err error) {
	var f region.FileSystem
	var p region.AccessPoint
	resolved, known := false, true
	if err := h.State.View(func(tx *state.Txn) error {
		f, _ = region.FileSystems.Get(tx, handle.FileSystem)
		if handle.AccessPoint != "" {
			p, known = region.AccessPoints.Get(tx, handle.AccessPoint)
		}
		for _, m := range region.MountTargetsByFileSystem.Of(handle.FileSystem).List(tx) {
			resolved = resolved || m.Zone == h.Zone && m.State == region.FileSystemAvailable
		}
		return nil
	}); err != nil {
		return "", err
	}
	switch {
	case !resolved || f.State != region.FileSystemAvailable:
		return fmt.Sprintf("Failed to resolve \"%s.efs.%s.amazonaws.com\" - check that your file system ID is correct, and ensure that the "+
			"VPC has an EFS mount target for this file system ID.\nSee https://docs.aws.amazon.com/console/efs/mount-dns-name for more "+
			"detail.", handle.FileSystem, h.Network.VPC.Region), nil
	case !known || handle.AccessPoint != "" && p.FileSystemID != f.ID:
		return "mount.nfs4: access denied by server while mounting 127.0.0.1:" + handle.Path, nil
	}
	return h.enter(f, p, handle.Path)
}

// enter looks for the directory that is mounted.
func (h *Host) enter(f region.FileSystem, p region.AccessPoint, path string) (output string, err error) {
	root, err := os.OpenRoot(datadir.FileSystem(h.DataDir, f.Zone, f.ID))
	if err != nil {
		return "", err
	}
	defer root.Close()
	at := efsvolume.Below(p.Path, path)
	if below := efsvolume.Below(p.Path, "/"); p.Creation != nil && below != "." {
		if err := root.MkdirAll(below, 0o700); err != nil {
			return "", fmt.Errorf("make the root directory of %s: %w", p.ID, err)
		}
	}
	switch info, err := root.Stat(at); {
	case errors.Is(err, fs.ErrNotExist):
		return "mount.nfs4: mounting 127.0.0.1:" + path + " failed, reason given by server: No such file or directory", nil
	case err != nil:
		return "", err
	case !info.IsDir():
		return "mount.nfs4: mounting 127.0.0.1:" + path + " failed, reason given by server: Not a directory", nil
	}
	return "", nil
}

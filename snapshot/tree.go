// Package snapshot makes one file of a region's data directory, and a data directory of such a file.
//
// The file is a tar archive in gzip. Its first entry, manifest.json, says what it is: api.Snapshot. Then come the
// directories, each before what is in it, and the files. Of a file whose end is reserved only, zeros that nobody has
// written yet, the archive has the beginning, and its whole size in the record TRIPOD.size: etcd's logs are reserved by
// 64 MB. A file is somebody else's work until the opposite is shown: see Extract.
package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// leftOut says whether what has this name in a data directory, with slashes, is in no snapshot: what a process holds
// while it runs, what tells of processes, and what every start makes anew. The faults of links and disks are this region's, and not a
// copy's. The tokens of the control API and of metrics, and the
// port of these, are no copy's. A kubeconfig names programs to run, which a snapshot has no business to do.
func leftOut(name string) bool {
	parts := strings.Split(name, "/")
	if parts[0] == "chaos" { // the reports of experiments
		return true
	}
	for _, part := range parts {
		if strings.HasPrefix(part, ".") { // files on their way to their names
			return true
		}
	}
	switch name {
	case "agents.json", "control-token", "kubeconfig", "links.json", "disks.json", "metrics-token", "metrics-port.json":
		return true
	}
	zone, _ := path.Match("zones/*/agent.json", name) // the pattern is good
	return zone || path.Base(name) == "lock"
}

// entry is a directory or a file of a data directory.
type entry struct {
	name string // with slashes, below the data directory
	info fs.FileInfo
}

// list are the entries of a data directory, each directory before what is in it.
func list(dir string) (entries []entry, err error) {
	err = filepath.WalkDir(dir, func(file string, found fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && file != dir {
			return nil // it was on its way elsewhere
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, file)
		if err != nil || relative == "." {
			return err
		}
		name := filepath.ToSlash(relative)
		if leftOut(name) {
			if found.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := found.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // as above
		case err != nil:
			return err
		case info.Mode()&fs.ModeSocket != 0:
			return nil
		case !info.IsDir() && !info.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory, and cannot be in a snapshot: put the thing itself in "+
				"its place", file)
		}
		entries = append(entries, entry{name, info})
		return nil
	})
	return entries, err
}

// CheckSpace refuses to begin a snapshot where the disk of the data directory has no space for a copy and for the file.
func CheckSpace(dir string) error {
	entries, err := list(dir)
	if err != nil {
		return err
	}
	needed := int64(leastFree)
	for _, e := range entries {
		if stat, ok := e.info.Sys().(*syscall.Stat_t); ok {
			needed += 2 * int64(stat.Blocks) * 512
		}
	}
	if free, ok := freeSpace(dir); ok && free < needed {
		return fmt.Errorf("the disk of %s has %d MiB left, and to make a snapshot may take %d MiB for a moment: free some "+
			"space and try again", dir, free>>20, needed>>20)
	}
	return nil
}

// leastFree is what is left to a region that runs, in bytes.
const leastFree = 64 << 20

// freeSpace is what a directory's disk has left, in bytes; ok is false when that cannot be told.
func freeSpace(dir string) (free int64, ok bool) {
	var disk syscall.Statfs_t
	if syscall.Statfs(dir, &disk) != nil {
		return 0, false
	}
	return int64(disk.Bavail) * int64(disk.Bsize), true
}

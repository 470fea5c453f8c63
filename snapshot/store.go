package snapshot

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"tripod/api"
)

// Format is the newest layout of a snapshot's file that this Tripod knows.
const Format = 1

// Extension is how the names of snapshots' files end.
const Extension = ".tripod"

// RestoreRequest says which snapshot becomes which data directory.
type RestoreRequest struct {
	File    string
	DataDir string // absolute
	Over    bool   // in the place of the region that is there and does not run
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckName refuses what is no name of a snapshot.
func CheckName(name string) error {
	if !goodName.MatchString(name) || strings.HasSuffix(name, Extension) {
		return fmt.Errorf("%q is not a snapshot's name: use letters, digits, '.', '-' and '_', at most 100, the first a "+
			"letter or digit", name)
	}
	return nil
}

// Path is the file of the snapshot with that name in a directory of snapshots.
func Path(dir, name string) string { return filepath.Join(dir, name+Extension) }

// List reads what the snapshots in a directory say of themselves, the newest last. Those that cannot be read are among
// them, with their Damage. A directory that is not there has none.
func List(dir string) ([]api.Snapshot, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the directory of the snapshots: %w", err)
	}
	found := []api.Snapshot{}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), Extension)
		if !ok || CheckName(name) != nil {
			continue
		}
		about := describe(filepath.Join(dir, entry.Name()))
		about.Name = name
		found = append(found, about)
	}
	slices.SortFunc(found, func(a, b api.Snapshot) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Name, b.Name))
	})
	return found, nil
}

// describe reads what a file says of itself.
func describe(path string) api.Snapshot {
	r, err := Open(path)
	if err == nil {
		r.Close()
		return r.About
	}
	about := api.Snapshot{File: path, Damage: err.Error()}
	if info, err := os.Lstat(path); err == nil {
		about.Bytes, about.CreatedAt = info.Size(), info.ModTime().UTC()
	}
	return about
}

// draftMark is how the names of files end that become snapshots: .NAME.tripod.draft.
const draftMark = ".draft"

// Draft is the file of a snapshot that is being written. Until Commit it has another name.
type Draft struct {
	*os.File
	path string
}

// Create begins the file of a snapshot. Unless over is set, there must be none at path yet.
func Create(path string, over bool) (*Draft, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the directory of the snapshot: %w", err)
	}
	sweep(dir)
	file, err := openDraft(filepath.Join(dir, "."+filepath.Base(path)+draftMark))
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("another snapshot is being saved as %s: wait for it, or choose another name", path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write the snapshot %s: %w", path, cause(err))
	}
	d := &Draft{file, path}
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = fmt.Errorf("%s is there, and is not a file: choose another name", path)
	case err == nil && !over:
		err = fmt.Errorf("there is a snapshot %s already: choose another name, or replace it with --force", path)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err != nil {
		d.Discard()
		return nil, err
	}
	return d, nil
}

// openDraft makes or takes the file, and locks it; syscall.EWOULDBLOCK says that somebody else has it.
func openDraft(path string) (*os.File, error) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			file.Close()
			return nil, err
		}
		ours, err := file.Stat()
		if err != nil {
			file.Close()
			return nil, err
		}
		if there, err := os.Lstat(path); err == nil && os.SameFile(ours, there) {
			return file, nil
		}
		file.Close() // somebody has swept it away before it was locked
	}
}

// Commit gives the file its name, once it is on the disk, and closes it.
func (d *Draft) Commit() error {
	err := d.Chmod(0o600) // the file of one that was cut short may be anybody's
	if err == nil {
		err = d.Sync()
	}
	if err == nil {
		err = os.Rename(d.Name(), d.path)
	}
	if err != nil {
		d.Discard()
		return fmt.Errorf("write the snapshot %s: %w", d.path, cause(err))
	}
	return d.Close()
}

// Discard leaves nothing.
func (d *Draft) Discard() {
	os.Remove(d.Name()) // while it is locked: it is ours
	d.Close()
}

// sweep removes the files of snapshots whose makers were killed.
func sweep(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasPrefix(name, ".") || !strings.HasSuffix(name, Extension+draftMark) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		file, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.Remove(path)
		}
		file.Close()
	}
}

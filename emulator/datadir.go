package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tripod/internal/datadir"
	"tripod/internal/pki"
	"tripod/internal/process"
)

// dataDir is a region's directory, held for this process alone.
type dataDir struct {
	path   string
	marker datadir.Marker
	isNew  bool // nothing was written yet
	lock   *os.File
}

func (d *dataDir) file(parts ...string) string {
	return filepath.Join(append([]string{d.path}, parts...)...)
}

// openDataDir checks that the directory is a region's, or empty, and takes it. It writes nothing but the lock.
func openDataDir(path string) (*dataDir, error) {
	d := &dataDir{path: path}
	if err := datadir.CheckOwner(path); err != nil {
		return nil, err
	}
	if err := d.readMarker(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory %s cannot be made: %w: choose another with --data-dir", path, cause(err))
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory %s belongs to somebody else: choose another with --data-dir", path)
	}
	lock, err := os.OpenFile(d.file("lock"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link, and what it leads to is no lock of Tripod's: remove it, or choose "+
			"another directory with --data-dir",
			d.file("lock"))
	}
	if err == nil {
		if info, statErr := lock.Stat(); statErr != nil || !info.Mode().IsRegular() {
			lock.Close()
			return nil, fmt.Errorf("%s is no file: remove it, or choose another directory with --data-dir", d.file("lock"))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the data directory %s cannot be written: %w", path, cause(err))
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(lock.Name())
		lock.Close()
		return nil, fmt.Errorf("another Tripod (pid %s) runs the region in %s: use it, stop it with 'tripod down', or "+
			"start a second region with --data-dir and --port 0", holder, path)
	}
	lock.Truncate(0)
	fmt.Fprint(lock, os.Getpid())
	d.lock = lock
	if err := d.readMarker(); err != nil { // what another process wrote meanwhile
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *dataDir) close() { d.lock.Close() }

func (d *dataDir) readMarker() error {
	text, err := os.ReadFile(d.file(datadir.MarkerFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.checkEmpty()
	case err != nil:
		return fmt.Errorf("the data directory %s cannot be read: %w", d.path, cause(err))
	}
	if err := json.Unmarshal(text, &d.marker); err != nil || d.marker.Schema == 0 {
		return fmt.Errorf("%s is damaged: restore it from a backup, or delete the region with 'tripod down --purge' and "+
			"start anew", d.file(datadir.MarkerFile))
	}
	if d.marker.Schema > datadir.Schema {
		return fmt.Errorf("the region in %s was made by a newer Tripod (schema %d, this one knows %d): use that Tripod, "+
			"or another --data-dir", d.path, d.marker.Schema, datadir.Schema)
	}
	d.isNew = false
	return nil
}

// checkEmpty refuses a directory with files that are not Tripod's.
func (d *dataDir) checkEmpty() error {
	d.isNew = true
	entries, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the data directory %s cannot be read: %w", d.path, cause(err))
	}
	for _, entry := range entries {
		switch name := entry.Name(); name {
		case "lock", "logs": // of a start that failed early
		case extractName, restoringName: // of a restore that was killed
		default:
			return fmt.Errorf("%s holds files that are not Tripod's (%s): choose another with --data-dir", d.path, name)
		}
	}
	return nil
}

// checkWhole refuses a directory where a restore was cut short, and deletes what others have left that were.
func (d *dataDir) checkWhole() error {
	if _, err := os.Lstat(d.file(restoringName)); err == nil {
		return fmt.Errorf("a snapshot was being restored into %s when that was cut short: restore it again with --force, "+
			"or delete the directory with 'tripod down --purge'", d.path)
	}
	return errors.Join(os.RemoveAll(d.file(copyName)), os.RemoveAll(d.file(extractName)))
}

func (d *dataDir) writeMarker() error { return d.writeJSON(datadir.MarkerFile, d.marker) }

func (d *dataDir) writeJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := pki.WriteDurable(d.file(name), append(text, '\n')); err != nil {
		return diskError(d.path, err)
	}
	return nil
}

// diskError says what to do when the disk is full.
func diskError(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("the disk of %s is full: free some space (a region takes about 1 GB) and try again", path)
	}
	return err
}

// cause drops the operation and the path that os puts before an error.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// agents remembers the zones' processes, so that the next start can end what outlived this one.
func (d *dataDir) writeAgents(agents map[string]process.Identity) error {
	return d.writeJSON("agents.json", agents)
}

// sweep ends zones that an earlier process left behind.
func (d *dataDir) sweep() error {
	text, err := os.ReadFile(d.file("agents.json"))
	if err != nil {
		return nil // none was written
	}
	agents := map[string]process.Identity{}
	if err := json.Unmarshal(text, &agents); err != nil {
		return nil // cut short by the crash that we clean up after: the lifelines have ended the processes
	}
	for zone, agent := range agents {
		if err := agent.KillGroup(5 * time.Second); err != nil {
			return fmt.Errorf("zone %s still runs from an earlier start (process group %d) and cannot be ended: %w", zone,
				agent.PID, err)
		}
	}
	return nil
}

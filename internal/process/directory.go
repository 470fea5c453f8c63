package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Directory makes a directory below parent, private to this user, that goes with this process: release removes it, and
// one whose process was killed is removed by the next Directory or SweepDirectories. A lock says that its process
// lives, which the system lets go of however that ends.
func Directory(parent string) (dir string, release func(), err error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, err
	}
	makers, err := lockDirectory(parent, 0)
	if err != nil {
		return "", nil, err
	}
	defer makers.Close() // until then nobody else sweeps, and the new one is not locked yet
	if err := sweepDirectories(parent); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(parent, ""); err != nil { // of mode 0700
		return "", nil, err
	}
	lock, err := lockDirectory(dir, syscall.LOCK_NB)
	if err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	return dir, func() { os.RemoveAll(dir); lock.Close() }, nil
}

// SweepDirectories removes the directories below parent whose processes are gone. A parent that is not there is no
// error.
func SweepDirectories(parent string) error {
	makers, err := lockDirectory(parent, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer makers.Close()
	return sweepDirectories(parent)
}

// sweepDirectories assumes the parent's lock.
func sweepDirectories(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := filepath.Join(parent, entry.Name())
		lock, err := lockDirectory(dir, syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) {
			continue // its process lives, or has just removed it
		}
		if err != nil {
			return err
		}
		err = os.RemoveAll(dir)
		lock.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func lockDirectory(dir string, how int) (*os.File, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|how); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return file, nil
}

package client

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// runtimeRootMax is how long the directory above the control sockets may be, in bytes: a unix socket's path is limited
// to 104 bytes on macOS and 108 on Linux, and below the root stand a 16-digit hash and the sockets' names.
const runtimeRootMax = 60

// DefaultDataDir is where a user's region lives when nothing else was said: tripod under XDG_STATE_HOME, or
// ~/.local/state/tripod. It returns a relative path when the user has no home directory.
func DefaultDataDir() string {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "tripod")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".local", "state", "tripod")
}

// RuntimeDir returns the directory that holds the control sockets of this user's regions, and makes it when it is
// not there. It is an error, in one sentence, when somebody else owns it or could write to it.
func RuntimeDir() (string, error) {
	dir := runtimeDir()
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("cannot make the directory of the control sockets: %w", err)
	}
	if err := checkPrivate(dir); err != nil {
		return "", err
	}
	return dir, nil
}

// SocketPath is the control socket of the region in dataDir. It stands outside the data directory, since that one's
// path may be too long for a socket. The directories above it need not exist: see RuntimeDir.
func SocketPath(dataDir string) string {
	return socketUnder(runtimeDir(), dataDir)
}

func socketUnder(runtime, dataDir string) string {
	sum := sha256.Sum256([]byte(realPath(dataDir)))
	return filepath.Join(runtime, hex.EncodeToString(sum[:])[:16], "ctl.sock")
}

// runtimeDirs lists the directories where a region's socket may be, this environment's own first: a region that
// was started from a desktop session is also to be found from cron, where XDG_RUNTIME_DIR is not set.
func runtimeDirs() []string {
	uid := strconv.Itoa(os.Getuid())
	dirs := []string{runtimeDir()}
	for _, dir := range []string{filepath.Join("/run/user", uid, "tripod"), "/tmp/tripod-" + uid} {
		if dir != dirs[0] {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func runtimeDir() string {
	root := os.Getenv("XDG_RUNTIME_DIR")
	if filepath.IsAbs(root) && len(root) <= runtimeRootMax {
		if info, err := os.Stat(root); err == nil && info.IsDir() {
			return filepath.Join(root, "tripod")
		}
	}
	// Not os.TempDir: two shells with different TMPDIRs mean the same region.
	return "/tmp/tripod-" + strconv.Itoa(os.Getuid())
}

// checkPrivate says whether only this user can have put something into dir. A missing dir is fs.ErrNotExist.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("cannot look at the directory of the control sockets: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s should be a directory of yours but is not one: remove it, or set XDG_RUNTIME_DIR", dir)
	case ok && int(stat.Uid) != os.Getuid():
		return fmt.Errorf("%s belongs to another user (uid %d): set XDG_RUNTIME_DIR to a directory of yours", dir, stat.Uid)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("others have access to %s (mode %04o): run 'chmod 700 %s'", dir, info.Mode().Perm(), dir)
	}
	return nil
}

// realPath makes path absolute and resolves the symbolic links in the part of it that exists, so that a directory
// has one name before and after it is made.
func realPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	rest := ""
	for dir := abs; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if dir == filepath.Dir(dir) {
			return abs
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

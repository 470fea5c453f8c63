package datadir

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// runtimeRootMax is how long the directory above the control sockets may be, in bytes: a unix socket's path is limited
// to 104 bytes on macOS and 108 on Linux, and below the root stand a 16-digit hash and the sockets' names.
const runtimeRootMax = 60

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

// Dial connects to the control socket of the region in dataDir, wherever the environment of its `tripod up` placed it.
// A socket that nobody listens on is what a region leaves that was killed: it counts as none, and the error is
// ErrNotRunning.
func Dial(ctx context.Context, dataDir string) (net.Conn, error) {
	for _, runtime := range runtimeDirs() {
		if err := checkPrivate(runtime); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socketUnder(runtime, dataDir))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			continue
		}
		return conn, err
	}
	return nil, ErrNotRunning
}

// ErrNotRunning says that no region runs in the data directory.
var ErrNotRunning = errors.New("no region is running")

// Locked says whether a process has the data directory: a region, also one in a container, whose control socket is not
// to be seen from outside.
func Locked(dataDir string) bool {
	lock, err := os.OpenFile(filepath.Join(dataDir, "lock"), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	return errors.Is(syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

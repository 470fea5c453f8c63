package process

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// ListenUnix listens on a socket that only this user can reach, in place of one that a killed process left at path.
// Whoever calls it must be the only one who may: the directory is its own, or a lock is held.
func ListenUnix(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, syscall.ENOENT) {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}

package datadir

import (
	"os"
	"path/filepath"
)

// Default is where a user's region lives when nothing else was said: tripod under XDG_STATE_HOME, or
// ~/.local/state/tripod. It returns a relative path when the user has no home directory.
func Default() string {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "tripod")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".local", "state", "tripod")
}

// DefaultSnapshots is where a user's snapshots are when nothing else was said: beside the default data directory, so
// that `down --purge` leaves them.
func DefaultSnapshots() string { return Default() + "-snapshots" }

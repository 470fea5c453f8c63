// Package datadir is a region's directory as every part of the program finds it: its marker and credentials, whose it
// is, and where its control socket is.
package datadir

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// CheckOwner refuses a data directory that is another user's, or that holds what another user has put there: root can
// use every directory, and a link that waits in one leads where its owner likes. A directory that is not there, or
// cannot be read, is no error of this kind.
func CheckOwner(dataDir string) error {
	info, err := os.Stat(dataDir)
	if err != nil {
		return nil
	}
	if uid, other := otherOwner(info); other {
		return fmt.Errorf("the data directory %s belongs to another user (uid %d, you are %d): choose another with "+
			"--data-dir", dataDir, uid, os.Getuid())
	}
	entries, err := os.ReadDir(dataDir)
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		info, err := entry.Info() // of a link, not of what it leads to
		if err != nil {
			continue
		}
		if uid, other := otherOwner(info); other {
			return fmt.Errorf("%s belongs to another user (uid %d, you are %d): choose another directory with --data-dir",
				filepath.Join(dataDir, entry.Name()), uid, os.Getuid())
		}
	}
	return nil
}

func otherOwner(info os.FileInfo) (uid int, other bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), int(stat.Uid) != os.Getuid()
}

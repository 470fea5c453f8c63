package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
)

// Read runs fn on the copy of the regional state that a voter with this schema, which does not run, has left in its
// directory. fn must not keep the Txn.
func Read(dir string, schema Schema, fn func(*Txn) error) error {
	if _, err := os.Stat(filepath.Join(dir, "schema")); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no regional state in %s", dir) // and openDisk would make one
	}
	s := newStore(schema)
	if err := readCopy(dir, s); err != nil {
		return err
	}
	return view(s, fn)
}

// readCopy brings a store to where the copy of a voter that does not run had been.
func readCopy(dir string, s *store) (err error) {
	d, err := openDisk(dir, hclog.NewNullLogger(), nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	snaps, err := d.snapshots.List()
	if err != nil {
		return err
	}
	if len(snaps) > 0 {
		_, content, err := d.snapshots.Open(snaps[0].ID)
		if err != nil {
			return err
		}
		if err := (&machine{store: s}).Restore(content); err != nil {
			return err
		}
	}
	return d.replay(s)
}

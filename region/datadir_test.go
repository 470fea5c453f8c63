package region

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod/state"
)

// The state of the golden data directory, which a Tripod of the first schema wrote, is read as what it means now.
func TestOldDataDirIsRead(t *testing.T) {
	dir := unpack(t, "../testdata/datadir-schema1.tar.gz", "./zones/us-east-1a/state/")
	if err := state.Read(dir, Schema, func(tx *state.Txn) error {
		cluster, found := ClusterNamed(tx, "demo")
		if !found || cluster.ID != "0123456789ABCDEF0123456789ABCDEF" || cluster.Status != ClusterActive || !cluster.Runs() {
			t.Errorf("got %t: %s %s, which is %s", found, cluster.Name, cluster.ID, cluster.Status)
		}
		if cluster.Secrets.CAKey == "" || cluster.Secrets.EncryptionKey == "" || cluster.EndpointPort == 0 {
			t.Error("its secrets or its port are not read")
		}
		for _, user := range Users.List(tx) {
			if keys := KeysByOwner.Of(KeyOwner(user.Name, false)).List(tx); len(keys) != 1 || keys[0].Secret == "" {
				t.Errorf("user %s has %d keys", user.Name, len(keys))
			}
		}
		if Users.Part("").Empty(tx) {
			t.Error("there are no users")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// unpack writes the files of an archive that are under a folder, and returns where.
func unpack(t *testing.T, archive, folder string) (dir string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for in := tar.NewReader(zipped); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		name, under := strings.CutPrefix(header.Name, folder)
		if !under || header.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(in)
		path := filepath.Join(dir, name)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

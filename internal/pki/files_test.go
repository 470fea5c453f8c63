package pki

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestFilesAreTheUsersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "pki")
	want := newAuthority(t, Loopback).Pair
	if err := WritePair(dir, "ca", want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPair(dir, "ca")
	if err != nil || !bytes.Equal(got.Cert, want.Cert) || !bytes.Equal(got.Key, want.Key) {
		t.Errorf("read back: %v", err)
	}
	for path, mode := range map[string]fs.FileMode{
		dir: 0o700, filepath.Dir(dir): 0o700, filepath.Join(dir, "ca.crt"): 0o600, filepath.Join(dir, "ca.key"): 0o600,
	} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v (%v), want %v", path, info.Mode().Perm(), err, mode)
		}
	}
}

func TestReadPairSaysThatThereIsNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadPair(dir, "ca"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestPairIsThereOnceItsCertificateIs(t *testing.T) {
	// Others look for the certificate alone: the key is written first.
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "ca.key"), 0o700); err != nil { // the key cannot be written
		t.Fatal(err)
	}
	if err := WritePair(dir, "ca", Pair{Cert: []byte("cert"), Key: []byte("key")}); err == nil {
		t.Fatal("the key was written over a directory")
	}
	if _, err := os.Stat(filepath.Join(dir, "ca.crt")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the certificate is there without its key: %v", err)
	}
}

func TestWriteThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.MkdirAll(filepath.Join(file, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, []byte("new")); err == nil {
		t.Fatal("a directory was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestReaderSeesTheOldOrTheNew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	texts := [2][]byte{bytes.Repeat([]byte("a"), 1<<16), bytes.Repeat([]byte("b"), 1<<15)}
	if err := Write(file, texts[0]); err != nil {
		t.Fatal(err)
	}
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := range 100 {
			if err := Write(file, texts[i%2]); err != nil {
				t.Error(err)
			}
		}
	})
	for range 200 {
		got, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(got, texts[0]) && !bytes.Equal(got, texts[1]) {
			t.Fatalf("read %d bytes that nobody wrote: %v", len(got), err)
		}
	}
	writer.Wait()
}

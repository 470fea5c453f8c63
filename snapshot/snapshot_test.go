package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
)

// onDisk is how many bytes a directory's files take.
func onDisk(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	for name := range tree(t, dir) {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	return bytes
}

func TestWhatIsExtractedIsWhatWasWritten(t *testing.T) {
	dir := dataDir(t)
	path := put(t, packed(t, dir))
	to := t.TempDir()
	if err := extract(t, path, to); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted(t, dir), tree(t, to)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if used := onDisk(t, to); used > 1<<19 {
		t.Errorf("6 MB that were never written take %d bytes of the disk", used)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 10<<10 {
		t.Errorf("the file has %d bytes: %v", info.Size(), err)
	}
}

func TestCopyIsWhatWriteWouldRead(t *testing.T) {
	dir := dataDir(t)
	to := t.TempDir()
	copier := &Copier{From: dir, To: to}
	if err := copier.Copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted(t, dir), tree(t, to)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if used := onDisk(t, to); used > 1<<19 {
		t.Errorf("6 MB that were never written take %d bytes of the disk", used)
	}
	if !bytes.Equal(packed(t, dir), packed(t, dir)) {
		t.Error("the same directory makes different files")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&Copier{From: dir, To: t.TempDir()}).Copy(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a copy that is given up: %v", err)
	}
}

// TestCopyWithoutHelpOfTheFileSystem is how it goes where one cannot ask for holes.
func TestCopyWithoutHelpOfTheFileSystem(t *testing.T) {
	in, err := os.Open(filepath.Join(dataDir(t), "zones", "us-east-1a", "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	to := t.TempDir()
	out, err := os.Create(filepath.Join(to, "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := copyAll(in, out, 2<<20); err != nil {
		t.Fatal(err)
	}
	want, _ := os.ReadFile(in.Name())
	got, _ := os.ReadFile(out.Name())
	if !bytes.Equal(want, got) {
		t.Error("the copy differs")
	}
	if used := onDisk(t, to); used > 1<<19 {
		t.Errorf("2 MB with three pages take %d bytes of the disk", used)
	}
}

func TestSocketsAreLeftOutAndLinksAreRefused(t *testing.T) {
	dir := dataDir(t)
	before := packed(t, dir)
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if !bytes.Equal(before, packed(t, dir)) {
		t.Error("a socket changes a snapshot")
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "zones", "us-east-1b")); err != nil {
		t.Fatal(err)
	}
	want := "us-east-1b is neither a file nor a directory"
	if err := (&Copier{From: dir, To: t.TempDir()}).Copy(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a directory with a link: %v", err)
	}
	if _, err := Write(t.Context(), &bytes.Buffer{}, dir, about(), noProgress); err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("a directory with a link: %v", err)
	}
}

func TestManifestSaysWhatItIs(t *testing.T) {
	r, err := Open(put(t, packed(t, dataDir(t))))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := r.About
	if got.Bytes < 1 || !filepath.IsAbs(got.File) || got.Tripod == "" || got.Entries < 10 || got.DataBytes < 160000 ||
		got.DataBytes > 2<<20 {
		t.Errorf("got %+v", got)
	}
	want := about()
	want.Format, want.Schema = 1, 1
	got.File, got.Bytes, got.Tripod, got.Entries, got.DataBytes = "", 0, "", 0, 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestProgressIsToldAndEndsWithTheContext(t *testing.T) {
	dir := dataDir(t)
	var last api.SnapshotProgress
	if _, err := Write(t.Context(), &bytes.Buffer{}, dir, about(), func(p api.SnapshotProgress) { last = p }); err != nil {
		t.Fatal(err)
	}
	if last.Total < 160000 || last.Done > last.Total {
		t.Errorf("got %+v", last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, &bytes.Buffer{}, dir, about(), noProgress); !errors.Is(err, context.Canceled) {
		t.Errorf("a write that is given up: %v", err)
	}
	r, err := Open(put(t, packed(t, dir)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Extract(ctx, t.TempDir(), noProgress); !errors.Is(err, context.Canceled) {
		t.Errorf("an extraction that is given up: %v", err)
	}
}

func TestDraftIsAFileOnlyWhenItIsComplete(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "snapshots")
	path := Path(dir, "one")
	write(t, filepath.Join(dir, ".dead.tripod.draft"), "of somebody who was killed")
	draft, err := Create(path, false)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(draft, "half")
	if _, err := Create(path, true); err == nil || !strings.Contains(err.Error(),
		"another snapshot is being saved as "+path) {
		t.Errorf("two at a time: %v", err)
	}
	if found, err := List(dir); err != nil || len(found) != 0 {
		t.Errorf("a half one is listed: %+v %v", found, err)
	}
	draft.Discard()
	if left := tree(t, dir); len(left) != 0 {
		t.Errorf("one that was given up leaves %v", left)
	}
	for _, over := range []bool{false, true} {
		draft, err := Create(path, over)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(draft, "whole, replaced: ", over)
		if err := draft.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Create(path, false); err == nil || !strings.Contains(err.Error(),
		"choose another name, or replace it with --force") {
		t.Errorf("one with the name of another: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"one.tripod": "-rw------- 21 whole, replaced: true"}, tree(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := Create(dir, true); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("in the place of a directory: %v", err)
	}
}

func TestListTellsOfThoseThatAreDamagedToo(t *testing.T) {
	dir := t.TempDir()
	if found, err := List(filepath.Join(dir, "none")); err != nil || len(found) != 0 {
		t.Errorf("a directory that is not there: %+v %v", found, err)
	}
	whole := packed(t, dataDir(t))
	for name, text := range map[string]string{"b.tripod": string(whole), "a.tripod": "text", ".c.tripod.draft": "",
		"d.txt": "", "--x.tripod": ""} {
		write(t, filepath.Join(dir, name), text)
	}
	found, err := List(dir)
	if err != nil || len(found) != 2 {
		t.Fatalf("got %+v %v", found, err)
	}
	if b := found[0]; b.Name != "b" || b.Damage != "" || b.Bytes != int64(len(whole)) || b.Clusters[0].Name != "demo" {
		t.Errorf("got %+v", b)
	}
	if a := found[1]; a.Name != "a" || !strings.Contains(a.Damage, "is no snapshot of Tripod's") || a.Bytes != 4 {
		t.Errorf("got %+v", a)
	}
	for _, name := range []string{"", "../x", "a/b", ".hidden", "-x", "x.tripod", "a b", strings.Repeat("x", 101)} {
		if CheckName(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

package efsvolume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHandlesAreReadAsTheDriverReadsThem(t *testing.T) {
	const id, point = "fs-0123456789abcdef0", "fsap-0123456789abcdef0"
	for text, want := range map[string]Handle{
		id: {id, "/", ""}, id + "::": {id, "/", ""}, id + ":/a/b": {id, "/a/b", ""}, id + ":a/../../b": {id, "/b", ""},
		id + "::" + point: {id, "/", point}, "efs:" + id + "::" + point: {id, "/", point}, "efs:" + id + ":/x:": {id, "/x", ""},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, words := range map[string]string{
		"":                     "Expected a file system ID of the form 'fs-[0-9a-f]{8,40}'",
		"efs":                  "Missing file system ID",
		"vol-1":                "volume ID 'vol-1' is invalid",
		id + ":::x":            "Expected at most three fields separated by ':'",
		"efs:" + id + ":a:b:c": "Expected at most four fields",
		id + "::fs-1":          "has an invalid access point ID 'fs-1'",
		"../" + id:             "Expected a file system ID",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: got %v, want %s", text, err, words)
		}
	}
}

func TestNothingOutsideTheFileSystemIsRemoved(t *testing.T) {
	dir := t.TempDir()
	system, outside := filepath.Join(dir, "fs"), filepath.Join(dir, "outside")
	for _, made := range []string{filepath.Join(system, "a", "b"), filepath.Join(outside, "x")} {
		if err := os.MkdirAll(made, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(system, "link")); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"/", "", "/a/..", "/../outside", "/link/x"} {
		Remove(system, at)
	}
	if err := Remove(system, "/a/b"); err != nil {
		t.Error(err)
	}
	for path, there := range map[string]bool{filepath.Join(outside, "x"): true, filepath.Join(system, "a"): true,
		filepath.Join(system, "a", "b"): false} {
		if _, err := os.Stat(path); (err == nil) != there {
			t.Errorf("%s: %v", path, err)
		}
	}
}

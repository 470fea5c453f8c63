package datadir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runtimeRoot is a short XDG_RUNTIME_DIR of the test's own.
func runtimeRoot(t *testing.T) string {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "tripod-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	t.Setenv("XDG_RUNTIME_DIR", root)
	return root
}

func TestRuntimeDirIsPrivate(t *testing.T) {
	root := runtimeRoot(t)
	dir, err := RuntimeDir()
	if err != nil || dir != filepath.Join(root, "tripod") {
		t.Fatalf("got %s, %v", dir, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got mode %v, %v", info.Mode(), err)
	}
	if _, err := RuntimeDir(); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

func TestRuntimeDirOfOthersIsRefused(t *testing.T) {
	for want, prepare := range map[string]func(dir string) error{
		"others have access":               func(dir string) error { return os.Chmod(mkdir(dir), 0o755) },
		"should be a directory of yours":   func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"should be a directory of yours b": func(dir string) error { return os.Symlink(t.TempDir(), dir) },
		"belongs to another user":          func(dir string) error { return os.Chown(mkdir(dir), 12345, 12345) },
	} {
		dir := filepath.Join(runtimeRoot(t), "tripod")
		if err := prepare(dir); err != nil {
			if os.Getuid() != 0 {
				continue // only root can give a directory away
			}
			t.Fatal(err)
		}
		_, err := RuntimeDir()
		if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(want, " b")) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := Dial(t.Context(), t.TempDir()); err == nil ||
			!strings.Contains(err.Error(), strings.TrimSuffix(want, " b")) {
			t.Errorf("it was trusted: %v", err)
		}
	}
}

func mkdir(dir string) string {
	if err := os.Mkdir(dir, 0o700); err != nil {
		panic(err)
	}
	return dir
}

func TestSocketPathIsOnePerDirectory(t *testing.T) {
	runtimeRoot(t)
	base := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(base, link); err != nil {
		t.Fatal(err)
	}
	before := SocketPath(filepath.Join(link, "data"))
	if got := SocketPath(filepath.Join(base, "data")); got != before {
		t.Errorf("through a link: got %s, want %s", got, before)
	}
	mkdir(filepath.Join(base, "data"))
	if got := SocketPath(filepath.Join(base, ".", "data")); got != before {
		t.Errorf("once it is made: got %s, want %s", got, before)
	}
	if got := SocketPath(filepath.Join(base, "other")); got == before {
		t.Errorf("two directories have the socket %s", got)
	}
	t.Setenv("XDG_RUNTIME_DIR", "/tmp/"+strings.Repeat("long", 30))
	if got := SocketPath(strings.Repeat("/very/long", 30)); len(got) > 103 {
		t.Errorf("%s is too long for a socket: %d bytes", got, len(got))
	}
}

func TestDefault(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	if got := Default(); got != "/state/tripod" {
		t.Errorf("got %s", got)
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "/home/me")
	if got := Default(); got != "/home/me/.local/state/tripod" {
		t.Errorf("got %s", got)
	}
}

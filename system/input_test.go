package system

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod/api"
)

// refused runs a command and checks its exit code and that it says one sentence with the given words on stderr.
func refused(t *testing.T, dir string, code int, words string, args ...string) {
	t.Helper()
	_, stderr, got := tripod(t, dir, args...)
	if got != code {
		t.Errorf("tripod %v: exit code %d, want %d: %s", args, got, code, stderr)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "tripod: ") || !strings.Contains(stderr, words) {
		t.Errorf("tripod %v: said %q, want one line with %q", args, stderr, words)
	}
}

// listing is all that is in a directory, with sizes.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		size := int64(0)
		if !info.IsDir() {
			size = info.Size()
		}
		fmt.Fprintln(&text, path, size)
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return text.String()
}

func TestBadInputIsRefused(t *testing.T) {
	t.Parallel()
	r := sharedRegion(t)

	t.Run("usage", func(t *testing.T) {
		dir := newDir(t)
		for _, args := range [][]string{
			{"up", "--port", "70000"}, {"up", "--port", "http"}, {"up", "--kubernetes-version", "1.12"},
			{"up", "--cluster", "no spaces"},
			{"up", "--nodes", "-1"}, {"up", "--region", "moon"}, {"up", "--colour"}, {"up", "quickly"}, {"fly"}, {"kill"},
			{"kill", "b"},
			{"kill", "moon/b"}, {"wait", "region", "--for=christmas"}, {"token"}, {"logs"}, {"status", "-o", "poem"},
		} {
			refused(t, dir, 2, "", args...)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("wrong usage made a directory:\n%s", listing(t, dir))
		}
	})
	t.Run("no region", func(t *testing.T) {
		dir := newDir(t)
		for _, args := range [][]string{{"status"}, {"kill", "az/b"}, {"env"}, {"token", "--cluster", "demo"}, {"events"}} {
			refused(t, dir, 1, "", args...)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("looking for a region made a directory:\n%s", listing(t, dir))
		}
	})
	t.Run("unknown targets", func(t *testing.T) {
		refused(t, r.dir, 1, "zone", "kill", "az/x")
		refused(t, r.dir, 1, "cluster", "kill", "etcd/b", "--cluster", "nobody")
		if status := r.status(t); status.Phase != api.PhaseReady {
			t.Errorf("a refused order left the region %s", status.Phase)
		}
	})
	t.Run("a port that is taken", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, "listen", err)
		defer taken.Close()
		port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
		for _, args := range [][]string{{"up", "--port", port}, {"up", "--detach", "--port", port}} {
			dir := newDir(t)
			refused(t, dir, 1, "port "+port, args...)
			if _, err := os.Stat(filepath.Join(dir, "tripod.json")); err == nil {
				t.Errorf("a region was made that cannot have its port:\n%s", listing(t, dir))
			}
			noProcesses(t, dir)
		}
	})
	t.Run("a port of the region's range is taken", func(t *testing.T) {
		dir := newDir(t)
		base := freeBase(t)
		writeMarker(t, dir, fmt.Sprintf(`{"schema":1,"region":"us-east-1","accountId":"111122223333","port":%d,`+
			`"portBase":%d,"nodes":0,"founded":false}`, base+100, base))
		taken, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+12))
		must(t, "listen", err)
		defer taken.Close()
		refused(t, dir, 1, fmt.Sprintf("port %d", base+12), "up")
	})
	t.Run("a data directory in use", func(t *testing.T) {
		before := r.status(t)
		refused(t, r.dir, 1, fmt.Sprintf("pid %d", before.PID), "up")
		refused(t, r.dir, 1, fmt.Sprintf("pid %d", before.PID), "up", "--detach")
		if after := r.status(t); after.PID != before.PID || after.Phase != api.PhaseReady {
			t.Errorf("the region that runs there is now %s with pid %d", after.Phase, after.PID)
		}
	})
	t.Run("directories that are not for this Tripod", func(t *testing.T) { foreignDirs(t) })
}

func foreignDirs(t *testing.T) {
	for _, dir := range []struct{ name, file, content, words string }{
		{"newer", "tripod.json", `{"schema":99,"region":"us-east-1","accountId":"111122223333","port":4999,` +
			`"portBase":20000,"nodes":3,"founded":true}`, "newer"},
		{"damaged", "tripod.json", `{"schema":`, "damaged"},
		{"somebody's photos", "photo.jpg", "cheese", "not Tripod's"},
		{"another program's", "tripod.json", `{"legs":3}`, ""},
	} {
		for _, args := range [][]string{{"up"}, {"up", "--detach"}, {"down", "--purge"}} {
			if args[0] == "down" && dir.name == "newer" {
				continue // that one may be deleted: it is Tripod's
			}
			t.Run(dir.name+" "+strings.Join(args, " "), func(t *testing.T) {
				path := newDir(t)
				must(t, "make a directory", os.Mkdir(path, 0o755))
				must(t, "write a file", os.WriteFile(filepath.Join(path, dir.file), []byte(dir.content), 0o644))
				before := listing(t, path)
				words := dir.words
				if args[0] == "down" {
					words = ""
				}
				refused(t, path, 1, words, args...)
				if after := listing(t, path); after != before {
					t.Errorf("what was there is not intact, before:\n%safter:\n%s", before, after)
				}
				noProcesses(t, path)
			})
		}
	}
	t.Run("unreadable", func(t *testing.T) {
		if os.Getuid() == 0 {
			t.Skip("root can read everything")
		}
		path := newDir(t)
		must(t, "make a directory", os.Mkdir(path, 0o700))
		writeMarker(t, path, `{"schema":1}`)
		must(t, "chmod", os.Chmod(filepath.Join(path, "tripod.json"), 0))
		refused(t, path, 1, "cannot be read", "up")
	})
	t.Run("a file", func(t *testing.T) {
		path := newDir(t)
		must(t, "write a file", os.WriteFile(path, []byte("a file"), 0o600))
		refused(t, path, 1, "", "up")
		refused(t, filepath.Join(path, "below"), 1, "", "up")
		if text, err := os.ReadFile(path); err != nil || string(text) != "a file" {
			t.Errorf("the file is now %q, %v", text, err)
		}
	})
}

func writeMarker(t *testing.T, dir, text string) {
	t.Helper()
	must(t, "make a directory", os.MkdirAll(dir, 0o700))
	must(t, "write a marker", os.WriteFile(filepath.Join(dir, "tripod.json"), []byte(text), 0o600))
}

// freeBase finds 128 ports outside the range that regions pick from.
func freeBase(t *testing.T) int {
	t.Helper()
next:
	for base := 18000; base > 10000; base -= 128 {
		for port := base; port < base+128; port++ {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				continue next
			}
			listener.Close()
		}
		return base
	}
	t.Fatal("there is no free range of ports")
	return 0
}

// TestChildThatDiesAtStartIsNamed damages one member's data: `up` says which instance died, and stops the rest.
func TestChildThatDiesAtStartIsNamed(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	r := bringUp(t, dir)
	database := filepath.Join(r.clusterDir(t, "us-east-1b"), "etcd", "member", "snap", "db")
	must(t, "down", r.Close(within(t, 60*time.Second)))
	kept, err := os.ReadFile(database)
	must(t, "read a database", err)
	must(t, "damage a database", os.WriteFile(database, []byte(strings.Repeat("not a database\n", 4096)), 0o600))
	begin := time.Now()
	refused(t, dir, 1, "etcd/b", "up", "--detach")
	t.Logf("it was said after %.1f s", time.Since(begin).Seconds())
	noProcesses(t, dir)
	must(t, "mend the database", os.WriteFile(database, kept, 0o600))
	bringUp(t, dir)
}

package cli

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod/internal/datadir"
)

func TestPurgeDeletesOnlyARegion(t *testing.T) {
	dataDir := newDataDir(t)
	write(t, filepath.Join(dataDir, "precious.txt"), "mine")
	home := t.TempDir()
	makeRegion(t, home) // even a marker does not make a home directory a region's
	other := t.TempDir()
	write(t, filepath.Join(other, "tripod.json"), `{"name":"a bicycle with three feet"}`)
	thin := t.TempDir()
	write(t, filepath.Join(thin, "tripod.json"), `{"schema":1,"legs":["a","b","c"]}`)
	mixed := t.TempDir()
	makeRegion(t, mixed)
	write(t, filepath.Join(mixed, "thesis.tex"), "mine")
	for _, test := range []struct{ dir, want string }{
		{thin, "is not that of a region of Tripod's"},
		{mixed, "it holds thesis.tex, which is not the region's"},
		{dataDir, "it is not Tripod's, since it has no tripod.json"},
		{"/", "it holds more than a region"},
		{home, "it holds more than a region"},
		{filepath.Dir(home), "it holds more than a region"},
		{other, "has no schema"},
	} {
		got := tripodWith(t, Programs{}, []string{"HOME=" + home}, "--data-dir", test.dir, "down", "--purge")
		if got.code != 1 || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%s: got %+v, want %q", test.dir, got, test.want)
		}
	}
	read(t, filepath.Join(dataDir, "precious.txt"))
	read(t, filepath.Join(home, "tripod.json"))
	for _, kept := range []string{filepath.Join(other, "tripod.json"), filepath.Join(thin, "tripod.json"),
		filepath.Join(mixed, "thesis.tex"), filepath.Join(mixed, "tripod.json")} {
		read(t, kept)
	}
}

func TestPurgeOfAStoppedRegion(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	write(t, filepath.Join(dataDir, "zones", "us-east-1a", "data"), "x")
	write(t, filepath.Join(dataDir, "chaos", "lose-a-zone-1", "report.html"), "x") // by 'tripod chaos run'
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dataDir, link); err != nil {
		t.Fatal(err)
	}
	if got := tripod(t, link, "down", "--purge"); got.code != 0 || !strings.Contains(got.stdout, "Deleted ") {
		t.Errorf("got %+v", got)
	}
	if _, err := os.Stat(dataDir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
	if got := tripod(t, link, "down", "--purge"); got.code != 0 {
		t.Errorf("the second time: got %+v", got)
	}
}

func TestPurgeOfARegionWithADamagedMarker(t *testing.T) {
	dataDir := newDataDir(t)
	write(t, filepath.Join(dataDir, "tripod.json"), `{"schema":1,"reg`)
	if got := tripod(t, dataDir, "down", "--purge"); got.code != 1 || !strings.Contains(got.stderr, "is damaged") {
		t.Errorf("without anything else of a region: got %+v", got)
	}
	write(t, filepath.Join(dataDir, "lock"), "")
	write(t, filepath.Join(dataDir, "zones", "us-east-1a", "data"), "x")
	if got := tripod(t, dataDir, "down", "--purge"); got.code != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestDownStopsAndKeepsTheData(t *testing.T) {
	dataDir := newDataDir(t)
	makeRegion(t, dataDir)
	status := testStatus()
	status.PID = 0 // the fake region has no process
	newSupervisor(t, dataDir, status)
	got := tripod(t, dataDir, "down")
	if got.code != 0 || !strings.Contains(got.stdout, "us-east-1a stops") ||
		!strings.Contains(got.stdout, "its data stays") {
		t.Errorf("got %+v", got)
	}
	if got := tripod(t, dataDir, "down"); got.code != 0 || !strings.Contains(got.stdout, "No region is running") {
		t.Errorf("the second time: got %+v", got)
	}
	if _, err := datadir.ReadMarker(dataDir); err != nil {
		t.Error(err)
	}
}

func TestStaleSocketCountsAsNotRunning(t *testing.T) {
	dataDir := newDataDir(t)
	if _, err := datadir.RuntimeDir(); err != nil {
		t.Fatal(err)
	}
	path := datadir.SocketPath(dataDir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	if got := tripod(t, dataDir, "status"); got.code != 1 || !strings.Contains(got.stderr, "no region is running") {
		t.Errorf("got %+v", got)
	}
}

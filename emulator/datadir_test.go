package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod/internal/datadir"
	"tripod/internal/options"
	"tripod/internal/process"
)

// tree is everything below a directory, with its modes and texts.
func tree(t *testing.T, dir string) (all string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info fs.FileInfo, err error) error {
		if err != nil {
			return err
		}
		text, _ := os.ReadFile(path)
		all += fmt.Sprintln(path, info.Mode(), string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsNotARegionIsRefusedAndUntouched is one sentence that says what to do, and nothing else.
func TestWhatIsNotARegionIsRefusedAndUntouched(t *testing.T) {
	for name, c := range map[string]struct {
		make func(dir string)
		want string
	}{
		"somebody's files": {func(dir string) { write(t, filepath.Join(dir, "thesis.tex"), "x") },
			"holds files that are not Tripod's (thesis.tex): choose another with --data-dir"},
		"a newer region": {func(dir string) { write(t, filepath.Join(dir, "tripod.json"), `{"schema": 2}`) },
			"was made by a newer Tripod (schema 2, this one knows 1)"},
		"a damaged marker": {func(dir string) { write(t, filepath.Join(dir, "tripod.json"), `{"schema": 1, "por`) },
			"tripod.json is damaged: "},
		"an empty marker": {func(dir string) { write(t, filepath.Join(dir, "tripod.json"), "") },
			"tripod.json is damaged: "},
		"another's marker": {func(dir string) { write(t, filepath.Join(dir, "tripod.json"), `{"legs": 3}`) },
			"tripod.json is damaged: "},
		"an unreadable one": {func(dir string) { write(t, filepath.Join(dir, "tripod.json", "x"), "") },
			"cannot be read: is a directory"},
		"a file, not a dir":  {func(dir string) { write(t, dir, "x") }, "cannot be read: not a directory"},
		"a dir below a file": {func(dir string) { write(t, filepath.Dir(dir), "x") }, "cannot be read: not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := filepath.Join(t.TempDir(), "parent")
			dir := filepath.Join(parent, "region")
			c.make(dir)
			before := tree(t, parent)
			_, err := openDataDir(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if after := tree(t, parent); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

func TestLinkAtTheLockIsNotFollowed(t *testing.T) {
	dir, precious := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	write(t, precious, "mine")
	if err := os.Symlink(precious, filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(dir); err == nil || !strings.Contains(err.Error(), "lock is a symbolic link") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "mine" {
		t.Errorf("got %q (%v)", text, err)
	}
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "lock"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(dir); err == nil || !strings.Contains(err.Error(), "lock is no file") {
		t.Errorf("got %v", err)
	}
}

// TestRootDoesNotTakeWhatIsAnotherUsers: its permissions would let it.
func TestRootDoesNotTakeWhatIsAnotherUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	const other = 12345
	whole, part := filepath.Join(t.TempDir(), "region"), filepath.Join(t.TempDir(), "region")
	for _, dir := range []string{whole, part} {
		write(t, filepath.Join(dir, "lock"), "")
	}
	if err := os.Chown(whole, other, -1); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(filepath.Join(part, "lock"), other, -1); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{whole, part} {
		before := tree(t, dir)
		if _, err := openDataDir(dir); err == nil || !strings.Contains(err.Error(),
			"belongs to another user (uid 12345, you are 0)") {
			t.Errorf("got %v", err)
		}
		if after := tree(t, dir); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	}
}

func TestUnreadableDirectoryIsRefused(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	os.Chmod(dir, 0)
	defer os.Chmod(dir, 0o700)
	if _, err := openDataDir(dir); err == nil || !strings.Contains(err.Error(), "cannot be read: permission denied") {
		t.Errorf("got %v", err)
	}
}

func TestNewDirectoryIsMadePrivateAndHeld(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	d, err := openDataDir(dir)
	if err != nil || !d.isNew {
		t.Fatalf("%+v, %v", d, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	_, err = openDataDir(dir)
	if want := fmt.Sprintf("another Tripod (pid %d) runs the region in %s", os.Getpid(), dir); err == nil ||
		!strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s...", err, want)
	}
	d.close()
	if d, err = openDataDir(dir); err != nil || !d.isNew { // a start that failed early leaves a lock, and maybe logs
		t.Fatalf("%+v, %v", d, err)
	}
	d.marker = datadir.Marker{Schema: datadir.Schema, Region: "us-east-1", Port: 4566}
	if err := d.writeMarker(); err != nil {
		t.Fatal(err)
	}
	d.close()
	again, err := openDataDir(dir)
	if err != nil || again.isNew || again.marker != d.marker {
		t.Errorf("%+v, %v", again, err)
	}
	again.close()
}

// TestMarkerKeepsItsNames: data directories outlive programs.
func TestMarkerKeepsItsNames(t *testing.T) {
	text := `{"schema":1,"region":"us-east-1","accountId":"000000000000","port":4566,"portBase":20096,` +
		`"createdAt":"2026-01-02T03:04:05Z",` +
		`"cluster":"demo","kubernetesVersion":"1.36","clusterId":"AB","nodes":3,"founded":true}`
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tripod.json"), text)
	d, err := openDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if got, err := json.Marshal(d.marker); err != nil || string(got) != text {
		t.Errorf("got  %s\nwant %s", got, text)
	}
}

func TestSweepLeavesStrangersAlone(t *testing.T) {
	dir := t.TempDir()
	d := &dataDir{path: dir}
	if err := d.sweep(); err != nil { // nothing was written
		t.Error(err)
	}
	write(t, filepath.Join(dir, "agents.json"), `{"us-east`) // cut short
	if err := d.sweep(); err != nil {
		t.Error(err)
	}
	self, err := process.Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	self.StartTicks++ // somebody had this process' number before
	parent := process.Identity{PID: os.Getppid(), Executable: "tripod"}
	if err := d.writeAgents(map[string]process.Identity{"us-east-1a": self, "us-east-1b": parent,
		"us-east-1c": {}}); err != nil {
		t.Fatal(err)
	}
	if err := d.sweep(); err != nil { // who reads this line was left alone
		t.Error(err)
	}
}

func TestFullDiskSaysWhatToDo(t *testing.T) {
	for _, full := range []error{syscall.ENOSPC, &fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}} {
		if err := diskError("/data", full); !strings.Contains(err.Error(), "the disk of /data is full: free some space") {
			t.Errorf("got %v", err)
		}
	}
	if err := diskError("/data", errors.New("other")); err.Error() != "other" {
		t.Errorf("got %v", err)
	}
}

func TestPorts(t *testing.T) {
	port := busyPort(t)
	if got := taken(port, 1); got != port {
		t.Errorf("taken says %d, want %d", got, port)
	}
	base, err := choosePortBase(t.TempDir(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if base < 20000 || base+portRange > 32768 || (base-20000)%portRange != 0 {
		t.Errorf("the range begins at %d", base)
	}
	if clusterOffset < gatewayOffset+len(zoneLetters) || gatewayOffset < raftOffset+len(zoneLetters) {
		t.Error("the zones' ports overlap")
	}
	listener, err := listenAWS(0)
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if _, err := listenAWS(port); err == nil || !strings.Contains(err.Error(), "choose another with --port") ||
		strings.Contains(err.Error(), "LocalStack") {
		t.Errorf("got %v", err)
	}
	if listener, err := listenAWS(4566); err == nil {
		defer listener.Close()
	}
	if _, err := listenAWS(4566); err == nil || !strings.Contains(err.Error(),
		"port 4566 (LocalStack's port too) is taken") {
		t.Errorf("got %v", err)
	}
}

func TestZoneIDsAreAWSs(t *testing.T) {
	// From the AWS documentation, "Availability Zones": the id is the region's abbreviation and the number of the zone.
	for region, want := range map[string]string{
		"us-east-1": "use1-az1", "us-west-2": "usw2-az1", "eu-central-1": "euc1-az1", "ap-southeast-2": "apse2-az1",
		"ap-northeast-1": "apne1-az1",
		"ap-south-1":     "aps1-az1", "sa-east-1": "sae1-az1", "us-gov-west-1": "usgw1-az1", "cn-northwest-1": "cnnw1-az1",
		"me-central-1": "mec1-az1", "ca-west-1": "caw1-az1",
	} {
		if got := New(options.Up{Region: region}).zoneID(0); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
	if got := New(options.Up{Region: "us-east-1"}).zoneID(2); got != "use1-az3" {
		t.Errorf("third zone: %s", got)
	}
	if got := New(options.Up{Region: "us-east-1"}).zoneName(1); got != "us-east-1b" {
		t.Errorf("second zone: %s", got)
	}
}

func TestRangeOfARegionThatIsDownIsKept(t *testing.T) {
	notes, first, second := t.TempDir(), t.TempDir(), t.TempDir()
	for range 2 {
		if !reserve(notes, 20000, first) {
			t.Fatal("a region cannot reserve its own range")
		}
	}
	if reserve(notes, 20000, second) {
		t.Error("the range of a region that is just being made was given away")
	}
	old := time.Now().Add(-time.Hour)
	note := filepath.Join(notes, "20000.ports")
	if err := os.WriteFile(filepath.Join(first, "tripod.json"), []byte(`{"schema":1,"portBase":20000}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(note, old, old); err != nil {
		t.Fatal(err)
	}
	if reserve(notes, 20000, second) {
		t.Error("the range of a region that is down was given away")
	}
	if err := os.Remove(filepath.Join(first, "tripod.json")); err != nil {
		t.Fatal(err)
	}
	if !reserve(notes, 20000, second) {
		t.Error("the range of a region that was deleted is lost")
	}
}

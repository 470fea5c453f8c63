package diskfault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the program whose disk has faults: what a process has been told to ask itself it asks for as long as it lives.
func TestMain(m *testing.M) {
	play, found := plays[os.Getenv("DISKFAULT_PLAY")]
	if !found {
		os.Exit(m.Run())
	}
	if err := play(os.Getenv("DISKFAULT_DIR")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// played runs a play in a process of its own.
func played(t *testing.T, name string) {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "DISKFAULT_PLAY="+name, "DISKFAULT_DIR="+t.TempDir())
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// calls are what the plays do to a file of 4,096 bytes that is there already.
var calls = []struct {
	name string
	do   func(f *os.File) error
}{
	{"sync", (*os.File).Sync},
	{"datasync", func(f *os.File) error { return datasync(f) }},
	{"rewrite", func(f *os.File) error { _, err := f.WriteAt([]byte("x"), 4095); return err }},
	{"append", func(f *os.File) error { _, err := f.WriteAt([]byte("xy"), 4095); return err }},
	{"grow", func(f *os.File) error { return f.Truncate(8192) }},
	{"shrink", func(f *os.File) error { return f.Truncate(4096) }},
	{"allocate", func(f *os.File) error { return allocate(f, 16384) }},
	{"open", func(f *os.File) error { return closed(os.OpenFile(f.Name(), os.O_RDWR, 0)) }},
	{"read", func(f *os.File) error { return closed(os.Open(f.Name())) }},
	{"create", func(f *os.File) error { return closed(os.Create(f.Name() + ".new")) }},
	{"mkdir", func(f *os.File) error { return os.MkdirAll(f.Name()+".d", 0o700) }},
	{"rename", func(f *os.File) error { return os.Rename(f.Name()+".old", f.Name()+".older") }},
	{"remove", func(f *os.File) error { return os.Remove(f.Name() + ".junk") }},
}

func closed(f *os.File, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

// errorsOf are the errors of calls on a new file, by their names.
func errorsOf(disk *Disk, dir string, fault Fault) (string, error) {
	if err := disk.Set(Fault{}); err != nil {
		return "", err
	}
	f, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := errors.Join(f.Truncate(4096), os.WriteFile(f.Name()+".old", nil, 0o600), os.WriteFile(f.Name()+".junk", nil, 0o600),
		os.RemoveAll(f.Name()+".d")); err != nil {
		return "", err
	}
	if err := disk.Set(fault); err != nil {
		return "", err
	}
	var failed []string
	for _, call := range calls {
		var errno syscall.Errno
		if err := call.do(f); errors.As(err, &errno) {
			failed = append(failed, fmt.Sprintf("%s: %v", call.name, errno))
		} else if err != nil {
			return "", err
		}
	}
	return strings.Join(failed, ", "), nil
}

var plays = map[string]func(dir string) error{
	"fails": func(dir string) error {
		disk := New()
		for fault, want := range map[Fault]string{
			{}:                               "",
			{Fails: Failing}:                 "sync: EIO, datasync: EIO",
			{Fails: Full}:                    "append: ENOSPC, grow: ENOSPC, allocate: ENOSPC, create: ENOSPC, mkdir: ENOSPC",
			{Latency: 10 * time.Millisecond}: "",
			{Fails: ReadOnly}: "sync: EROFS, datasync: EROFS, rewrite: EROFS, append: EROFS, grow: EROFS, shrink: EROFS, allocate: EROFS, " +
				"open: EROFS, create: EROFS, mkdir: EROFS, rename: EROFS, remove: EROFS",
		} {
			want = strings.NewReplacer("EIO", syscall.EIO.Error(), "ENOSPC", syscall.ENOSPC.Error(), "EROFS", syscall.EROFS.Error()).Replace(want)
			if got, err := errorsOf(disk, dir, fault); err != nil || got != want {
				return fmt.Errorf("%+v: %q, want %q (%w)", fault, got, want, err)
			}
		}
		return nil
	},
	"slow": func(dir string) error {
		disk := New()
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		const latency = 150 * time.Millisecond
		if err := disk.Set(Fault{Latency: latency}); err != nil {
			return err
		}
		began := time.Now()
		var syncing sync.WaitGroup
		for range 20 { // side by side: one does not wait for the other
			syncing.Go(func() {
				if err := f.Sync(); err != nil {
					panic(err)
				}
			})
		}
		syncing.Wait()
		if took := time.Since(began); took < latency || took > 10*latency {
			return fmt.Errorf("20 syncs took %v, want %v or a little more", took, latency)
		}
		if err := disk.Set(Fault{Latency: time.Hour}); err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() { done <- f.Sync() }()
		for range 50 { // goroutines that compute are sent signals, and go on beside what waits
			syncing.Go(func() {
				for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
				}
			})
		}
		syncing.Wait()
		select {
		case err := <-done:
			return fmt.Errorf("the sync did not wait: %w", err)
		default:
		}
		if err := disk.Set(Fault{}); err != nil {
			return err
		}
		return <-done
	},
}

func TestDiskFailsAsItIsTold(t *testing.T) { played(t, "fails") }

func TestSlowDiskIsWaitedForUntilItIsWell(t *testing.T) { played(t, "slow") }

func TestDiskKnowsItsFaults(t *testing.T) {
	if err := New().Set(Fault{Fails: "broken"}); err == nil || err.Error() != `a disk is not "broken": use failing, full, read-only` {
		t.Error(err)
	}
}

// TestDiskOfAClusterHasTheZonesFaultsToo, unless it has one of its own of the same sort.
func TestDiskOfAClusterHasTheZonesFaultsToo(t *testing.T) {
	zone := Zone{All: Fault{Fails: Full, Latency: time.Second}, Clusters: map[string]Fault{"demo": {Fails: ReadOnly}}}
	if got, want := zone.Of("demo"), (Fault{Fails: ReadOnly, Latency: time.Second}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := zone.Of("other"); got != zone.All {
		t.Errorf("got %+v, want %+v", got, zone.All)
	}
}

// TestPartOfAProcessAsksItself on every system, and nobody else of the process feels it.
func TestPartOfAProcessAsksItself(t *testing.T) {
	disk := Within()
	if err := disk.Set(Fault{Fails: Failing, Latency: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if errno := disk.Meet(t.Context(), Rewrite, time.Now()); errno != 0 {
		t.Errorf("a write meets %v", errno)
	}
	ctx, cancel := context.WithCancel(t.Context())
	met := make(chan syscall.Errno)
	go func() { met <- disk.Meet(ctx, Sync, time.Now()) }()
	cancel()
	if errno := <-met; errno != syscall.EIO {
		t.Errorf("a sync that is given up meets %v, want EIO", errno)
	}
	go func() { met <- disk.Meet(t.Context(), Sync, time.Now()) }()
	if err := disk.Set(Fault{}); err != nil {
		t.Fatal(err)
	}
	if errno := <-met; errno != 0 {
		t.Errorf("healed, a sync meets %v", errno)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Error(err)
	}
}

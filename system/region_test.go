package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/internal/datadir"
)

// startTimeout is how long a region may take to come up on a loaded machine with two cores.
const startTimeout = 90 * time.Second

// testRegion is a region of one test, or the shared one.
type testRegion struct {
	*client.Region
	dir string // its data directory
}

// newDir returns the path of a data directory that is not there yet. What runs in it at the end of the test is stopped,
// and it is deleted.
func newDir(t testing.TB) string {
	t.Helper()
	parent, err := os.MkdirTemp(root, strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())+"-")
	must(t, "make a directory", err)
	dir := filepath.Join(parent, "region")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(evidence(dir))
		}
		if len(processesOf(dir)) > 0 {
			if out, err := exec.Command(binary, "down", "--data-dir", dir).CombinedOutput(); err != nil {
				t.Errorf("tripod down: %v: %s", err, out)
			}
		}
		noProcesses(t, dir)
		os.RemoveAll(filepath.Dir(datadir.SocketPath(dir)))
		if t.Failed() && keep {
			t.Logf("kept: %s", dir)
			return
		}
		if err := os.RemoveAll(parent); err != nil {
			t.Errorf("delete the test's files: %v", err)
		}
	})
	return dir
}

// startRegion brings up a region of the test's own, which ends with the test.
func startRegion(t testing.TB) *testRegion {
	t.Helper()
	return bringUp(t, newDir(t))
}

// bringUp starts the region in dir.
func bringUp(t testing.TB, dir string, args ...string) *testRegion {
	t.Helper()
	begin := time.Now()
	region, err := client.Start(within(t, startTimeout), client.Options{Binary: binary, DataDir: dir, Args: args})
	must(t, "tripod up", err)
	t.Logf("the region was up after %.1f s", time.Since(begin).Seconds())
	return &testRegion{Region: region, dir: dir}
}

var shared struct {
	once   sync.Once
	region *testRegion
	err    error
}

// sharedRegion is one region for the tests that leave it as it was.
func sharedRegion(t testing.TB) *testRegion {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		dir := filepath.Join(root, "shared", "region")
		if shared.err = os.Mkdir(filepath.Dir(dir), 0o700); shared.err != nil {
			return
		}
		region, err := client.Start(ctx, client.Options{Binary: binary, DataDir: dir})
		shared.region, shared.err = &testRegion{Region: region, dir: dir}, err
	})
	must(t, "start the shared region", shared.err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(evidence(shared.region.dir))
		}
	})
	return shared.region
}

// closeShared ends the shared region with `down --purge`, which leaves nothing.
func closeShared() error {
	if shared.region == nil || shared.region.Region == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := shared.region.Purge(ctx); err != nil {
		return fmt.Errorf("purge the shared region: %w", err)
	}
	if _, err := os.Stat(shared.region.dir); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("down --purge left %s: %v", shared.region.dir, err)
	}
	return os.RemoveAll(filepath.Dir(shared.region.dir))
}

// status is the region's.
func (r *testRegion) status(t testing.TB) *api.Status {
	t.Helper()
	status, err := r.Status(within(t, 10*time.Second))
	must(t, "status", err)
	return status
}

// zone returns a zone's status by its letter.
func (r *testRegion) zone(t testing.TB, letter string) api.Zone {
	t.Helper()
	for _, zone := range r.status(t).Zones {
		if strings.HasSuffix(zone.Name, letter) {
			return zone
		}
	}
	t.Fatalf("the status has no zone %s", letter)
	return api.Zone{}
}

// instance returns an instance's status by its target.
func (r *testRegion) instance(t testing.TB, target string) api.Instance {
	t.Helper()
	for _, zone := range r.status(t).Zones {
		for _, instance := range zone.Instances {
			if instance.Target == target {
				return instance
			}
		}
	}
	return api.Instance{Target: target, State: "absent"}
}

// await waits for a condition of `tripod wait`.
func (r *testRegion) await(t testing.TB, d time.Duration, target, condition string) {
	t.Helper()
	must(t, "wait", r.Wait(within(t, d), target, condition))
}

// do applies a verb and returns how long that took.
func (r *testRegion) do(t testing.TB, verb, target string) time.Duration {
	t.Helper()
	begin := time.Now()
	must(t, verb+" "+target, r.Do(within(t, 60*time.Second), target, verb, ""))
	return time.Since(begin)
}

// letter is what a zone is called on the command line.
func letter(zone string) string {
	if zone == "" {
		return ""
	}
	return zone[len(zone)-1:]
}

// tripod runs the program for the region in dir and returns what it printed and its exit code.
func tripod(t testing.TB, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	command := exec.CommandContext(within(t, startTimeout), binary, append([]string{"--data-dir", dir}, args...)...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run tripod %v: %v", args, err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

// evidence is what a person would look at first after a failure.
func evidence(dir string) string {
	var text strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, binary, "--data-dir", dir, "status").CombinedOutput(); err == nil {
		fmt.Fprintf(&text, "status:\n%s", out)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "zones", "*", "logs", "*.log"))
	for _, file := range append([]string{filepath.Join(dir, "events.jsonl"), filepath.Join(dir, "logs", "up.log")},
		files...) {
		n := 8
		if filepath.Base(file) == "events.jsonl" {
			n = 80
		}
		if !strings.HasPrefix(filepath.Base(file), "audit") {
			fmt.Fprintf(&text, "\n%s:\n%s", file, tail(file, n))
		}
	}
	return text.String()
}

// tail returns a file's last n lines, each cut at 300 bytes.
func tail(file string, n int) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "  (" + err.Error() + ")\n"
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	var text strings.Builder
	for _, line := range lines[max(0, len(lines)-n):] {
		fmt.Fprintf(&text, "  %.300s\n", line)
	}
	return text.String()
}

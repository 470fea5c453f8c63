package podexec

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	enterEnv = "TRIPOD_TEST_ENTER"
	runEnv   = "TRIPOD_TEST_RUN"
)

func TestMain(m *testing.M) {
	if os.Getenv(enterEnv) != "" && os.Getenv(runEnv) == "" {
		fmt.Fprintln(os.Stderr, Enter(os.Args[1:]))
		os.Exit(127)
	}
	if os.Getenv(runEnv) != "" {
		o := Options{Command: os.Args[2:], NoMounts: os.Args[1] == "", Executable: os.Args[0], Stdout: os.Stdout,
			Stderr: os.Stderr}
		code, err := run(o, []string{enterEnv + "=1", "PATH=/bin:/usr/bin"}, os.Args[1], nil)
		fmt.Fprintln(os.Stderr, code, err)
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestPodsFilesLieOverRunSecretsForTheCommandAlone(t *testing.T) {
	// what lies below /var/run itself is covered, too
	for _, parent := range []string{"/tmp", "/var/run", os.Getenv("XDG_RUNTIME_DIR")} {
		if dir, err := os.MkdirTemp(parent, "tripod-test-"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			t.Run(parent, func(t *testing.T) { layOverRunSecrets(t, filepath.Join(dir, "secrets")) })
		}
	}
}

func layOverRunSecrets(t *testing.T, secrets string) {
	if err := os.MkdirAll(filepath.Join(secrets, "tripod.test"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secrets, "tripod.test", "token"), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir("/var/run/")
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	script := `cat /var/run/secrets/tripod.test/token; echo " $(id -u)"; ls -A /var/run/ | wc -l; grep CapEff ` +
		`/proc/self/status; exit 3`
	code, err := run(Options{Executable: program, Command: []string{"/bin/sh", "-c", script}, Stdout: &out,
		Stderr: &errs}, []string{enterEnv + "=1", "PATH=/bin:/usr/bin"}, secrets, nil)
	if err != nil || code == 127 && strings.Contains(errs.String(), errNoMounts.Error()) {
		t.Skipf("no mount namespaces here: %v %s", err, errs.String())
	}
	lines := strings.Split(out.String(), "\n")
	if code != 3 || lines[0] != fmt.Sprintf("abc %d", os.Getuid()) {
		t.Errorf("got %d, %q, %s", code, out.String(), errs.String())
	}
	if got := strings.TrimSpace(lines[1]); got != fmt.Sprint(len(before)) && got != fmt.Sprint(len(before)+1) {
		t.Errorf("the command sees %s entries of /var/run, and outside there are %d", got, len(before))
	}
	if os.Getuid() != 0 && !strings.HasSuffix(lines[2], "0000000000000000") {
		t.Errorf("the command has kept capabilities: %s", lines[2])
	}
	if _, err := os.Stat("/var/run/secrets/tripod.test"); err == nil {
		t.Error("the files are seen outside of the command")
	}
}

func TestCommandEndsWithAKilledPodExec(t *testing.T) {
	for name, secrets := range map[string]string{"with mounts": t.TempDir(), "without": ""} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], secrets, "/bin/sh", "-c", "echo $$; exec sleep 1000")
			cmd.Env = []string{runEnv + "=1"}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var pid int
			if _, err := fmt.Fscan(out, &pid); err != nil {
				cmd.Wait()
				t.Skipf("no mount namespaces here: %v %s", err, errs.String())
			}
			cmd.Process.Kill()
			out.(*os.File).SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadAll(out); err != nil { // its end is that of the last one who could write
				t.Errorf("the command outlives the pod exec that was killed: %v", err)
				syscall.Kill(pid, syscall.SIGKILL)
			}
			cmd.Wait()
		})
	}
}

// TestVolumesAreWhereTheContainerHasThem lays one volume at a path whose first directory this machine has not, one below a
// directory that it has, and one over a directory that it has.
func TestVolumesAreWhereTheContainerHasThem(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "tripod-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	secrets, volume := filepath.Join(dir, "secrets"), filepath.Join(dir, "vol-1")
	for _, made := range []string{secrets, volume} {
		if err := os.Mkdir(made, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(volume, "rows"), []byte("42"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf(`[{"From":%q,"To":"/tripod-test-data/db"},{"From":%[1]q,"To":"/srv/tripod-test","ReadOnly":true},`+
		`{"From":%[1]q,"To":"/var/log"}]`, volume)
	if err := os.WriteFile(volumesFile(dir), []byte(all), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	script := `pwd; cat /tripod-test-data/db/rows /srv/tripod-test/rows; echo; echo 43 > /tripod-test-data/db/rows; ` +
		`echo 44 2>&- > /srv/tripod-test/rows; ls -d /bin /etc; ls /var/log`
	code, err := run(Options{Executable: program, Command: []string{"/bin/sh", "-c", script}, Stdout: &out, Stderr: &errs},
		[]string{enterEnv + "=1", "PATH=/bin:/usr/bin"}, secrets, nil)
	if err != nil || code == 127 && strings.Contains(errs.String(), errNoMounts.Error()) {
		t.Skipf("no mount namespaces here: %v %s", err, errs.String())
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if want := here + "\n4242\n/bin\n/etc\nrows\n"; out.String() != want {
		t.Errorf("got %d, %q, want %q; %s", code, out.String(), want, errs.String())
	}
	if text, err := os.ReadFile(filepath.Join(volume, "rows")); err != nil || string(text) != "43\n" {
		t.Errorf("after the command the volume has %q, %v", text, err)
	}
	if _, err := os.Stat("/tripod-test-data"); err == nil {
		t.Error("the volume is seen outside of the command")
	}
}

func TestVolumesAreLaidOverNothingOfThisMachine(t *testing.T) {
	for at, want := range map[string]bool{
		"/tripod-test-data": true, "/tripod-test-data/pg": true, "/srv/tripod-test": true, "/var/lib/tripod-test/data": true,
		"/var/log/tripod-test": true, "/var/log": false, "/var/log2": false,
		"/": false, "/bin": false, "/usr/local/tripod-test": false, "/etc/tripod-test": false, "/root/.ssh2": false, "/srv": false,
		"/srv/../etc/tripod-test": false, "/tmp/tripod-test": false,
	} {
		if got := free(at); got != want {
			t.Errorf("free(%s) is %v", at, got)
		}
	}
}

func TestANodesLogsHideThisMachines(t *testing.T) {
	host := &corev1.Volume{VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/log"}}}
	if !mayLie(host, "/var/log/") || mayLie(host, "/var") || mayLie(host, "/etc") || mayLie(&corev1.Volume{}, "/var/log") {
		t.Error("it must be a directory of the node, over that of logs alone")
	}
}

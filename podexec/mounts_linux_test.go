package podexec

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const enterEnv = "TRIPOD_TEST_ENTER"

func TestMain(m *testing.M) {
	if os.Getenv(enterEnv) != "" {
		fmt.Fprintln(os.Stderr, Enter(os.Args[1:]))
		os.Exit(127)
	}
	os.Exit(m.Run())
}

func TestPodsFilesLieOverRunSecretsForTheCommandAlone(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secrets")
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
	script := `cat /var/run/secrets/tripod.test/token; echo " $(id -u)"; ls -A /var/run/ | wc -l; grep CapEff /proc/self/status; exit 3`
	code, err := run(Options{Executable: program, Command: []string{"/bin/sh", "-c", script}, Stdout: &out, Stderr: &errs}, []string{enterEnv + "=1", "PATH=/bin:/usr/bin"}, secrets)
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

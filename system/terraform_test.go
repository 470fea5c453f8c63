package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// providerMirrors are where machines without the internet keep terraform's providers; TRIPOD_TERRAFORM_MIRROR names
// another place.
var providerMirrors = []string{os.Getenv("TRIPOD_TERRAFORM_MIRROR"), "/opt/tf-plugins",
	"/usr/share/terraform/plugins", "/usr/local/share/terraform/plugins"}

// TestTerraform applies what a platform team would write, sees that a second plan is empty, changes something, and
// destroys all.
func TestTerraform(t *testing.T) {
	t.Parallel()
	terraform, mirror := terraformOf(t)
	r := startRegion(t)
	run := r.terraform(t, terraform, mirror, filepath.Join("testdata", "terraform"))
	run("init")
	run("apply", "-auto-approve")
	run("plan", "-detailed-exitcode")                                             // fails where something is to be done
	run("apply", "-auto-approve", "-var", "extra=two", "-var", "kubernetes=1.36") // an upgrade from 1.35
	run("plan", "-detailed-exitcode", "-var", "extra=two", "-var", "kubernetes=1.36")
	run("destroy", "-auto-approve")
	if left := run("state", "list"); left != "" {
		t.Errorf("left: %s", left)
	}
	if status := r.status(t); len(status.Clusters) != 1 {
		t.Errorf("got clusters %+v, want demo alone", status.Clusters)
	}
}

// terraformOf returns the program, and where its provider is.
func terraformOf(t *testing.T) (program, mirror string) {
	t.Helper()
	program, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is not installed")
	}
	for _, dir := range providerMirrors {
		if found, _ := filepath.Glob(filepath.Join(dir, "registry.terraform.io/hashicorp/aws/5.*")); dir != "" &&
			len(found) > 0 {
			return program, dir
		}
	}
	t.Skipf("none of %s has a mirror of terraform's provider hashicorp/aws 5", strings.Join(providerMirrors[1:], ", "))
	return "", ""
}

// terraform returns what runs terraform on a copy of a configuration, and returns its output.
func (r *testRegion) terraform(t *testing.T, program, mirror, configuration string) func(args ...string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, "copy the configuration", os.CopyFS(dir, os.DirFS(configuration)))
	rc := filepath.Join(dir, "terraformrc")
	must(t, "write its settings", os.WriteFile(rc, []byte("provider_installation {\n  filesystem_mirror "+
		"{ path = \""+mirror+"\" }\n}\n"), 0o600))
	env, err := r.Env()
	must(t, "read the environment", err)
	env = append(env, "TF_CLI_CONFIG_FILE="+rc, "TF_VAR_endpoint="+r.status(t).AWSEndpoint, "CHECKPOINT_DISABLE=1",
		"TF_IN_AUTOMATION=1", "TF_INPUT=0")
	return func(args ...string) string {
		t.Helper()
		command := exec.Command(program, append([]string{"-chdir=" + dir}, args...)...)
		command.Env = env
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
}

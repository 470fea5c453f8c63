package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod/client/chaos"
)

func TestExperimentsAreListedAndShown(t *testing.T) {
	var all []listed
	got := tripod(t, t.TempDir(), "chaos", "list", "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil || len(all) != len(chaos.Library()) {
		t.Fatalf("got %d experiments, want %d: %v", len(all), len(chaos.Library()), err)
	}
	got = tripod(t, t.TempDir(), "chaos", "list")
	for _, one := range all {
		if !strings.Contains(got.stdout, one.Name+"\n  "+one.Title+"\n    ") {
			t.Errorf("%s is not listed: %s", one.Name, got.stdout)
		}
		if shown := tripod(t, t.TempDir(), "chaos", "show", one.Name); !strings.HasPrefix(shown.stdout, "name: "+one.Name+"\n") {
			t.Errorf("%s is shown as %q", one.Name, shown.stdout)
		}
	}
}

func TestExperimentsThatCannotRunSayWhy(t *testing.T) {
	dir := t.TempDir()
	wrong, right := filepath.Join(dir, "wrong.yaml"), filepath.Join(dir, "right.yaml")
	for path, text := range map[string]string{wrong: "name: x\nmethod: [{kill: az/q}]\n", right: "name: x\nmethod: [{kill: az/a}]\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"chaos", "name what to do: run, list or show"},
		{"chaos list -o yaml", "-o yaml is not a format of chaos list: use table or json"},
		{"chaos show", "takes the name of one experiment: 'tripod chaos list' has them"},
		{"chaos show none", `there is no experiment "none" here: there are az-application-slowdown, `},
		{"chaos run", "takes one experiment: a file, or a name of 'tripod chaos list'"},
		{"chaos run none", `there is no file and no experiment "none": 'tripod `},
		{"chaos run " + wrong, wrong + `:2:17: there is no zone "q": write a, b, c, leader, follower or random`},
		{"chaos run " + right + " --pace 0", "--pace 0 is no factor of times: use 0.1 for a tenth of them"},
		{"chaos run " + right + " --repeat 0", "--repeat 0 is no number of runs: use 1 or more"},
		{"chaos run " + right + " --set zone", "--set zone is no word: write NAME=VALUE, such as zone=c"},
		{"chaos run " + right + " --set zone=c", right + ` has no word "zone": its words are `},
		{"chaos run " + right + " -o yaml", "-o yaml is not a format of chaos run: use text or json"},
		{"chaos run " + right + " --report " + right, "cannot write the report to " + right + ": "},
		{"chaos run " + right + " --dry-run", "no region is running in "},
	} {
		if got := tripod(t, dir, strings.Fields(c.args)...); got.code != 2 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: exit code %d, %q; want %q", c.args, got.code, got.stderr, c.want)
		}
	}
	got := tripod(t, dir, "chaos", "run", right, "--seed", "7")
	if got.code != 2 || !strings.Contains(got.stderr, "x could not run: no region is running in ") {
		t.Errorf("exit code %d: %q", got.code, got.stderr)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "chaos", "x-*-7", "*")); len(files) != 4 {
		t.Errorf("it left %v", files)
	}
}

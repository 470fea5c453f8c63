package chaos

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the errors into the files that have them")

func TestTheLibraryIsWellWritten(t *testing.T) {
	files, err := filepath.Glob("library/*.yaml")
	if err != nil || len(files) != len(Library()) {
		t.Fatalf("there are %d files of %d experiments: %v", len(files), len(Library()), err)
	}
	for _, name := range Library() {
		text, _ := Find(name)
		e, err := Parse(name, text, nil, 1)
		if err != nil {
			t.Error(err)
			continue
		}
		if e.Name != name || e.Title == "" || e.Teaches == "" || len(e.Probes) == 0 {
			t.Errorf("%s: it is called %q, has the title %q, teaches %q and has %d probes", name, e.Name, e.Title, e.Teaches, len(e.Probes))
		}
		if lines := e.Plan(1, 1).Lines(); len(lines) == 0 {
			t.Errorf("%s: its plan is empty", name)
		}
	}
}

// The files in testdata/wrong begin with the errors that they have, as comments.
func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	files, err := filepath.Glob("testdata/wrong/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no files", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(text)) {
			if said, found := strings.CutPrefix(line, "# "); found {
				want = append(want, strings.TrimSpace(said))
			}
		}
		_, experiment, _ := strings.Cut(string(text), "\n\n") // lines count from the experiment's first
		_, err = Parse("x.yaml", []byte(experiment), nil, 1)
		if err == nil {
			t.Errorf("%s: nothing is wrong with it", file)
			continue
		}
		if *update {
			_, rest, _ := strings.Cut(string(text), "\n\n")
			said := "# " + strings.ReplaceAll(err.Error(), "\n", "\n# ")
			if err := os.WriteFile(file, []byte(said+"\n\n"+rest), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got := err.Error(); got != strings.Join(want, "\n") {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", file, got, strings.Join(want, "\n"))
		}
	}
}

func TestWordsStandForThemselves(t *testing.T) {
	text := []byte("name: x\nwith: {zone: b, other: random}\nmethod:\n  - kill: az/${zone}\n  - kill: az/${other}\n")
	for _, c := range []struct {
		set  map[string]string
		want string
	}{{nil, "kill az/b"}, {map[string]string{"zone": "c"}, "kill az/c"}} {
		e, err := Parse("x.yaml", text, c.set, 7)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Method[0].Action.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
		if again, _ := Parse("x.yaml", text, c.set, 7); again.Method[1].Action.Target != e.Method[1].Action.Target {
			t.Errorf("the same seed drew %s and %s", e.Method[1].Action.Target, again.Method[1].Action.Target)
		}
	}
	if _, err := Parse("x.yaml", text, map[string]string{"zoen": "c"}, 7); err == nil ||
		err.Error() != `x.yaml has no word "zoen": its words are other, zone` {
		t.Errorf("got %v", err)
	}
}

func TestTheSameSeedGivesTheSamePlan(t *testing.T) {
	text, _ := Find("chaos-monkey")
	e, err := Parse("chaos-monkey", text, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	plan := func(seed uint64) string { return strings.Join(e.Plan(seed, 0.1).Lines(), "\n") }
	if first, again := plan(1), plan(1); first != again || first == plan(2) {
		t.Errorf("seed 1 gives\n%s\nand\n%s\nand seed 2\n%s", plan(1), plan(1), plan(2))
	}
	if strings.Contains(plan(1), zoneRandom) {
		t.Errorf("a zone is not drawn:\n%s", plan(1))
	}
	if want := " for 500ms"; !strings.Contains(plan(1), want) && !strings.Contains(plan(1), " for 600ms") {
		t.Errorf("no time is a tenth of what is written:\n%s", plan(1))
	}
}

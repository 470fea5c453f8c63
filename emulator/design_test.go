package emulator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTourNamesEveryFile: DESIGN.md leads through all files, and names none that is not there.
func TestTourNamesEveryFile(t *testing.T) {
	text, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(text), "## The tour\n")
	tour, _, _ = strings.Cut(tour, "\n## ")
	named := map[string]bool{}
	for i, quoted := range strings.Split(tour, "`") {
		if i%2 == 1 && strings.HasSuffix(quoted, ".go") {
			named[quoted] = true
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && !named[file] {
			t.Errorf("the tour of DESIGN.md leaves out %s", file)
		}
		delete(named, file)
	}
	for file := range named {
		t.Errorf("the tour of DESIGN.md names %s, which is not there", file)
	}
}

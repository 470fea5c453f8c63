package az

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTourNamesEveryFile: DESIGN.md names each file of this package and, in the item of their directory, of those below
// it.
func TestTourNamesEveryFile(t *testing.T) {
	text, err := os.ReadFile("DESIGN.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(text), "## The tour")
	tour, _, _ = strings.Cut(tour, "\n## ")
	items := map[string]string{} // by directory
	for item := range strings.SplitSeq(tour, "\n- ") {
		directory, _, found := strings.Cut(strings.TrimPrefix(item, "`"), "/`:")
		if !found {
			directory = "."
		}
		items[directory] += item
	}
	if err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if !strings.Contains(items[filepath.Dir(path)], "`"+filepath.Base(path)+"`") {
			t.Errorf("the tour does not say what is in %s", path)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for directory := range items {
		if _, err := os.Stat(directory); err != nil {
			t.Error(err)
		}
	}
}

package history

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRotationWithoutNewFileDropsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	l := &Log{config: Config{Path: path, Limit: 1}}
	for _, text := range []string{"first", "second"} {
		if err := l.open(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		l.size = int64(len(text))
		l.rotate()
	}
	if err := os.Mkdir(path, 0o700); err != nil { // so no file can be opened there
		t.Fatal(err)
	}
	l.pending = []byte("lost")
	for range 3 {
		if l.write() == nil {
			t.Fatal("it was written")
		}
	}
	for i, want := range map[int]string{2: "first", 1: "second"} {
		if got, err := os.ReadFile(Older(path, i)); err != nil || string(got) != want {
			t.Errorf("file %d has %q, want %q (%v)", i, got, want, err)
		}
	}
}

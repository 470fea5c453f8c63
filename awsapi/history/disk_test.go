package history

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestFullDiskIsLoggedOnceAndToldInTheFile(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer full.Close()
	var said bytes.Buffer
	path := filepath.Join(t.TempDir(), FileName)
	l := &Log{config: Config{Path: path, Limit: defaultLimit, Logger: slog.New(slog.NewTextHandler(&said, nil))},
		file:   full,
		losses: prometheus.NewCounter(prometheus.CounterOpts{Name: "x"})}
	add := func(name string) {
		line, err := Record{EventName: name}.line()
		if err != nil {
			t.Fatal(err)
		}
		l.pending, l.records = append(l.pending, line...), l.records+1
	}
	for range 3 {
		add("Lost")
		add("Lost")
		l.flush()
		l.flush()
	}
	if got := strings.Count(said.String(), "level=ERROR"); got != 1 || l.lost.Load() != 6 {
		t.Errorf("logged %d times, %d lost: %s", got, l.lost.Load(), &said)
	}
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	defer l.file.Close()
	add("Kept")
	l.flush()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), `"recordsLost":6`) || !strings.Contains(string(text), "Kept") ||
		strings.Contains(string(text), `"Lost"`) {
		t.Errorf("%v: got %s", err, text)
	}
}

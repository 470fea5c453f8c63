package loglevel

import (
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
)

func TestLevelsOfEachLibrary(t *testing.T) {
	for i, l := range Levels {
		if l.Check() != nil {
			t.Errorf("%s is no level", l)
		}
		if got, want := l.Slog(), []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug}[i]; got != want {
			t.Errorf("slog's %s is %s", l, got)
		}
		want := []zapcore.Level{zapcore.ErrorLevel, zapcore.WarnLevel, zapcore.InfoLevel, zapcore.DebugLevel}[i]
		if got := l.Zap(); got != want {
			t.Errorf("zap's %s is %s", l, got)
		}
		if v, err := l.Verbosity(); v != []string{"", "", "0", "4"}[i] || (err == nil) != (i > 1) {
			t.Errorf("Kubernetes' %s is %q, %v", l, v, err)
		}
	}
	if err := Level("loud").Check(); err == nil || err.Error() != `"loud" is no level of a log: use error, warn, info, debug` {
		t.Error(err)
	}
}

func TestAProcessIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var set Level
	server := &http.Server{Handler: Handler(http.NotFoundHandler(), func(l Level) error { set = l; _, err := l.Verbosity(); return err })}
	go server.Serve(listener)
	defer server.Close()
	if err := Tell(t.Context(), socket, Debug); err != nil || set != Debug {
		t.Errorf("%v, and %q is set", err, set)
	}
	if err := Tell(t.Context(), socket, Error); err == nil || !strings.HasSuffix(err.Error(), errNoLess.Error()) {
		t.Error(err)
	}
	if err := Tell(t.Context(), socket, "loud"); err == nil {
		t.Error("loud was taken for a level")
	}
}

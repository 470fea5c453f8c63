package state

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// raftLogQuiet is how long the same complaint of raft is kept back: a zone that is away is complained about several
// times a second.
const raftLogQuiet = 30 * time.Second

// raftLog passes raft's log on to slog. What raft calls info and warnings is about its protocol, and becomes debug;
// its errors become warnings, since raft goes on after each.
type raftLog struct {
	to *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time
}

func newRaftLog(to *slog.Logger) hclog.Logger {
	// The interceptor itself writes nothing: it only feeds the sink.
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard})
	l.RegisterSink(&raftLog{to: to, last: map[string]time.Time{}})
	return l
}

// Accept is hclog's: args alternate between names and values.
func (l *raftLog) Accept(_ string, level hclog.Level, msg string, args ...any) {
	as := slog.LevelDebug
	if level >= hclog.Error && l.due(msg) {
		as = slog.LevelWarn
	}
	if !l.to.Enabled(context.Background(), as) {
		return
	}
	l.to.Log(context.Background(), as, "raft: "+strings.TrimSpace(msg), args...)
}

func (l *raftLog) due(msg string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.last[msg]) < raftLogQuiet {
		return false
	}
	l.last[msg] = now
	return true
}

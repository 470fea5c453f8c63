// Package loglevel changes how much a process logs while it runs. What is set is forgotten at the process's end.
package loglevel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap/zapcore"

	"tripod/internal/tell"
)

// Level is how much is logged: what is less severe is left out.
type Level string

// Levels are all levels, from the least to the most.
var Levels = []Level{Error, Warn, Info, Debug}

// The levels.
const (
	Error Level = "error"
	Warn  Level = "warn"
	Info  Level = "info"
	Debug Level = "debug"
)

// Check says what is wrong with a level.
func (l Level) Check() error {
	if slices.Contains(Levels, l) {
		return nil
	}
	names := make([]string, len(Levels))
	for i, one := range Levels {
		names[i] = string(one)
	}
	return fmt.Errorf("%q is no level of a log: use %s", string(l), strings.Join(names, ", "))
}

// Slog is the level in package log/slog.
func (l Level) Slog() slog.Level {
	return map[Level]slog.Level{Error: slog.LevelError, Warn: slog.LevelWarn, Debug: slog.LevelDebug}[l] // else info, which is 0
}

// Zap is the level in package zap, as etcd uses it.
func (l Level) Zap() zapcore.Level {
	return map[Level]zapcore.Level{Error: zapcore.ErrorLevel, Warn: zapcore.WarnLevel, Debug: zapcore.DebugLevel}[l]
}

// errNoLess is of Kubernetes' logs, which have no level below info.
var errNoLess = errors.New("API servers and controllers log info or debug: Kubernetes' logs have no other level")

// Verbosity is the level as Kubernetes' -v.
func (l Level) Verbosity() (string, error) {
	switch l {
	case Info:
		return "0", nil
	case Debug:
		return "4", nil
	}
	return "", errNoLess
}

// Path is where Handler takes levels.
const Path = "/v1/log-level"

// Handler calls set for every level that Tell sends. All else goes to next.
func Handler(next http.Handler, set func(Level) error) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("/", next)
	routes.HandleFunc("POST "+Path, tell.Take(func(l Level) bool { return l.Check() == nil },
		func(_ context.Context, l Level) error { return set(l) }))
	return routes
}

// Tell sets the level of the process that serves Handler on a unix socket.
func Tell(ctx context.Context, socket string, l Level) error { return tell.Send(ctx, socket, Path, l) }

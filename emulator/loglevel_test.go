package emulator

import (
	"log/slog"
	"strings"
	"testing"

	"tripod/api"
	"tripod/client"
)

func testLogLevel(t *testing.T, r *testRegion) {
	for _, c := range []struct{ target, level, want string }{
		{"up", "debug", ""}, {"az/b", "warn", ""}, {"az/b", "info", ""}, {"az/b", "loud", "is no level of a log"},
		{"az/x", "info", "there is no zone"}, {"moon/b", "info", "no targets of type"},
	} {
		err := client.New(r.dir.path).SetLogLevel(t.Context(), api.LogLevelOrder{Target: c.target, Level: c.level})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: %v, want %q", c.target, c.level, err, c.want)
		}
	}
	if r.options.LogLevel.Level() != slog.LevelDebug {
		t.Errorf("the region's own is %v", r.options.LogLevel)
	}
}

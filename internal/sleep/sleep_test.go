package sleep

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestSleepEndsWithItsTimeOrItsContext(t *testing.T) {
	if err := For(t.Context(), time.Nanosecond); err != nil {
		t.Errorf("its time is over: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := For(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("its context has ended: got %v", err)
	}
}

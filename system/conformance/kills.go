package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"tripod/client"
)

const (
	// downFor is how long a zone that was killed stays down.
	downFor = 10 * time.Second
	// healthyTimeout is how long the region may take then to be healthy again.
	healthyTimeout = 2 * time.Minute
)

// region is what kills zones.
type region interface {
	Do(ctx context.Context, target, verb, cluster string) error
	WaitFor(ctx context.Context, condition client.Condition, progress func(string)) error
}

// killZones kills one zone after the other, each interval, and starts it again, until ctx ends. It leaves no zone down, and returns how
// many kills there were; a region that does not become healthy again is an error.
func killZones(ctx context.Context, r region, every time.Duration, say io.Writer) (kills int, err error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return kills, nil
		case <-tick.C:
		}
		target := "az/" + string("abc"[kills%3])
		fmt.Fprintf(say, "%s  %s is killed\n", time.Now().Format(time.TimeOnly), target)
		kills++
		if err := killOne(context.WithoutCancel(ctx), r, target); err != nil {
			return kills, err
		}
	}
}

func killOne(ctx context.Context, r region, target string) error {
	ctx, cancel := context.WithTimeout(ctx, downFor+healthyTimeout)
	defer cancel()
	if err := r.Do(ctx, target, "kill", ""); err != nil {
		return fmt.Errorf("kill %s: %w", target, err)
	}
	time.Sleep(downFor)
	if err := r.Do(ctx, target, "start", ""); err != nil {
		return fmt.Errorf("start %s: %w", target, err)
	}
	if err := r.WaitFor(ctx, client.Condition{Target: "region", For: client.ForHealthy}, func(string) {}); err != nil {
		return fmt.Errorf("after the kill of %s: %w", target, err)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tripod/api"
	"tripod/client"
)

// linkKind is a fault of the part links: the longest time without an acknowledged write while it lasts.
type linkKind struct {
	name   string
	target float64 // ms, of the worst
	begin  func(ctx context.Context, r *region, letter string) error
	end    func(ctx context.Context, r *region, letter string) error
}

func partitionOf(fault api.LinkFault) func(context.Context, *region, string) error {
	return func(ctx context.Context, r *region, letter string) error {
		return r.Partition(ctx, letter+"-"+api.AllZones, fault)
	}
}

func healAll(ctx context.Context, r *region, letter string) error {
	return r.Heal(ctx, letter+"-"+api.AllZones)
}

// linkKinds are done with the zone of etcd's leader and with another one, in turn.
var linkKinds = []linkKind{
	{"zone cut off", 2500, partitionOf(api.LinkFault{}), healAll},
	{"zone cut off one way", 2500, partitionOf(api.LinkFault{OneWay: true}), healAll},
	{"zone slow by 100 ms", 0, func(ctx context.Context, r *region, letter string) error {
		return r.Slow(ctx, letter+"-"+api.AllZones, api.LinkFault{Latency: 100 * time.Millisecond})
	}, healAll},
	{"zone paused", 500, func(ctx context.Context, r *region, letter string) error { return r.Do(ctx, "az/"+letter, "pause", "") },
		func(ctx context.Context, r *region, letter string) error {
			return r.Do(ctx, "az/"+letter, "resume", "")
		}},
}

// figureOf is the name of a kind's figure.
func (k linkKind) figureOf(leader bool) string {
	if leader {
		return "longest write gap, " + k.name + ", etcd's leader"
	}
	return "longest write gap, " + k.name
}

// lasting is how long each fault lasts: longer than elections, and than the connections that hang.
const lasting = 12 * time.Second

// runLinks cuts and slows zones of one region under a writer.
func (b *bench) runLinks(ctx context.Context) error {
	if !b.wants("links") || b.cuts == 0 {
		return nil
	}
	return b.withRegion(ctx, "links", func(r *region) error {
		p, err := r.probe(ctx, b.attempt)
		if err != nil {
			return err
		}
		if _, err := p.answers(ctx, serviceAccount); err != nil {
			return err
		}
		w, stop, err := startWriter(ctx, p)
		if err != nil {
			return err
		}
		defer stop()
		random := rand.New(rand.NewPCG(1, 1))
		for range b.cuts {
			for _, kind := range linkKinds {
				for _, leader := range []bool{false, true} {
					if err := b.cutUnderWrites(ctx, r, w, kind, leader, random); err != nil {
						return fmt.Errorf("%s: %w", kind.name, err)
					}
				}
			}
		}
		return nil
	})
}

func (b *bench) cutUnderWrites(ctx context.Context, r *region, w *writer, kind linkKind, leader bool, random *rand.Rand) error {
	status, err := r.Status(ctx)
	if err != nil {
		return err
	}
	zone, err := choose(status, leader, random)
	if err != nil {
		return err
	}
	letter := status.Letter(zone.Name)
	w.take()
	at := time.Now()
	if err := kind.begin(ctx, r, letter); err != nil {
		return err
	}
	if err := pause(ctx, lasting); err != nil {
		return err
	}
	if _, err := until(ctx, time.Minute, "a write under the fault", func() error {
		if w.last().Before(at) {
			return errors.New("none is acknowledged")
		}
		return nil
	}); err != nil {
		return err
	}
	gap := longestGap(at, w.take())
	b.say("%s (%s): %.0f ms", kind.figureOf(leader), zone.Name, gap.Seconds()*1000)
	b.report.addTripod(kind.figureOf(leader), gap.Seconds()*1000)
	if err := kind.end(ctx, r, letter); err != nil {
		return err
	}
	return r.waitFor(ctx, "region", client.ForHealthy)
}

// take are the acknowledgements since the last call.
func (w *writer) take() (acks []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	acks, w.acks = w.acks, nil
	return acks
}

// last is when a write was acknowledged last; zero: none has been since take.
func (w *writer) last() (at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.acks); n > 0 {
		at = w.acks[n-1]
	}
	return at
}

// longestGap is the longest time without an acknowledgement after a moment.
func longestGap(at time.Time, acks []time.Time) (longest time.Duration) {
	for _, ack := range acks {
		if ack.After(at) {
			longest, at = max(longest, ack.Sub(at)), ack
		}
	}
	return longest
}

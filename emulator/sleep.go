package emulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/internal/loss"
	"tripod/internal/sleep"
	"tripod/lb"
)

const (
	// suspensionTimeout bounds the telling of one zone. It has to end what its controllers are at.
	suspensionTimeout = 15 * time.Second
	// quietTime without a byte on any client's connection means that no request is under way; after quietLimit that is not waited for any more.
	quietTime, quietLimit = 200 * time.Millisecond, 3 * time.Second
	// listenInterval is how often it is looked, while the region sleeps, whether a client speaks over a connection that it had before: some µs each time.
	listenInterval = 250 * time.Millisecond
)

// night is a region's sleep: all processes of all zones are stopped, and the region's own process waits for somebody to speak.
type night struct {
	mu     sync.Mutex                // held while the region falls asleep and while it wakes
	still  *frozen                   // nil while awake
	woken  func()                    // ends the listening
	drowsy atomic.Bool               // from when the region begins to fall asleep until it is awake: who comes has to ask
	asleep atomic.Pointer[time.Time] // since when; nil while awake

	resuming sync.WaitGroup // until all is as it was before the sleep
	speaking atomic.Int64   // orders under way, and those who follow events or watch
	spoken   atomic.Int64   // when the last one ended, or the region woke, in nanoseconds of Unix time
}

// Sleep stops all processes of the zones until somebody speaks with the region: a client that connects, or one that has a connection and sends
// something, an order over the control socket, or Wake. Nothing is taken for dead when they go on. A region that sleeps is left alone.
func (e *Emulator) Sleep(ctx context.Context) error {
	return e.fallAsleep(ctx, func() bool { return true })
}

// fallAsleep is Sleep, unless willing says at the last moment that the region is needed.
func (e *Emulator) fallAsleep(ctx context.Context, willing func() bool) (err error) {
	n := &e.night
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.still != nil {
		return nil
	}
	if !isClosed(e.startedUp) {
		return errors.New("the region is not up yet: wait for it with 'tripod wait region --for=ready'")
	}
	if !e.saving.TryLock() {
		return errors.New("a snapshot of the region is being saved: wait for it")
	}
	defer e.saving.Unlock()
	n.resuming.Wait()
	n.drowsy.Store(true) // from here on who comes waits for the lock, and then wakes the region
	defer func() {
		if n.still == nil {
			n.drowsy.Store(false)
		}
	}()
	heard := e.awaitQuiet(ctx)
	if !willing() {
		return nil
	}
	defer func() {
		if err != nil {
			e.goOn()
		}
	}()
	if err := e.suspendZones(ctx, true); err != nil {
		return fmt.Errorf("the region cannot fall asleep: %w", err)
	}
	for _, balancer := range e.balancers() {
		balancer.Suspend()
	}
	still, err := e.freeze(ctx)
	if err != nil {
		return err
	}
	if e.running.Err() != nil {
		still.thaw()
		return errStopping
	}
	now := time.Now()
	listening, woken := context.WithCancel(e.running)
	n.still, n.woken = still, woken
	n.asleep.Store(&now)
	e.emit(api.Event{Type: api.RegionAsleep, Message: "the region sleeps; the first connection wakes it"})
	e.wait.Go(func() { e.listen(listening, heard) })
	return nil
}

// Wake lets a region go on that sleeps or is falling asleep, and returns when its processes run. Why says who wanted that. While the region is awake it
// costs nothing.
func (e *Emulator) Wake(why string) {
	n := &e.night
	if !n.drowsy.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.still == nil {
		return
	}
	n.woken()
	_, err := n.still.thaw()
	if err != nil {
		e.logger.Error("wake", "error", err)
	}
	slept := time.Since(*n.asleep.Load())
	n.still = nil
	n.spoken.Store(time.Now().UnixNano())
	n.asleep.Store(nil)
	n.drowsy.Store(false)
	e.goOn()
	e.emit(api.Event{Type: api.RegionAwake, Message: fmt.Sprintf("the region runs again after %s: %s", slept.Round(time.Millisecond), why)})
}

// goOn undoes what was prepared for the sleep. Clients need not wait for it: until the zones know each other again, the balancers' targets are as well as
// they were.
func (e *Emulator) goOn() {
	e.night.resuming.Go(func() {
		if err := e.suspendZones(context.Background(), false); err != nil {
			e.logger.Warn("resume", "error", err)
		}
		for _, balancer := range e.balancers() {
			balancer.Resume()
		}
	})
}

// wakeFor returns what a balancer calls before it carries a client to a zone.
func (e *Emulator) wakeFor(balancer string) func(context.Context) {
	why := "a client connected to " + balancer
	return func(context.Context) { e.Wake(why) }
}

// suspendZones tells all zones that can hear, and returns when they have done what is to be done.
func (e *Emulator) suspendZones(ctx context.Context, suspended bool) error {
	ctx, cancel := context.WithTimeout(ctx, suspensionTimeout)
	defer cancel()
	errs := make([]error, len(e.zones))
	var telling sync.WaitGroup
	for i, z := range e.zones {
		if z.reachable() != nil {
			continue
		}
		telling.Go(func() {
			errs[i] = az.Call(ctx, z.runDir, "POST", loss.SuspensionPath, loss.Suspension{Suspended: suspended}, nil)
		})
	}
	telling.Wait()
	return errors.Join(errs...)
}

// activity sums up what the clients of all balancers have done.
func (e *Emulator) activity() (all lb.Activity) {
	for _, balancer := range e.balancers() {
		one := balancer.Activity()
		all.Clients += one.Clients
		all.Bytes += one.Bytes
		if one.Since.After(all.Since) {
			all.Since = one.Since
		}
	}
	return all
}

// awaitQuiet returns when no client's request is under way, as far as can be told, and how many bytes open connections have carried by then.
func (e *Emulator) awaitQuiet(ctx context.Context) uint64 {
	limit := time.Now().Add(quietLimit)
	for heard := e.activity(); ; {
		if heard.Clients == 0 || sleep.For(ctx, quietTime) != nil || time.Now().After(limit) {
			return heard.Bytes
		}
		now := e.activity()
		if now == heard {
			return heard.Bytes
		}
		heard = now
	}
}

// listen wakes the region when a client speaks over a connection that it had when the region fell asleep.
func (e *Emulator) listen(ctx context.Context, heard uint64) {
	for sleep.For(ctx, listenInterval) == nil {
		switch now := e.activity(); {
		case now.Clients == 0:
			return
		case now.Bytes > heard:
			go e.Wake("a client spoke") // it waits for this
			return
		default:
			heard = now.Bytes // a client may have gone
		}
	}
}

// keepHours lets the region fall asleep when nobody has spoken with it for as long as the options say. It looks ten times in that span, at most every
// ten seconds.
func (e *Emulator) keepHours(ctx context.Context) {
	for sleep.For(ctx, min(e.options.SleepAfter/10, 10*time.Second)) == nil {
		if e.idle() < e.options.SleepAfter || e.night.asleep.Load() != nil {
			continue
		}
		if err := e.fallAsleep(ctx, func() bool { return e.idle() >= e.options.SleepAfter }); err != nil && ctx.Err() == nil {
			e.logger.Warn("fall asleep", "error", err)
		}
	}
}

// idle is for how long nobody has spoken with the region and nothing was under way: no client had a connection, nobody watched or gave an order, and no
// cluster was being changed.
func (e *Emulator) idle() time.Duration {
	activity := e.activity()
	if !isClosed(e.startedUp) || activity.Clients > 0 || e.night.speaking.Load() > 0 {
		return 0
	}
	for _, c := range e.sortedClusters() {
		if c.creation != nil || c.state.Status.Passes() {
			return 0
		}
	}
	since := e.started
	for _, other := range []time.Time{activity.Since, time.Unix(0, e.night.spoken.Load())} {
		if other.After(since) {
			since = other
		}
	}
	return time.Since(since)
}

// interest is what somebody has in the region who asks something over the control socket.
type interest int

const (
	looks   interest = iota // it may sleep, and fall asleep
	watches                 // it may sleep, but not fall asleep by itself
	orders                  // it is needed
)

// speaks counts those who are interested in the region, and wakes it for those who need it.
func (e *Emulator) speaks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		interest := interestOf(r)
		if interest != looks {
			e.night.speaking.Add(1)
			defer func() {
				e.night.spoken.Store(time.Now().UnixNano())
				e.night.speaking.Add(-1)
			}()
		}
		if interest == orders {
			e.Wake("an order over the control socket, " + r.URL.Path)
		}
		next.ServeHTTP(w, r)
	})
}

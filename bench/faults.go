package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/internal/kubecall"
)

// runFaults kills zones of one region under a writer, and those that lead the scheduler under a creator of pods.
func (b *bench) runFaults(ctx context.Context) error {
	kills, takeovers := b.kills, b.takeovers
	if !b.wants("writes") {
		kills = 0
	}
	if !b.wants("scheduler") {
		takeovers = 0
	}
	if kills+takeovers == 0 {
		return nil
	}
	return b.withRegion(ctx, "faults", func(r *region) error { return b.measureFaults(ctx, r, kills, takeovers) })
}

func (b *bench) measureFaults(ctx context.Context, r *region, kills, takeovers int) error {
	p, err := r.probe(ctx, b.attempt)
	if err != nil {
		return err
	}
	if _, err := p.answers(ctx, serviceAccount); err != nil {
		return err
	}
	if err := b.killUnderWrites(ctx, r, p, kills); err != nil {
		return fmt.Errorf("writes: %w", err)
	}
	for i := range takeovers {
		if err := b.takeOver(ctx, r, p, i); err != nil {
			return fmt.Errorf("scheduler takeover %d: %w", i+1, err)
		}
	}
	return nil
}

// killUnderWrites kills zones without and with the etcd leader in turn, n times each.
func (b *bench) killUnderWrites(ctx context.Context, r *region, p *probe, n int) error {
	if n == 0 {
		return nil
	}
	w, stop, err := startWriter(ctx, p)
	if err != nil {
		return err
	}
	defer stop()
	random := rand.New(rand.NewPCG(1, 1)) // the same zones each time
	for i := range 2 * n {
		name := writeOther
		if i%2 == 1 {
			name = writeLeader
		}
		status, err := r.Status(ctx)
		if err != nil {
			return err
		}
		zone, err := choose(status, name == writeLeader, random)
		if err != nil {
			return err
		}
		if err := pause(ctx, time.Duration(random.IntN(1000))*time.Millisecond); err != nil {
			return err
		}
		killed, err := kill(zone)
		if err != nil {
			return err
		}
		took, err := w.recovery(ctx, killed)
		if err != nil {
			return err
		}
		b.say("%s (%s): %.0f ms", name, zone.Name, took.Seconds()*1000)
		b.report.addTripod(name, took.Seconds()*1000)
		if err := r.mend(ctx, zone.Name); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the zone with the etcd leader, or one of the others.
func choose(status *api.Status, leader bool, random *rand.Rand) (*api.Zone, error) {
	if len(status.Clusters) == 0 || status.Clusters[0].EtcdLeader == "" {
		return nil, errors.New("nobody leads etcd")
	}
	var zones []*api.Zone
	for i := range status.Zones {
		if (status.Zones[i].Name == status.Clusters[0].EtcdLeader) == leader {
			zones = append(zones, &status.Zones[i])
		}
	}
	return zones[random.IntN(len(zones))], nil
}

// kill sends SIGKILL to the zone's process group, as any other tool would, and returns the moment before.
func kill(zone *api.Zone) (time.Time, error) {
	if zone.PID <= 1 {
		return time.Time{}, fmt.Errorf("%s has no process", zone.Name)
	}
	at := time.Now()
	return at, syscall.Kill(-zone.PID, syscall.SIGKILL)
}

// mend starts the zone and waits until the region is whole and has its leaders.
func (r *region) mend(ctx context.Context, zone string) error {
	target := "az/" + zone
	if err := r.waitFor(ctx, target, api.StateKilled); err != nil {
		return err
	}
	if err := r.Do(ctx, target, "start", ""); err != nil {
		return err
	}
	if err := r.waitFor(ctx, "region", client.ForHealthy); err != nil {
		return err
	}
	_, err := until(ctx, time.Minute, "leaders", func() error {
		status, err := r.Status(ctx)
		if err != nil {
			return err
		}
		if len(status.Clusters) == 0 || status.Clusters[0].EtcdLeader == "" || status.Clusters[0].Scheduler == "" {
			return errors.New("not all are known")
		}
		return nil
	})
	return err
}

const counterPath = "/api/v1/namespaces/default/configmaps/bench-counter"

// writer writes a counter, one write after the other, and repeats each until it is acknowledged.
type writer struct {
	probe *probe

	mu   sync.Mutex
	acks []time.Time // of the writes since the last kill and the one before
}

// startWriter makes the counter and writes it until stop.
func startWriter(ctx context.Context, p *probe) (w *writer, stop func(), err error) {
	w = &writer{probe: p}
	if err := w.create(ctx); err != nil {
		return nil, nil, err
	}
	writing, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { w.run(writing) })
	return w, func() { cancel(); wait.Wait() }, nil
}

func (w *writer) create(ctx context.Context) error {
	return w.probe.do(ctx, http.MethodPost, "/api/v1/namespaces/default/configmaps",
		map[string]any{"metadata": map[string]string{"name": "bench-counter"}}, nil)
}

func (w *writer) run(ctx context.Context) {
	for n := 1; ctx.Err() == nil; n++ {
		body := map[string]any{"data": map[string]string{"counter": strconv.Itoa(n)}}
		for ctx.Err() == nil && w.probe.do(ctx, http.MethodPatch, counterPath, body, nil) != nil {
			w.probe.fresh()
			_ = pause(ctx, 5*time.Millisecond)
		}
		w.mu.Lock()
		w.acks = append(w.acks, time.Now())
		w.mu.Unlock()
		_ = pause(ctx, 5*time.Millisecond)
	}
}

// disturbed is how long after a kill a write may still be acknowledged by what is dying.
const disturbed = 100 * time.Millisecond

// recovery is how long the kill kept the writer waiting: the longest pause before an acknowledgement, among those that
// follow the kill and end the first pause that reaches beyond the dying's last words.
func (w *writer) recovery(ctx context.Context, killed time.Time) (time.Duration, error) {
	var acks []time.Time
	_, err := until(ctx, time.Minute, "a write after the kill", func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if n := len(w.acks); n == 0 || w.acks[n-1].Before(killed.Add(disturbed)) {
			return errors.New("none is acknowledged")
		}
		acks, w.acks = w.acks, nil
		return nil
	})
	return longestPause(acks, killed), err
}

// longestPause is the longest time without an acknowledgement, of those that began before killed plus disturbed.
func longestPause(acks []time.Time, killed time.Time) (longest time.Duration) {
	last := killed
	for _, ack := range acks {
		if ack.Before(killed) {
			continue
		}
		if last.After(killed.Add(disturbed)) {
			break
		}
		longest = max(longest, ack.Sub(last))
		last = ack
	}
	return longest
}

// takeOver kills the zone that leads the scheduler and measures until a new pod has a node.
func (b *bench) takeOver(ctx context.Context, r *region, p *probe, i int) error {
	status, err := r.Status(ctx)
	if err != nil {
		return err
	}
	if len(status.Clusters) == 0 {
		return errors.New("there is no cluster")
	}
	zone, err := status.FindZone(status.Clusters[0].Scheduler)
	if err != nil {
		return fmt.Errorf("nobody leads the scheduler: %w", err)
	}
	killed, err := kill(zone)
	if err != nil {
		return err
	}
	pods, name := "/api/v1/namespaces/default/pods", fmt.Sprintf("bench-%d", i)
	pod := map[string]any{"metadata": map[string]string{"name": name},
		"spec": map[string]any{"containers": []map[string]string{{"name": "main", "image": "registry.k8s.io/pause:3.10"}}}}
	_, err = until(ctx, 30*time.Second, "create a pod", func() error {
		err := p.do(ctx, http.MethodPost, pods, pod, nil)
		if kubecall.Is(err, http.StatusConflict) {
			return nil // an attempt that seemed to fail has made it
		}
		if err != nil {
			p.fresh()
		}
		return err
	})
	if err != nil {
		return err
	}
	bound, err := until(ctx, time.Minute, "bind a pod", func() error {
		var got struct{ Spec struct{ NodeName string } }
		if err := p.do(ctx, http.MethodGet, pods+"/"+name, nil, &got); err != nil {
			p.fresh()
			return err
		}
		if got.Spec.NodeName == "" {
			return errors.New("it has no node")
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.say("%s (%s): %.2f s", takeover, zone.Name, bound.Sub(killed).Seconds())
	b.report.addTripod(takeover, bound.Sub(killed).Seconds())
	return r.mend(ctx, zone.Name)
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/client"
	"tripod/internal/sleep"
)

// watchInterval is how often the live view looks and draws.
const watchInterval = 500 * time.Millisecond

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Show the region live; q leaves",
		Long:  "Show the region live; q or Ctrl-C leaves. Where the output is no terminal, print a line for each change.",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if isTerminal(a.Stdin) && isTerminal(a.Stdout) {
				return a.watchScreen(cmd.Context())
			}
			return a.watchLines(cmd.Context())
		},
	}
}

// watchLines prints a line for each change until ctx ends or the region stops.
func (a *app) watchLines(ctx context.Context) error {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	var before map[string]string
	for {
		status, err := a.client().Watched(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, client.ErrNotRunning) && before != nil:
			fmt.Fprintln(a.Stdout, time.Now().Format("15:04:05"), "the region has stopped")
			return nil
		case err != nil:
			return err
		}
		after := facts(status)
		for _, line := range changes(before, after) {
			fmt.Fprintln(a.Stdout, time.Now().Format("15:04:05"), line)
		}
		before = after
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// facts are what is worth a line when it changes, by their names.
func facts(status *api.Status) map[string]string {
	facts := map[string]string{"region " + status.Region: status.Phase,
		"regional state's leader": orNone(status.State.Leader)}
	for _, zone := range status.Zones {
		facts["zone "+zone.Name] = zone.State
		for _, instance := range zone.Instances {
			facts[instance.Target+" of "+clean(instance.Cluster)] = instance.State
		}
	}
	for _, cluster := range status.Clusters {
		name := "cluster " + clean(cluster.Name)
		facts[name] = cluster.Status
		facts[name+"'s quorum"] = map[bool]string{true: "there", false: "lost"}[cluster.Quorum]
		facts[name+"'s etcd leader"] = orNone(cluster.EtcdLeader)
		facts[name+"'s controllers leader"] = orNone(cluster.Controllers)
		facts[name+"'s scheduler leader"] = orNone(cluster.Scheduler)
	}
	for _, balancer := range status.Balancers {
		for _, target := range balancer.Targets {
			facts["balancer "+clean(balancer.Name)+"'s target "+target.Zone] = health(target)
		}
	}
	return facts
}

func orNone(name string) string {
	if name == "" {
		return "none"
	}
	return name
}

func changes(before, after map[string]string) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		old, known := before[name]
		switch {
		case before == nil || !known:
			lines = append(lines, name+": "+after[name])
		case old != after[name]:
			lines = append(lines, name+": "+old+" -> "+after[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, still := after[name]; !still {
			lines = append(lines, name+": gone")
		}
	}
	return lines
}

// recentMax is how many of the last events the live view holds.
const recentMax = 100

// recent keeps the last events of a region for as long as ctx lasts, also over a restart of the region.
type recent struct {
	mu     sync.Mutex
	events []api.Event
}

func (r *recent) follow(ctx context.Context, region *client.Client) {
	for last := uint64(0); ctx.Err() == nil; {
		_ = region.Events(ctx, last, true, func(event api.Event) error {
			last = event.Seq
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, event)
			if len(r.events) > recentMax {
				r.events = slices.Delete(r.events, 0, len(r.events)-recentMax)
			}
			return nil
		})
		sleep.For(ctx, watchInterval)
	}
}

func (r *recent) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, event := range r.events {
		lines = append(lines, eventLine(event, false))
	}
	return lines
}

// watchScreen draws the live view until a key or a signal ends it.
func (a *app) watchScreen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)

	screen, err := openScreen(a.Stdin.(*os.File), a.Stdout.(*os.File))
	if err != nil {
		return fmt.Errorf("cannot take over the terminal: %w", err)
	}
	defer screen.Close() // on a panic, too

	region := a.client()
	events, drawn := &recent{}, &course{}
	var group sync.WaitGroup
	group.Go(func() {
		defer screen.closeOnPanic()
		events.follow(ctx, region)
	})
	group.Go(func() {
		defer screen.closeOnPanic()
		drawn.follow(ctx, region)
	})
	group.Go(func() {
		defer screen.closeOnPanic()
		defer cancel()
		screen.awaitQuit(ctx)
	})
	defer group.Wait()
	defer cancel()

	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	var last *api.Status
	for {
		status, err := region.Watched(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			last = status
		}
		width, height := terminalSize(a.Stdout)
		frame := watchFrame(watched{status, last, err, events.lines(), drawn.lines(width)}, time.Now(), width, height)
		screen.Draw(frame, width, a.colours(a.Stdout))
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
		case <-ticker.C:
		}
	}
}

// watched is what the live view knows.
type watched struct {
	status *api.Status // nil when err says why
	last   *api.Status // the one before
	err    error
	events []string
	drawn  []string // the courses of metrics
}

// eventsBeside is how many events stay in view for courses to be drawn, too.
const eventsBeside = 5

// watchFrame is what the live view shows: height lines of at most width columns.
func watchFrame(w watched, now time.Time, width, height int) []string {
	var lines []string
	status, last, err, events := w.status, w.last, w.err, w.events
	switch {
	case err != nil:
		lines = append(lines, wrap(upper(err.Error())+".", max(width, 20))...)
		if last != nil {
			lines = append(lines, "", "The region "+last.Region+" is not there any more; this view goes on when it is back.")
		}
	default:
		lines = append(lines, fmt.Sprintf("%s, up %s, %s in all", headline(status), age(now.Sub(status.StartedAt)),
			memory(status.MemoryBytes)))
		lines = append(lines, quorumLines(status)...)
		lines = append(lines, zoneLines(status, now)...)
		lines = append(lines, clusterLines(status, false)...)
		lines = append(lines, balancerShort(status)...)
		lines = append(lines, faultLines(status, now)...)
	}
	room := max(height-1, 0)
	if len(lines)+len(w.drawn)+1+eventsBeside <= room {
		lines = append(lines, w.drawn...)
	}
	if want := min(len(events), max(room-len(lines)-1, 3), room-1); want > 0 {
		lines = lines[:min(len(lines), room-want-1)]
		lines = append(append(lines, "EVENTS"), events[len(events)-want:]...)
	}
	lines = lines[:min(len(lines), room)]
	for len(lines) < room {
		lines = append(lines, "")
	}
	lines = append(lines, "q: leave")
	for i := range lines {
		lines[i] = clip(lines[i], width)
	}
	return lines
}

// upper makes a sentence's first letter a capital.
func upper(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

package etcdcluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tripod/internal/diskfault"
	"tripod/internal/loglevel"
	"tripod/internal/loss"
	"tripod/internal/process"
)

// Report is what a member's process tells the zone's agent.
type Report struct {
	Ready bool     `json:"ready"`
	Leads []string `json:"leads"`
	// Leaderless: it hears of no leader.
	Leaderless bool `json:"leaderless,omitempty"`
}

// Run is the program `tripod internal etcd CONFIG METRICS-SOCKET`.
func Run(ctx context.Context, args []string) error {
	ctx, line, err := process.Attach(ctx)
	if err != nil {
		return err
	}
	if len(args) != 2 {
		return fmt.Errorf("usage: tripod internal etcd CONFIG METRICS-SOCKET")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var config Config
	if err := json.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	metrics, err := process.ListenUnix(args[1])
	if err != nil {
		return err
	}
	resolveAnything()
	member := New(config)
	disk := diskfault.New()
	if err := disk.Set(config.Disk); err != nil {
		return err
	}
	handler := loss.Handler(promhttp.Handler(), func(ctx context.Context, l loss.Loss) {
		if l.Of("etcd") {
			member.Lost(ctx, MemberName(l.Letter()), l.Rank)
		}
	}, func(context.Context,
		loss.Suspension) {
	}) // etcd counts its time-outs in ticks, and a process that is stopped has none
	levels := loglevel.Handler(disk.Handler(handler), func(l loglevel.Level) error { member.SetLogLevel(l); return nil })
	server := &http.Server{Handler: levels, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(metrics)
	defer server.Close()
	member.OnRole = func(role Role) {
		report := Report{Ready: true, Leads: []string{}, Leaderless: role == Leaderless}
		if role == Leader {
			report.Leads = append(report.Leads, "etcd")
		}
		line.Report(report)
	}
	if err := member.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it waited for a quorum
		}
		return err
	}
	select {
	case err := <-member.Err():
		return fmt.Errorf("etcd member %s failed: %w", config.Name, err)
	case <-ctx.Done():
	}
	if context.Cause(ctx) == process.ErrOrphaned {
		os.Exit(1) // the zone is dead: so is this
	}
	return member.Stop(context.Background())
}

// Command bench measures a region beside kwokctl on the same Kubernetes binaries and prints the medians: see README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// parts are the values of --only.
var parts = []string{"start", "idle", "rejoin", "restart", "writes", "scheduler", "aws", "access", "principals", "nodegroup", "pods",
	"scale", "alb", "nlb", "service", "links"}

// options are what the bench was asked for.
type options struct {
	runs      int
	kills     int
	takeovers int
	cuts      int // of each kind of the part links
	settle    time.Duration
	window    time.Duration
	attempt   time.Duration
	nodes     int           // of the part scale
	pods      int           // of the part scale
	held      time.Duration // how long the part scale keeps them
	only      []string
	kwokctl   bool
	output    string
	binary    string // of tripod
	build     string // directory of what is built for comparison
	scratch   string // directory of the runs' data
}

func (o options) wants(part string) bool { return len(o.only) == 0 || slices.Contains(o.only, part) }

// anyOf says whether at least one of the parts is wanted.
func (o options) anyOf(parts ...string) bool { return slices.ContainsFunc(parts, o.wants) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{}
	only := ""
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.runs, "runs", 5, "how many times each of the two is started; the figures are medians")
	flags.IntVar(&o.kills, "kills", 50, "zones killed under a writer, of each kind: with and without the etcd leader")
	flags.IntVar(&o.takeovers, "takeovers", 10, "zones killed that lead the scheduler")
	flags.IntVar(&o.cuts, "cuts", 5, "zones cut off, slowed and paused under a writer, of each kind")
	flags.DurationVar(&o.settle, "settle", 10*time.Second, "pause between readiness and the idle window")
	flags.DurationVar(&o.window, "window", 25*time.Second, "length of the idle window")
	flags.DurationVar(&o.attempt, "attempt", 250*time.Millisecond, "time-out of each attempt of the writer")
	flags.IntVar(&o.nodes, "nodes", 1000, "nodes that the part scale holds")
	flags.IntVar(&o.pods, "pods", 20000, "pods that the part scale holds")
	flags.DurationVar(&o.held, "hold", 10*time.Minute, "how long the part scale holds them")
	flags.StringVar(&only, "only", "", "measure only these, separated by commas: "+strings.Join(parts, ", "))
	flags.BoolVar(&o.kwokctl, "kwokctl", true, "run kwokctl too, for the ratios")
	flags.StringVar(&o.output, "o", "table", "table or json")
	flags.StringVar(&o.binary, "tripod", "bin/tripod", "the program to measure")
	flags.StringVar(&o.build, "build", ".bench", "directory for the binaries to compare with")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, part := range o.only {
		if !slices.Contains(parts, part) {
			return o, fmt.Errorf("--only %q is none of %s", part, strings.Join(parts, ", "))
		}
	}
	if o.runs < 1 || o.kills < 0 || o.takeovers < 0 || o.cuts < 0 ||
		o.nodes < 1 || o.pods < 1 || flags.NArg() > 0 || (o.output != "table" && o.output != "json") {
		return o, errors.New("wrong usage: see --help")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, path := range []*string{&o.binary, &o.build} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if _, err := os.Stat(o.binary); err != nil {
		return fmt.Errorf("%w: build it with 'make build'", err)
	}
	if o.kwokctl && o.anyOf("start", "idle", "pods") {
		if err := buildAll(ctx, o.build, stderr); err != nil {
			return err
		}
	}
	if o.scratch, err = os.MkdirTemp("", "tripod-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.scratch)) }()
	r := newReport(o)
	b := &bench{options: o, report: r, log: stderr}
	measured := b.measure(ctx)
	if o.output == "json" {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		return errors.Join(measured, encoder.Encode(r))
	}
	r.print(stdout)
	return measured
}

// bench is one run of the program.
type bench struct {
	options
	report *report
	log    io.Writer
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// measure alternates the two, so that what else the machine does meets both alike. It stops at the first failure.
func (b *bench) measure(ctx context.Context) error {
	if b.anyOf("start", "idle", "rejoin", "restart") {
		for i := range b.runs {
			order := []func(context.Context, int) error{b.runTripod, b.runKwokctl}
			if i%2 == 1 {
				slices.Reverse(order)
			}
			for _, one := range order {
				if err := one(ctx, i); err != nil {
					return fmt.Errorf("run %d: %w", i+1, err)
				}
			}
		}
	}
	if err := b.runLinks(ctx); err != nil {
		return err
	}
	if err := b.runFaults(ctx); err != nil {
		return err
	}
	if err := b.runAWS(ctx); err != nil {
		return err
	}
	if err := b.runAccess(ctx); err != nil {
		return err
	}
	if err := b.runPrincipals(ctx); err != nil {
		return err
	}
	if err := b.runWorkers(ctx); err != nil {
		return err
	}
	return b.runBalancers(ctx)
}

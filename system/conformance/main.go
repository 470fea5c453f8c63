// Command conformance runs Kubernetes' own end-to-end specs against a region of its own, whose nodes are simulated, and
// holds what has passed against passing.txt: none of its specs may fall off. `make conformance` builds what it needs and
// runs it.
//
// Which specs there are to pass, selection.go says. The specs' containers are of agnhost, whose plain subcommands package
// podcmd knows; what exec runs in them speaks over the simulated network by TCP. What needs a real container's work (UDP, files
// that it writes, what its program computes) cannot pass, and is not in the list.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	binary, e2e, ginkgo string
	list                string
	kubernetes          string
	focus               string
	parallel            int
	timeout             time.Duration
	kills               time.Duration
	all, update, keep   bool
}

// The lists, of the project's folder.
const (
	passing           = "system/conformance/passing.txt"
	passingUnderKills = "system/conformance/passing_under_kills.txt"
)

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/tripod", "the program under test")
	flag.StringVar(&o.e2e, "e2e", "bin/e2e.test", "Kubernetes' end-to-end tests")
	flag.StringVar(&o.ginkgo, "ginkgo", "bin/ginkgo", "what runs them in parallel")
	flag.StringVar(&o.list, "list", "", "the specs that must pass (default "+passing+"; with -kills "+passingUnderKills+")")
	flag.DurationVar(&o.kills, "kills", 0, "kill a zone so often while they run, and start it again: 1m")
	flag.StringVar(&o.kubernetes, "kubernetes-version", "1.37", "the cluster's version: that of the specs")
	flag.StringVar(&o.focus, "focus", "", "run only the specs whose names match this regular expression")
	flag.IntVar(&o.parallel, "parallel", 6, "how many specs run at once")
	flag.DurationVar(&o.timeout, "timeout", 2*time.Hour, "how long all of them may take")
	flag.BoolVar(&o.all, "all", false, "try also those of pods, controllers and the scheduler that are not listed: some fail after minutes")
	flag.BoolVar(&o.update, "update", false, "write the list")
	flag.BoolVar(&o.keep, "keep", false, "leave the region's files and ginkgo's report")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	chooseFrom := passing
	if o.list == "" {
		if o.list = passing; o.kills > 0 {
			o.list = passingUnderKills
		}
	}
	for _, path := range []*string{&o.binary, &o.e2e, &o.ginkgo, &o.list, &chooseFrom} {
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	focus, err := regexp.Compile(o.focus)
	if err != nil {
		return fmt.Errorf("-focus: %w", err)
	}
	listed, err := readList(o.list)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tripod-conformance-")
	if err != nil {
		return err
	}
	if !o.keep {
		defer os.RemoveAll(dir)
	}
	suite := suite{options: o, dir: dir}
	names, err := suite.specs(ctx)
	if err != nil {
		return err
	}
	atRest, err := readList(chooseFrom)
	if err != nil {
		return err
	}
	run := listed
	if o.kills > 0 {
		run = atRest
	}
	chosen := choose(names, run, focus, o.all)
	if o.kills > 0 { // what does not pass at rest says nothing
		chosen = slices.DeleteFunc(chosen, func(name string) bool { return !slices.Contains(atRest, name) })
	}
	if len(chosen) == 0 {
		return errors.New("there is no such spec")
	}
	fmt.Printf("%d of %d specs, %d at once\n", len(chosen), len(names), o.parallel)
	results, err := suite.run(ctx, chosen)
	if o.keep {
		fmt.Println("kept:", dir)
	}
	if err != nil {
		return err
	}
	outcome := compare(listed, chosen, results)
	outcome.print(os.Stdout)
	if o.update {
		return writeList(o.list, outcome.updated)
	}
	return outcome.err()
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"tripod/client"
)

// suite is Kubernetes' end-to-end tests, and the region that they run against.
type suite struct {
	options
	dir string // of all that the run leaves
}

// nodes are those of a region that is started as it is.
const nodes = 3

const (
	startTimeout = 5 * time.Minute
	endTimeout   = time.Minute
	endPatience  = 30 * time.Second // until ginkgo, once interrupted, is killed
)

// specLine is a line of e2e.test's --list-tests: the place of a spec, and its name.
var specLine = regexp.MustCompile(`^    \S+:\d+: (\[sig-.+)$`)

// specs are the names of all specs that there are.
func (s suite) specs(ctx context.Context) ([]string, error) {
	command := exec.CommandContext(ctx, s.e2e, "--list-tests")
	command.Dir = s.dir
	said, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s, which 'make conformance' builds, lists no specs: %w", s.e2e, err)
	}
	var names []string
	for line := range strings.SplitSeq(string(said), "\n") {
		if found := specLine.FindStringSubmatch(line); found != nil {
			names = append(names, found[1])
		}
	}
	return names, nil
}

// run runs specs against a region of its own, which leaves nothing.
func (s suite) run(ctx context.Context, names []string) (_ map[string]result, err error) {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	region, err := client.Start(starting, client.Options{Binary: s.binary, DataDir: filepath.Join(s.dir, "region"),
		KubernetesVersion: s.kubernetes})
	if err != nil {
		return nil, err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		end := region.Purge
		if s.keep {
			end = region.Close
		}
		err = errors.Join(err, end(ending))
	}()
	if err := s.ginkgoUnderKills(ctx, region, names); err != nil {
		return nil, err
	}
	return readReport(filepath.Join(s.dir, reportFile))
}

// ginkgoUnderKills is ginkgoRun, while zones are killed where that was asked for.
func (s suite) ginkgoUnderKills(ctx context.Context, region *client.Region, names []string) error {
	if s.kills == 0 {
		return s.ginkgoRun(ctx, region, names)
	}
	killing, end := context.WithCancel(ctx)
	running, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var kills int
	killed := make(chan error, 1)
	go func() {
		var err error
		kills, err = killZones(killing, region, s.kills, os.Stdout)
		if killed <- err; err != nil {
			giveUp() // a region that is sick says nothing
		}
	}()
	err := s.ginkgoRun(running, region, names)
	end()
	err = errors.Join(err, <-killed)
	fmt.Printf("%d kills of zones\n", kills)
	return err
}

const reportFile = "report.json"

// ginkgoRun runs specs and leaves a report. That specs fail is no error.
func (s suite) ginkgoRun(ctx context.Context, region *client.Region, names []string) error {
	kubectl := filepath.Join(s.dir, "kubectl")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' --data-dir '%s' kubectl \"$@\"\n", s.binary, region.DataDir())
	if err := os.WriteFile(kubectl, []byte(script), 0o700); err != nil {
		return err
	}
	args := []string{"run", fmt.Sprint("--procs=", s.parallel), "--json-report=" + reportFile, "--output-dir=" + s.dir,
		"--timeout=" + s.timeout.String(), "--no-color", "--silence-skips"}
	for _, pattern := range focusOf(names) {
		args = append(args, "--focus="+pattern)
	}
	args = append(args, s.e2e, "--", "--kubeconfig="+region.Kubeconfig(), "--kubectl-path="+kubectl, "--provider=skeleton",
		fmt.Sprint("--num-nodes=", nodes),
		"--disable-log-dump", "--dump-logs-on-failure=false", "--e2e-output-dir="+s.dir, "--node-schedulable-timeout=2m",
		"--system-pods-startup-timeout=2m", "--system-daemonsets-startup-timeout=2m")
	log, err := os.Create(filepath.Join(s.dir, "ginkgo.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.CommandContext(ctx, s.ginkgo, args...)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = endPatience
	command.Dir, command.Stdout, command.Stderr = s.dir, log, log
	if command.Env, err = region.Env(); err != nil {
		return err
	}
	err = command.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("ginkgo: %w", errors.Join(ctx.Err(), err))
	}
	return nil
}

// mostFocus bounds one argument: Linux takes 128 KiB.
const mostFocus = 100 << 10

// focusOf are regular expressions that match these names and no others, which end where a name does.
func focusOf(names []string) (patterns []string) {
	var some []string
	size := 0
	flush := func() {
		if len(some) > 0 {
			patterns = append(patterns, " ("+strings.Join(some, "|")+")$")
		}
		some, size = nil, 0
	}
	for _, name := range names {
		quoted := regexp.QuoteMeta(name)
		if size+len(quoted) > mostFocus {
			flush()
		}
		some, size = append(some, quoted), size+len(quoted)+1
	}
	flush()
	return patterns
}

// specReport is what is read of ginkgo's report of a spec.
type specReport struct {
	ContainerHierarchyTexts []string
	LeafNodeType            string
	LeafNodeText            string
	State                   string
	RunTime                 time.Duration
	Failure                 struct{ Message string }
}

// readReport reads what came of the specs that ran.
func readReport(path string) (map[string]result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ginkgo has left no report (see ginkgo.log, with -keep): %w", err)
	}
	var suites []struct{ SpecReports []specReport }
	if err := json.Unmarshal(text, &suites); err != nil {
		return nil, err
	}
	results := map[string]result{}
	for _, one := range suites {
		for _, spec := range one.SpecReports {
			texts := append(spec.ContainerHierarchyTexts, spec.LeafNodeText)
			name := strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), " ")
			switch {
			case spec.LeafNodeType != "It" && spec.State == "failed":
				return nil, fmt.Errorf("the suite could not run: %s", firstLine(spec.Failure.Message))
			case spec.LeafNodeType != "It" || spec.State == "skipped" && spec.Failure.Message == "":
			default:
				results[name] = result{spec.State == "passed", spec.RunTime, firstLine(spec.Failure.Message)}
			}
		}
	}
	return results, nil
}

// mostLine is how much of a failure is shown.
const mostLine = 300

func firstLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return text[:min(len(text), mostLine)]
}

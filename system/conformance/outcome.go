package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// result is what came of a spec.
type result struct {
	passed  bool
	took    time.Duration
	failure string // the first line; "" where it was skipped
}

// outcome is a run, held against the list.
type outcome struct {
	passed             int
	required, achieved int
	fell, fresh        []string // of the list and no more; not of the list and now
	failed             []string // neither
	unknown            []string // the run was over before they began
	results            map[string]result
	updated            []string // what the list is to be
}

// compare holds what was chosen and came of it against the list.
func compare(listed, chosen []string, results map[string]result) outcome {
	o := outcome{results: results}
	keep := map[string]bool{}
	for _, name := range listed {
		keep[name] = !slices.Contains(chosen, name) // what did not run stays as it is
	}
	for _, name := range chosen {
		result, ran := results[name]
		passed, was := result.passed, slices.Contains(listed, name)
		keep[name] = passed || !ran && was
		if required(name) {
			o.required++
		}
		switch {
		case !ran:
			o.unknown = append(o.unknown, name)
		case passed && required(name):
			o.achieved++
			fallthrough
		case passed:
			o.passed++
			if !was {
				o.fresh = append(o.fresh, name)
			}
		case was:
			o.fell = append(o.fell, name)
		default:
			o.failed = append(o.failed, name)
		}
	}
	maps.DeleteFunc(keep, func(_ string, stays bool) bool { return !stays })
	o.updated = slices.Sorted(maps.Keys(keep))
	return o
}

func (o outcome) print(w io.Writer) {
	for _, part := range []struct {
		title string
		names []string
	}{{"did not run", o.unknown}, {"do not pass, and need not", o.failed}, {"are new", o.fresh}, {"FELL OFF THE LIST", o.fell}} {
		if len(part.names) == 0 {
			continue
		}
		fmt.Fprintf(w, "\nThese specs %s:\n", part.title)
		for _, name := range part.names {
			r := o.results[name]
			fmt.Fprintf(w, "  %s (%.0f s)\n", name, r.took.Seconds())
			if r.failure != "" {
				fmt.Fprintf(w, "      %s\n", r.failure)
			}
		}
	}
	fmt.Fprintf(w, "\n%d of %d specs pass, among them %d of the %d required conformance specs.\n", o.passed, len(o.results), o.achieved,
		o.required)
}

// err says that specs fell off, or did not run.
func (o outcome) err() error {
	switch {
	case len(o.fell) > 0:
		return fmt.Errorf("%d specs fell off the list", len(o.fell))
	case len(o.unknown) > 0:
		return fmt.Errorf("%d specs did not run: -timeout is too short", len(o.unknown))
	}
	return nil
}

// readList reads names of specs, one a line. A list that is not there is empty.
func readList(path string) (names []string, err error) {
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); ; {
		if !lines.Scan() {
			return names, lines.Err()
		}
		if name := lines.Text(); name != "" {
			names = append(names, name)
		}
	}
}

func writeList(path string, names []string) error {
	return os.WriteFile(path, []byte(strings.Join(names, "\n")+"\n"), 0o644)
}

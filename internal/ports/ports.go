// Package ports is ranges of TCP ports.
package ports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Range is the ports from First to Last, both included.
type Range struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// Ranges are several.
type Ranges []Range

// Parse reads "8000-8999,9090".
func Parse(text string) (all Ranges, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, more := strings.Cut(strings.TrimSpace(part), "-")
		if !more {
			last = first
		}
		var r Range
		if r.First, err = port(first); err != nil {
			return nil, err
		}
		if r.Last, err = port(last); err != nil {
			return nil, err
		}
		if r.Last < r.First {
			return nil, fmt.Errorf("%s is no range of ports: its end is before its beginning", part)
		}
		all = append(all, r)
	}
	return all, nil
}

func port(text string) (int, error) {
	number, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || number < 1 || number > 65535 {
		return 0, fmt.Errorf("%q is not a port: use 1 to 65535, as in 8000-8999,9090", text)
	}
	return number, nil
}

// Contain says whether the port is in one of the ranges.
func (r Ranges) Contain(port int) bool {
	return slices.ContainsFunc(r, func(one Range) bool { return one.First <= port && port <= one.Last })
}

// String is what Parse reads.
func (r Ranges) String() string {
	parts := make([]string, len(r))
	for i, one := range r {
		parts[i] = strconv.Itoa(one.First)
		if one.Last != one.First {
			parts[i] += "-" + strconv.Itoa(one.Last)
		}
	}
	return strings.Join(parts, ",")
}

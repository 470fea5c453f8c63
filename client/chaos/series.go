package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"tripod/client/chaos/report"
	"tripod/internal/kubecall"
)

// attempt is one of a probe's. err is the kind of its failure, empty where it succeeded.
type attempt struct {
	begin time.Time
	took  time.Duration
	err   string
}

func (a attempt) end() time.Time { return a.begin.Add(a.took) }

// series are the attempts of one probe, in the order of their ends.
type series struct {
	mu       sync.Mutex
	attempts []attempt
	// success is the end of the last one that succeeded, or the begin of the series.
	success  time.Time
	failures int // since forget
}

func (s *series) add(a attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts = append(s.attempts, a)
	if a.err == "" {
		s.success = a.end()
	} else {
		s.failures++
	}
}

// last says whether an attempt has begun since a time and ended, and how the last one failed.
func (s *series) last(since time.Time) (tried bool, err string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.attempts) == 0 {
		return false, ""
	}
	last := s.attempts[len(s.attempts)-1]
	return !last.begin.Before(since), last.err
}

// now is how long there has been no success, and how many attempts have failed since forget.
func (s *series) now() (gap time.Duration, failures int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.success), s.failures
}

// forget counts failures anew.
func (s *series) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = 0
}

// pieces is how many points a report's series has at most.
const pieces = 240

// result is what a report says of a probe between two times; the points are of the whole series.
func (s *series) result(p Probe, from, to time.Time) report.Result {
	s.mu.Lock()
	attempts := slices.Clone(s.attempts)
	s.mu.Unlock()
	r := report.Result{Name: p.Name, Type: p.Type, What: p.what(), Errors: map[string]int{}, Gap: longest(attempts, from, to)}
	var took []time.Duration
	for _, a := range attempts {
		if a.end().Before(from) || a.begin.After(to) {
			continue
		}
		r.Attempts++
		if a.err != "" {
			r.Failures++
			r.Errors[a.err]++
			continue
		}
		took = append(took, a.took)
	}
	if r.Attempts > 0 {
		r.Availability = 100 * float64(r.Attempts-r.Failures) / float64(r.Attempts)
	}
	r.P50, r.P99, r.Max = quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1)
	r.Series = points(attempts)
	return r
}

// quantile is that of times, which it sorts; 0 where there is none.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[max(0, int(math.Ceil(q*float64(len(times))))-1)] // by nearest rank
}

// longest is the longest time between the ends of two successes, of which some is between from and to.
func longest(attempts []attempt, from, to time.Time) (gap report.Gap) {
	last := from
	look := func(until time.Time) {
		if until.After(from) && last.Before(to) && until.Sub(last) > gap.Long {
			gap = report.Gap{From: last, Long: until.Sub(last)}
		}
	}
	for i, a := range attempts {
		if a.err != "" {
			continue
		}
		if i == 0 && a.end().After(from) {
			last = from
		}
		look(a.end())
		last = a.end()
	}
	if last.Before(to) { // no success until the end
		look(to)
	}
	return gap
}

func points(attempts []attempt) (all []report.Point) {
	if len(attempts) == 0 {
		return nil
	}
	first := attempts[0].begin
	piece := attempts[len(attempts)-1].end().Sub(first)/pieces + 1
	var took []time.Duration
	flush := func() {
		if n := len(all) - 1; n >= 0 {
			all[n].P50, all[n].Max = quantile(took, 0.5), quantile(took, 1)
		}
		took = nil
	}
	at := time.Duration(-1)
	for _, a := range attempts {
		if n := a.begin.Sub(first) / piece; n > at || len(all) == 0 {
			flush()
			at = n
			all = append(all, report.Point{At: first.Add(n * piece)})
		}
		point := &all[len(all)-1]
		if a.err != "" {
			point.Failed++
			continue
		}
		point.OK++
		took = append(took, a.took)
	}
	flush()
	return all
}

// kindOf is a word or two for an error, so that errors can be counted.
func kindOf(err error) string {
	var status *kubecall.StatusError
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &status):
		return fmt.Sprintf("HTTP %d", status.Code)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.HasSuffix(err.Error(), "EOF"):
		return "connection closed"
	}
	text := err.Error()
	if cut := strings.LastIndex(text, ": "); cut >= 0 && cut+2 < len(text) {
		text = text[cut+2:]
	}
	return text[:min(len(text), 80)]
}

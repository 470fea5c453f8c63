package logrouter

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tripod/internal/sleep"
	"tripod/nodes/podlogs"
)

// Output takes records.
type Output interface {
	// Send returns when all records are taken for good. After an error they are sent again, but for Refused: those that are left then
	// never will be taken. After Left those alone are sent again.
	Send(ctx context.Context, records []Record) error
}

// Refused is the error of an Output that has taken all records but some, which it cannot take, however often they are sent.
type Refused struct {
	Records int
	Err     error // why the first of them are refused
}

func (r *Refused) Error() string { return r.Err.Error() }

// Left is the error of an Output that has taken all records but those, and does not take what it has twice.
type Left struct {
	Records []Record
	Err     error
	Refused *Refused // of the others; nil: none
}

func (l *Left) Error() string { return l.Err.Error() }

func (l *Left) Unwrap() error { return l.Err }

// Counts are what a router has done since it was made.
type Counts struct{ Read, Sent, Retried, Dropped atomic.Int64 }

// Router sends the logs of one node to one output.
type Router struct {
	Node   string
	Files  *podlogs.Node
	State  string // the file in which it is written how far each log was sent
	Output Output
	// Describe adds what is known of a log's pod to what its name tells.
	Describe func(podlogs.Name, *Kubernetes)
	Logger   *slog.Logger
	Counts   Counts
	// Flush is how long records are gathered; 0 is a second. Retry is how long after the first failure it is tried again; 0 is the same.
	Flush, Retry time.Duration
	// Rest is for how long what is left may be sent when Run's context has ended, as a machine goes with its pod; nil: it stays.
	Rest func() (context.Context, context.CancelFunc)

	under []Record // a batch that Run has not sent yet

	mu    sync.Mutex
	grown map[podlogs.Name]bool
	wake  chan struct{}
}

// What is sent at once, and how long it is waited at most after a failure.
const (
	mostRecords = 10_000
	mostBytes   = 4 << 20
	longestWait = time.Minute
)

// source is a log that is read.
type source struct {
	tail  *podlogs.Tail
	about *Kubernetes
	size  int // of what each record says of the pod, in bytes
	tag   string
}

// Wrote says that a log has grown. It may be called before Run and never waits.
func (r *Router) Wrote(name podlogs.Name) {
	r.mu.Lock()
	if r.grown == nil {
		r.grown = map[podlogs.Name]bool{}
	}
	r.grown[name] = true
	wake := r.waker()
	r.mu.Unlock()
	select {
	case wake <- struct{}{}:
	default:
	}
}

// waker assumes the lock.
func (r *Router) waker() chan struct{} {
	if r.wake == nil {
		r.wake = make(chan struct{}, 1)
	}
	return r.wake
}

// Run sends until ctx ends.
func (r *Router) Run(ctx context.Context) {
	r.mu.Lock()
	wake := r.waker()
	r.mu.Unlock()
	sources := map[podlogs.Name]*source{}
	defer func() {
		for _, s := range sources {
			s.tail.Close()
		}
	}()
	sent := r.load()
	names, err := r.Files.Logs() // what came while nobody sent
	if err != nil {
		r.Logger.Warn("look for log files", "node", r.Node, "error", err)
	}
	for _, name := range names {
		r.open(sources, sent, name)
	}
	for ctx.Err() == nil {
		r.take(sources, sent)
		if len(sources) > 0 {
			if sleep.For(ctx, cmp.Or(r.Flush, time.Second)) != nil {
				break
			}
			r.take(sources, sent)
			if r.drain(ctx, sources, sent) != nil {
				break
			}
			continue
		}
		select {
		case <-wake:
		case <-ctx.Done():
		}
	}
	if r.Rest != nil {
		ctx, cancel := r.Rest()
		defer cancel()
		r.take(sources, sent)
		r.drain(ctx, sources, sent)
	}
}

// take opens the logs that have grown: from then on they can be read also when their pod is deleted.
func (r *Router) take(sources map[podlogs.Name]*source, sent map[string]podlogs.Position) {
	r.mu.Lock()
	grown := r.grown
	r.grown = nil
	r.mu.Unlock()
	for name := range grown {
		r.open(sources, sent, name)
	}
}

func (r *Router) open(sources map[podlogs.Name]*source, sent map[string]podlogs.Position, name podlogs.Name) {
	key := name
	key.ContainerID = "" // a name that was found on the disk has none
	if sources[key] != nil {
		return
	}
	s := &source{tail: r.Files.NewTail(name, sent[name.File()])}
	if err := s.tail.Open(); err != nil {
		r.Logger.Warn("read a pod's log file", "node", r.Node, "file", name.File(), "error", err)
		return
	}
	about := describe(name, r.Node)
	r.Describe(name, &about)
	about.bound()
	s.about, s.size = &about, about.size()
	s.tag = "application.var.log.containers." + about.PodName + "_" + about.NamespaceName + "_" + about.ContainerName + "-" +
		about.DockerID + ".log"
	sources[key] = s
}

// drain sends all that is there, closes what has been sent, and returns an error when ctx has ended.
func (r *Router) drain(ctx context.Context, sources map[podlogs.Name]*source, sent map[string]podlogs.Position) error {
	for {
		records, more := r.under, true
		if records == nil {
			records, more = r.gather(sources)
		}
		if r.under = records; len(records) > 0 {
			if err := r.send(ctx, records); err != nil {
				return err
			}
		}
		r.under = nil
		for name, s := range sources {
			if at := s.tail.Position(); at.Same > 0 {
				sent[name.File()] = at
			}
		}
		if len(records) > 0 {
			if err := r.save(sent); err != nil {
				r.Logger.Warn("write down how far logs were sent: they may be sent again", "node", r.Node, "error", err)
			}
		}
		if !more {
			for _, s := range sources {
				s.tail.Close()
			}
			clear(sources)
			return nil
		}
	}
}

// gather reads a batch; more says that there may be more.
func (r *Router) gather(sources map[podlogs.Name]*source) (records []Record, more bool) {
	size := 0
	for _, s := range sources {
		for {
			line, err := s.tail.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					r.Logger.Warn("read a pod's log file", "node", r.Node, "tag", s.tag, "error", err)
				}
				break
			}
			r.Counts.Read.Add(1)
			one := record(line, s.tag, s.about)
			one.same = s.tail.Position().Same
			records = append(records, one)
			if size += one.size() + s.size; len(records) == mostRecords || size > mostBytes {
				return records, true
			}
		}
	}
	return records, false
}

// send sends a batch until it is taken; the error is that ctx has ended.
func (r *Router) send(ctx context.Context, records []Record) error {
	pause := cmp.Or(r.Retry, time.Second)
	for failing := false; ; failing = true {
		err := r.Output.Send(ctx, records)
		left, refused := records, (*Refused)(nil)
		var rest *Left
		switch {
		case errors.As(err, &rest):
			left, refused = rest.Records, rest.Refused
		case err == nil, errors.As(err, &refused):
			left = nil
		}
		taken := len(records) - len(left)
		if refused != nil {
			taken -= refused.Records
			r.Counts.Dropped.Add(int64(refused.Records))
			r.Logger.Warn("logs are dropped", "node", r.Node, "records", refused.Records, "error", refused)
		}
		r.Counts.Sent.Add(int64(taken))
		records, r.under = left, left
		switch {
		case len(left) == 0:
			if failing {
				r.Logger.Info("logs are sent again", "node", r.Node)
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		r.Counts.Retried.Add(int64(len(records)))
		if !failing {
			r.Logger.Warn("send logs: it is tried again", "node", r.Node, "records", len(records), "error", err)
		}
		if err := sleep.For(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, longestWait)
	}
}

// load reads how far each log was sent.
func (r *Router) load() map[string]podlogs.Position {
	sent := map[string]podlogs.Position{}
	text, err := os.ReadFile(r.State)
	if err == nil {
		err = json.Unmarshal(text, &sent)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Logger.Warn("read how far logs were sent: all are sent again", "node", r.Node, "error", err)
	}
	return sent
}

// save writes how far each log was sent, but of those that have gone.
func (r *Router) save(sent map[string]podlogs.Position) error {
	if err := r.Files.DropGone(sent); err != nil {
		return err
	}
	text, err := json.Marshal(sent)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.State), 0o700); err != nil {
		return err
	}
	fresh := r.State + ".new"
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, r.State)
}

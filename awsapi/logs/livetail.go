package logs

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/logs/logstore"
	"tripod/state"
)

const (
	// mostSessions is how many sessions of Live Tail a zone has at once ("CloudWatch Logs quotas", there of a region), and
	// sessionTime how long one lasts.
	mostSessions, sessionTime = 15, 3 * time.Hour
	// updateEvery is how often a session tells of events, and mostTold of how many at once; of more a sample is told, evenly.
	updateEvery, mostTold = time.Second, 500
	// mostTailed is how many bytes of messages wait for the next update: what comes then is left out, as of a sample.
	mostTailed = 8 << 20
	// sendTime is how long a client may take nothing.
	sendTime = 30 * time.Second
)

// sessions count those of Live Tail in this zone.
type sessions struct {
	mu sync.Mutex
	n  int
}

func (s *sessions) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n >= mostSessions {
		return false
	}
	s.n++
	return true
}

func (s *sessions) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n--
}

// liveTail is a session of Live Tail.
type liveTail struct {
	service *Service
	call    *operation.Call
	in      *cloudwatchlogs.StartLiveTailInput
	groups  []string
	wanted  pattern

	mu      sync.Mutex
	sources map[string]source // by the stream's id
	waiting []types.LiveTailSessionLogEvent
	bytes   int
	seen    int // since the last update
}

// startLiveTail checks the call; what it gives is the session, which runs when the answer is written.
func (s *Service) startLiveTail(call *operation.Call) (any, error) {
	in := &cloudwatchlogs.StartLiveTailInput{}
	if err := model.Decode(call, schemas.StartLiveTailRequest, in); err != nil {
		return nil, err
	}
	tail := &liveTail{service: s, call: call, in: in}
	for _, identifier := range in.LogGroupIdentifiers {
		name, err := s.nameInARN(identifier)
		if err != nil {
			return nil, err
		}
		if err := authorize(call, s.streamARN(name, "")); err != nil {
			return nil, err
		}
		tail.groups = append(tail.groups, name)
	}
	slices.Sort(tail.groups)
	tail.groups = slices.Compact(tail.groups)
	switch {
	case in.LogStreamNames != nil && in.LogStreamNamePrefixes != nil:
		return nil, invalid("logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.")
	case len(tail.groups) > 1 && in.LogStreamNames != nil:
		return nil, invalid("logStreamNames can only be specified with a single log group.")
	case len(tail.groups) > 1 && in.LogStreamNamePrefixes != nil:
		return nil, invalid("logStreamNamePrefixes can only be specified with a single log group.")
	}
	err := s.State.View(func(tx *state.Txn) error {
		for _, name := range tail.groups {
			g, found := groups.Get(tx, name)
			if !found {
				return errNoGroup
			}
			if err := s.searchable(tx, call, g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// the pattern's context is the session's, which has not begun: the call's ends with it too
	tail.wanted, err = parsePattern(call.Request.Context(), aws.ToString(in.LogEventFilterPattern))
	return tail, err
}

// ServeStream runs the session, until its client goes, its time is over or the zone ends.
func (t *liveTail) ServeStream(w http.ResponseWriter) error {
	s := t.service
	if !s.sessions.begin() {
		return limitExceeded("The maximum number of %d concurrent Live Tail sessions is reached.", mostSessions)
	}
	defer s.sessions.end()
	ctx, cancel := context.WithTimeout(t.call.Request.Context(), sessionTime)
	defer cancel()
	ended := ctx.Done()
	s.background(func(zone context.Context) {
		select {
		case <-zone.Done():
			cancel()
		case <-ended:
		}
	})
	out := &wire.EventStream{Writer: w, Patience: sendTime}
	id := wire.NewRequestID()
	start := &types.LiveTailSessionStart{RequestId: &t.call.RequestID, SessionId: &id, LogGroupIdentifiers: t.in.LogGroupIdentifiers,
		LogStreamNames: t.in.LogStreamNames, LogStreamNamePrefixes: t.in.LogStreamNamePrefixes,
		LogEventFilterPattern: t.in.LogEventFilterPattern}
	if err := out.Begin(); err != nil {
		return nil // the client is gone
	}
	if err := out.Event("sessionStart", start); err != nil {
		return nil
	}
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	following.Go(func() {
		s.Events.Tail(ctx, logstore.Tail{Streams: t.streams, Pause: updateEvery / 4, Show: t.show})
	})
	ticker := time.NewTicker(updateEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			if context.Cause(ctx) == context.DeadlineExceeded {
				_ = out.Exception(&types.SessionTimeoutException{
					Message: aws.String(fmt.Sprintf("The session has timed out after %s.", sessionTime))})
			}
			return nil
		case <-ticker.C:
		}
		if err := out.Event("sessionUpdate", t.update()); err != nil {
			return nil
		}
	}
}

// streams are the ids of those that the session is about, now.
func (t *liveTail) streams() (ids []string) {
	sources := map[string]source{}
	t.service.State.View(func(tx *state.Txn) error {
		for _, name := range t.groups {
			if g, found := groups.Get(tx, name); !found || t.service.readable(tx, g) != nil {
				continue
			}
			for _, one := range inGroup(tx, name) {
				if t.wants(one.Name) {
					ids = append(ids, one.ID)
					sources[one.ID] = source{t.service.AccountID + ":" + name, one.Name}
				}
			}
		}
		return nil
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sources = sources
	return ids
}

func (t *liveTail) wants(stream string) bool {
	switch {
	case t.in.LogStreamNames != nil:
		return slices.Contains(t.in.LogStreamNames, stream)
	case t.in.LogStreamNamePrefixes != nil:
		return slices.ContainsFunc(t.in.LogStreamNamePrefixes, func(prefix string) bool { return strings.HasPrefix(stream, prefix) })
	}
	return true
}

// show takes an event into the next update, or into its sample.
func (t *liveTail) show(f logstore.Found) {
	if !t.wanted(f.Message) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen++
	at := len(t.waiting)
	if at >= mostTold || t.bytes > mostTailed {
		if at = rand.IntN(t.seen); at >= len(t.waiting) {
			return
		}
		t.bytes -= len(*t.waiting[at].Message)
	} else {
		t.waiting = append(t.waiting, types.LiveTailSessionLogEvent{})
	}
	from := t.sources[f.Stream]
	// of f nothing is kept, pointers neither: its message is a part of a whole chunk
	t.bytes += len(f.Message)
	t.waiting[at] = types.LiveTailSessionLogEvent{Message: aws.String(strings.Clone(f.Message)), Timestamp: aws.Int64(f.Time),
		IngestionTime: aws.Int64(f.Ingested), LogStreamName: &from.stream, LogGroupIdentifier: &from.group}
}

// update is what has come since the last one, in the order of time.
func (t *liveTail) update() *types.LiveTailSessionUpdate {
	t.mu.Lock()
	defer t.mu.Unlock()
	events := append([]types.LiveTailSessionLogEvent{}, t.waiting...)
	slices.SortStableFunc(events, func(a, b types.LiveTailSessionLogEvent) int { return cmp.Compare(*a.Timestamp, *b.Timestamp) })
	sampled := t.seen > len(events)
	t.waiting, t.bytes, t.seen = nil, 0, 0
	return &types.LiveTailSessionUpdate{SessionMetadata: &types.LiveTailSessionMetadata{Sampled: sampled}, SessionResults: events}
}

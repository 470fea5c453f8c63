package logstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// chunkSize is how many bytes of a journal are sent at once; a longer line goes alone. largestChunk is what is taken, and largestLine
	// what is written, so that whatever one zone writes the others take.
	chunkSize    = 1 << 20
	largestChunk = 64 << 20
	largestLine  = largestChunk / 2
	// roundLimit bounds one request to another zone, which may be paused.
	roundLimit = 10 * time.Second
	// courtesy is how long what a third zone wrote is left to that zone to bring: only when that is lost do the others
	// pass it on. A round that left something out is made again after the same time.
	courtesy = 2 * time.Second
	// The pauses after a round that failed: a zone that is down may be so for hours.
	firstPause, longestPause = 500 * time.Millisecond, 5 * time.Second
)

// ends are how far a zone has each journal, by stream and zone.
type ends map[string]map[string]int64

// Replicate brings the other zone what it has not got, now and at every change, until ctx ends. dial opens a connection
// to the other zone's Handler.
func (s *Store) Replicate(ctx context.Context, zone string, dial func(context.Context) (net.Conn, error)) {
	transport := &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second,
	}
	defer transport.CloseIdleConnections()
	peer := peer{store: s, zone: zone, client: &http.Client{Transport: transport, Timeout: roundLimit}}
	pause := firstPause
	for ctx.Err() == nil {
		written, taken := s.written.wait(), s.taken.wait()
		again, err := peer.round(ctx)
		var timer <-chan time.Time
		switch {
		case err != nil:
			s.config.Logger.Debug("bring log events to another zone", "to", zone, "error", err)
			written, taken, timer = nil, nil, time.After(pause)
			pause = min(2*pause, longestPause)
		case again:
			taken, timer, pause = nil, time.After(courtesy), firstPause
		default:
			pause = firstPause
		}
		select {
		case <-written:
		case <-timer:
		case <-taken:
			select { // who wrote it brings it; see courtesy
			case <-written:
			case <-time.After(courtesy):
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
	}
}

// peer is another zone as a copy's receiver.
type peer struct {
	store  *Store
	zone   string
	client *http.Client
}

// round brings the zone all that it lacks. again says that something was left out for now. A journal of which the zone takes nothing
// does not keep it from the others.
func (p peer) round(ctx context.Context) (again bool, err error) {
	journals := p.store.all()
	if len(journals) == 0 {
		return false, nil // nothing was ever logged: nobody needs to be asked
	}
	var has ends
	if err := p.call(ctx, http.MethodGet, "/ends", nil, &has); err != nil {
		return false, err
	}
	var refusals []error
	for _, j := range journals {
		if j.zone == p.zone {
			continue // only that zone itself can lack nothing of it
		}
		later, err := p.bring(ctx, j, has[j.stream][j.zone])
		if err != nil {
			refusals = append(refusals, fmt.Errorf("stream %s of zone %s: %w", j.stream, j.zone, err))
		}
		if err != nil && !errors.Is(err, errRefused) {
			break // it does not answer
		}
		again = again || later
	}
	return again, errors.Join(refusals...)
}

// bring sends what the zone lacks of a journal, and says whether that has to be done later.
func (p peer) bring(ctx context.Context, j *journal, has int64) (later bool, err error) {
	own := j.zone == p.store.config.Zone
	for {
		j.mu.Lock()
		end, fresh := j.endLocked(), p.store.config.Now().Sub(j.grown) < courtesy
		j.mu.Unlock()
		if own {
			p.store.noteCopy(j.stream, min(has, end))
		}
		if has >= end {
			return false, nil
		}
		if !own && fresh {
			return true, nil
		}
		lines, at, err := j.chunk(has, chunkSize)
		if err != nil || len(lines) == 0 {
			return true, nil // it is being trimmed
		}
		query := url.Values{"stream": {j.stream}, "zone": {j.zone}, "at": {strconv.FormatInt(at, 10)},
			"after": {strconv.FormatInt(has, 10)}}
		var got int64
		switch err := p.call(ctx, http.MethodPost, "/lines?"+query.Encode(), lines, &got); {
		case errors.Is(err, errNoStream):
			return true, nil // its copy of the regional state is older than ours, or newer
		case err != nil:
			return false, err
		case got <= has && got < at+int64(len(lines)):
			return true, nil
		}
		has = got
	}
}

var (
	// errNoStream is a zone's answer for a stream that it does not know, and errRefused any other that is no success.
	errNoStream = errors.New("the zone does not know the log stream")
	errRefused  = errors.New("the zone refuses")
)

func (p peer) call(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+p.zone+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(response.Body).Decode(into)
	case http.StatusNotFound:
		return errNoStream
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 256))
	return fmt.Errorf("%w: zone %s answers %s: %s", errRefused, p.zone, response.Status, bytes.TrimSpace(text))
}

// noteCopy notes how far another zone has this zone's journal of a stream.
func (s *Store) noteCopy(stream string, end int64) {
	s.mu.Lock()
	further := end > s.copied[stream]
	if further {
		s.copied[stream] = end
	}
	s.mu.Unlock()
	if further {
		s.brought.send()
	}
}

// AwaitCopy returns when another zone has the stream up to that place, or with ctx's error.
func (s *Store) AwaitCopy(ctx context.Context, place Place) error {
	for {
		brought := s.brought.wait()
		s.mu.Lock()
		copied := s.copied[place.Stream] >= place.End
		s.mu.Unlock()
		if copied || len(s.config.Zones) == 1 {
			return nil
		}
		select {
		case <-brought:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Handler takes what other zones bring. Whoever reaches it is one of them: the connection has shown that.
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ends", func(w http.ResponseWriter, _ *http.Request) {
		has := ends{}
		for _, j := range s.all() {
			if has[j.stream] == nil {
				has[j.stream] = map[string]int64{}
			}
			has[j.stream][j.zone] = j.end()
		}
		answer(w, has)
	})
	mux.HandleFunc("POST /lines", s.take)
	return mux
}

// take appends lines of another zone's.
func (s *Store) take(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	stream, zone := query.Get("stream"), query.Get("zone")
	at, atErr := strconv.ParseInt(query.Get("at"), 10, 64)
	after, afterErr := strconv.ParseInt(query.Get("after"), 10, 64)
	known := false
	for _, one := range s.config.Zones {
		known = known || one == zone && zone != s.config.Zone
	}
	if !known || !validStream(stream) || at < 0 || errors.Join(atErr, afterErr) != nil {
		http.Error(w, "this is no place in another zone's journal", http.StatusBadRequest)
		return
	}
	if !s.config.Exists(stream) {
		http.Error(w, errNoStream.Error(), http.StatusNotFound)
		return
	}
	lines, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestChunk))
	if err != nil {
		http.Error(w, "the lines could not be read", http.StatusBadRequest)
		return
	}
	end, err := s.journal(stream, zone).copy(lines, at, after, s.config.Now())
	if err != nil {
		s.config.Logger.Warn("keep another zone's log events", "from", zone, "error", err)
		http.Error(w, "the lines could not be kept", http.StatusInternalServerError)
		return
	}
	s.taken.send()
	answer(w, end)
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value) // an error here is the other zone's going away
}

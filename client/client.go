// Package client speaks to a running region over its control socket, starts one, breaks it and waits for it. What its
// functions take and return is in package api. It links no Kubernetes, so that tests and tools can import it cheaply.
package client

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
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tripod/api"
	"tripod/internal/datadir"
)

// DefaultDataDir is where a user's region lives when nothing else was said.
func DefaultDataDir() string { return datadir.Default() }

// ReadCredentials reads the credentials of the user admin of the region in dataDir, which need not run.
func ReadCredentials(dataDir string) (api.Credentials, error) {
	return datadir.ReadCredentials(dataDir)
}

// ErrNotRunning says that no region runs in the data directory. Errors that wrap it are whole sentences.
var ErrNotRunning = datadir.ErrNotRunning

// APIError is a refusal of the region, in its own words.
type APIError struct {
	Code    int    // the HTTP status
	Message string // one sentence
}

func (e *APIError) Error() string { return e.Message }

// Client speaks to the region of one data directory. It holds no connection while no call is under way.
type Client struct {
	dataDir string
	http    *http.Client
}

// New returns a client for the region in dataDir, which need not run yet.
func New(dataDir string) *Client {
	if abs, err := filepath.Abs(dataDir); err == nil {
		dataDir = abs
	}
	c := &Client{dataDir: dataDir}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return datadir.Dial(ctx, c.dataDir) },
		DisableKeepAlives: true,
	}}
	return c
}

// DataDir is the absolute path of the region's data directory.
func (c *Client) DataDir() string { return c.dataDir }

// Status returns the state of the region, or ErrNotRunning. A region that sleeps is not woken by it.
func (c *Client) Status(ctx context.Context) (*api.Status, error) { return c.status(ctx, nil) }

// StatusWithCronJobs is Status with the CronJobs of all clusters (api.Cluster.CronJobs), which their API servers are asked for: that takes
// some milliseconds, and a second for each that does not answer.
func (c *Client) StatusWithCronJobs(ctx context.Context) (*api.Status, error) {
	return c.status(ctx, url.Values{"cronJobs": {"true"}})
}

// Watched is Status for somebody who looks again and again: while that goes on the region does not fall asleep by
// itself.
func (c *Client) Watched(ctx context.Context) (*api.Status, error) {
	return c.status(ctx, url.Values{"watching": {"true"}})
}

func (c *Client) status(ctx context.Context, query url.Values) (*api.Status, error) {
	response, err := c.call(ctx, http.MethodGet, "/v1/status", query)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	status := &api.Status{}
	if err := json.NewDecoder(response.Body).Decode(status); err != nil {
		return nil, c.brokenOff(ctx, err)
	}
	return status, nil
}

// Events calls each for the region's events after the one with the number since, oldest first. With follow it goes on
// until ctx ends (then it returns ctx's error), the region stops (nil) or each returns an error (that one).
func (c *Client) Events(ctx context.Context, since uint64, follow bool, each func(api.Event) error) error {
	query := url.Values{"since": {strconv.FormatUint(since, 10)}}
	if follow {
		query.Set("follow", "true")
	}
	response, err := c.call(ctx, http.MethodGet, "/v1/events", query)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return c.eachEvent(ctx, response.Body, func(event api.Event) error {
		if event.Seq <= since && event.Seq != 0 {
			return nil
		}
		return each(event)
	})
}

// Do applies a verb (kill, pause, resume, stop, start or reset) to a target such as "az/b" or "etcd/us-east-1a", or the
// verbs fault and reset to a target that needs no more words, such as "update/demo" (others: Fault), and returns when the
// effect is there. Links take partition, heal and reset. An empty cluster means every cluster. Refusals are of type *APIError.
func (c *Client) Do(ctx context.Context, target, verb, cluster string) error {
	return c.DoFor(ctx, target, verb, cluster, 0)
}

// DoFor is Do for kill, pause and stop, whose fault the region takes back by itself after a time; 0: when somebody does.
func (c *Client) DoFor(ctx context.Context, target, verb, cluster string, span time.Duration) error {
	kind, name, ok := strings.Cut(target, "/")
	if !ok || kind == "" || name == "" {
		return fmt.Errorf("%q is not a target: write TYPE/NAME, such as az/b or etcd/b", target)
	}
	if api.ByRecord(kind, verb) {
		_, err := c.fault(ctx, verb, api.FaultOrder{Target: api.Target{Kind: kind, Name: name}, Cluster: cluster})
		return err
	}
	if kind == api.KindLink {
		if verb == api.Reset {
			verb = api.Heal
		}
		return c.Link(ctx, api.LinkOrder{Verb: verb, Link: name})
	}
	path := "/v1/targets/" + url.PathEscape(kind) + "/" + url.PathEscape(name) + "/" + url.PathEscape(verb)
	query := url.Values{}
	if cluster != "" {
		query.Set("cluster", cluster)
	}
	if span != 0 {
		query.Set("for", span.String())
	}
	return c.post(ctx, path, query)
}

// Reset makes everything in the region healthy again and returns when it is.
func (c *Client) Reset(ctx context.Context) error { return c.post(ctx, "/v1/reset", nil) }

// SetLogLevel says how much a process logs from now on, until it ends.
func (c *Client) SetLogLevel(ctx context.Context, order api.LogLevelOrder) error {
	return c.ask(ctx, "/v1/log-level", order, nil)
}

// Sleep stops all processes of the zones until somebody speaks with the region, and returns when they stand still.
func (c *Client) Sleep(ctx context.Context) error { return c.post(ctx, "/v1/sleep", nil) }

// Wake lets a region that sleeps go on. One that does not is left alone.
func (c *Client) Wake(ctx context.Context) error { return c.post(ctx, "/v1/wake", nil) }

// Down stops the region in order and calls each for its progress. It returns when everything but the region's own
// process has ended.
func (c *Client) Down(ctx context.Context, each func(api.Event)) error {
	response, err := c.call(ctx, http.MethodPost, "/v1/down", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return c.eachEvent(ctx, response.Body, func(event api.Event) error { each(event); return nil })
}

// Metrics copies metrics in Prometheus' text format to w: the region's with an empty target, else those of one
// child, such as "apiserver/a". An empty cluster means the only one.
func (c *Client) Metrics(ctx context.Context, target, cluster string, w io.Writer) error {
	path := "/v1/metrics"
	if target != "" {
		component, zone, _ := strings.Cut(target, "/")
		path += "/" + url.PathEscape(component) + "/" + url.PathEscape(zone)
	}
	response, err := c.call(ctx, http.MethodGet, path, clusterQuery(cluster))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(w, response.Body); err != nil {
		return c.brokenOff(ctx, err)
	}
	return nil
}

func clusterQuery(cluster string) url.Values {
	if cluster == "" {
		return nil
	}
	return url.Values{"cluster": {cluster}}
}

func (c *Client) post(ctx context.Context, path string, query url.Values) error {
	response, err := c.call(ctx, http.MethodPost, path, query)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// call returns a response whose status is below 400; the caller closes its body.
func (c *Client) call(ctx context.Context, method, path string, query url.Values) (*http.Response, error) {
	return c.send(ctx, method, path+"?"+query.Encode(), nil)
}

// send is call with a body, which may be nil.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	// The escaped path is part of the text, so that a target's name cannot reach beyond its place.
	request, err := http.NewRequestWithContext(ctx, method, "http://tripod"+path, body)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		if errors.Is(err, ErrNotRunning) {
			return nil, c.notRunning()
		}
		return nil, c.brokenOff(ctx, err)
	}
	if response.StatusCode < 400 {
		return response, nil
	}
	defer response.Body.Close()
	return nil, apiError(response)
}

func apiError(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	var said struct{ Error string }
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		return &APIError{Code: response.StatusCode, Message: said.Error}
	}
	text := strings.TrimSpace(string(bytes.ToValidUTF8(body, []byte("?"))))
	if text == "" {
		text = http.StatusText(response.StatusCode)
	}
	return &APIError{Code: response.StatusCode, Message: fmt.Sprintf("the region answered %d: %s", response.StatusCode,
		text)}
}

func (c *Client) eachEvent(ctx context.Context, body io.Reader, each func(api.Event) error) error {
	decoder := json.NewDecoder(body)
	for {
		var event api.Event
		err := decoder.Decode(&event)
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			return c.brokenOff(ctx, err)
		}
		if err := each(event); err != nil {
			return err
		}
	}
}

func (c *Client) notRunning() error {
	if datadir.Locked(c.dataDir) {
		return fmt.Errorf("%w in %s that can be reached from here, but some Tripod has it: it starts or stops, or runs in "+
			"a container: then use 'docker compose exec tripod tripod ...'",
			ErrNotRunning, c.dataDir)
	}
	up := "tripod up"
	if c.dataDir != datadir.Default() {
		up += " --data-dir " + c.dataDir
	}
	return fmt.Errorf("%w in %s: start one with '%s'", ErrNotRunning, c.dataDir, up)
}

// brokenOff explains an answer that did not come, or not to its end: the caller gave up, or the region's process ended.
func (c *Client) brokenOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%w in %s any more: its process ended in the middle of an answer, see 'tripod logs up'",
			ErrNotRunning, c.dataDir)
	}
	return fmt.Errorf("cannot speak to the region in %s: %w", c.dataDir, err)
}

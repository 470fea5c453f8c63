package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"tripod/internal/kubecall"
)

const configMaps = "/api/v1/namespaces/default/configmaps"

// counter is a ConfigMap with a number. Each write says which one it follows (its resource version), so that no write is applied that
// was given up before.
type counter struct {
	kube  *kube
	calls *http.Client
	path  string

	version string // as of the last write that was acknowledged, or read back
	written int    // the number then
	tried   int    // the last number that was asked for
	unsure  []int  // numbers that were asked for since, and not acknowledged
	lost    []string
}

type configMap struct {
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion,omitempty"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
}

// newCounter makes the ConfigMap.
func newCounter(ctx context.Context, k *kube, name string, kept bool) (*counter, error) {
	c := &counter{kube: k, calls: k.client(kept), path: configMaps + "/" + name}
	var made configMap
	made.Metadata.Name, made.Data = name, map[string]string{"counter": "0"}
	if err := k.do(ctx, c.calls, http.MethodPost, configMaps, made, &made); err != nil {
		return nil, fmt.Errorf("make ConfigMap default/%s: %w", name, err)
	}
	c.version = made.Metadata.ResourceVersion
	return c, nil
}

// write writes the next number. Where others than the last acknowledged one are there, it finds out why.
func (c *counter) write(ctx context.Context) error {
	c.tried++
	err := c.patch(ctx)
	if !kubecall.Is(err, http.StatusConflict) {
		return err
	}
	// What was not acknowledged may have happened.
	if err := c.readBack(ctx); err != nil {
		return err
	}
	return c.patch(ctx)
}

func (c *counter) patch(ctx context.Context) error {
	var got configMap
	body := map[string]any{"metadata": map[string]string{"resourceVersion": c.version},
		"data": map[string]string{"counter": strconv.Itoa(c.tried)}}
	if err := c.kube.do(ctx, c.calls, http.MethodPatch, c.path, body, &got); err != nil {
		if !kubecall.Is(err, http.StatusConflict) {
			c.unsure = append(c.unsure, c.tried)
		}
		return err
	}
	c.version, c.written, c.unsure = got.Metadata.ResourceVersion, c.tried, nil
	return nil
}

// readBack compares what is there with what was acknowledged.
func (c *counter) readBack(ctx context.Context) error {
	var got configMap
	if err := c.kube.do(ctx, c.calls, http.MethodGet, c.path, nil, &got); err != nil {
		return err
	}
	n, err := strconv.Atoi(got.Data["counter"])
	if err != nil {
		return err
	}
	if n != c.written && !slices.Contains(c.unsure, n) {
		c.lost = append(c.lost, fmt.Sprintf("write %d was acknowledged, and %d was there", c.written, n))
	}
	c.version, c.written, c.unsure = got.Metadata.ResourceVersion, n, nil
	return nil
}

// finish reads back a last time, and takes the ConfigMap away. Both are tried for finishTime.
func (c *counter) finish(ctx context.Context) ([]string, error) {
	if err := again(within(ctx, finishTime), c.readBack); err != nil {
		return append(c.lost, fmt.Sprintf("nobody knows what became of write %d: %v", c.written, err)), nil
	}
	err := again(within(ctx, finishTime), func(ctx context.Context) error {
		err := c.kube.do(ctx, c.calls, http.MethodDelete, c.path, nil, nil)
		if kubecall.Is(err, http.StatusNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("ConfigMap %s is left: %w", c.path, err)
	}
	return c.lost, err
}

// finishTime is for how long it is tried to look at what a probe has written, and to take it away.
const finishTime = 20 * time.Second

// again tries something until it succeeds or ctx ends; then the error is the last attempt's.
func again(ctx context.Context, try func(context.Context) error) error {
	for {
		within, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := try(within)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}

// writer is the prober of ProbeWrites.
type writer struct{ *counter }

func newWriter(ctx context.Context, k *kube, p Probe, id string) (writer, error) {
	c, err := newCounter(ctx, k, "tripod-chaos-"+id+"-"+objectName(p.Name), p.Kept)
	return writer{c}, err
}

func (w writer) attempt(ctx context.Context) error { return w.write(ctx) }

// objectName is a name as Kubernetes' objects have them.
func objectName(name string) string {
	sum := fnv.New32a()
	sum.Write([]byte(name)) // names that differ in their punctuation are two
	text := []byte(name)
	for i, b := range text {
		if !(b >= 'a' && b <= 'z' || b >= '0' && b <= '9') {
			text[i] = 'x'
		}
	}
	return fmt.Sprintf("%s-%08x", text, sum.Sum32())
}

// watcher is the prober of ProbeWatch: it writes a counter, and a watch of it must tell each write once and in order.
type watcher struct {
	*counter
	watching *http.Client

	mu     sync.Mutex
	cancel context.CancelFunc // of the watch under way
	seen   int                // the last number that came
	came   chan struct{}      // closed, and made anew, when one comes
	wrong  []string
	acked  []int // acknowledged numbers that have not come yet, in their order
	ended  chan struct{}
}

func newWatcher(ctx context.Context, k *kube, p Probe, id string) (*watcher, error) {
	c, err := newCounter(ctx, k, "tripod-chaos-"+id+"-"+objectName(p.Name), true)
	if err != nil {
		return nil, err
	}
	w := &watcher{counter: c, watching: k.client(false), came: make(chan struct{}), ended: make(chan struct{})}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	go w.run(watching, c.version)
	return w, nil
}

// attempt writes a number and waits until the watch has told it.
func (w *watcher) attempt(ctx context.Context) error {
	if err := w.write(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	w.acked = append(w.acked, w.written)
	w.settle()
	w.mu.Unlock()
	return w.await(ctx, w.written)
}

func (w *watcher) await(ctx context.Context, n int) error {
	for {
		w.mu.Lock()
		seen, came := w.seen, w.came
		w.mu.Unlock()
		if seen >= n {
			return nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return errNoEvent
		}
	}
}

var errNoEvent = errors.New("no event in time")

// run follows the object from a version on, on a new connection where one ends or is silent for too long.
func (w *watcher) run(ctx context.Context, version string) {
	defer close(w.ended)
	for ctx.Err() == nil {
		one, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(silence, cancel)
		version = w.follow(one, version, func() { timer.Reset(silence) })
		timer.Stop()
		cancel()
		_ = pause(ctx, 50*time.Millisecond)
	}
}

// silence is for how long a watch of an object that is written all the time may tell nothing: clients that ping take a connection for
// dead then.
const silence = 5 * time.Second

type watchEvent struct {
	Type   string `json:"type"`
	Object struct {
		configMap
		Code int `json:"code"` // of an ERROR's Status
	} `json:"object"`
}

// listAgain reads the object where a watch cannot go on from a version, as clients do: what came between is not told.
func (w *watcher) listAgain(ctx context.Context, version string) string {
	var now configMap
	if err := w.kube.do(ctx, w.watching, http.MethodGet, w.path, nil, &now); err != nil {
		return version
	}
	n, err := strconv.Atoi(now.Data["counter"])
	if err != nil {
		return version
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reached(n)
	return now.Metadata.ResourceVersion
}

// follow watches once, and returns the version of the last event.
func (w *watcher) follow(ctx context.Context, version string, alive func()) string {
	path := configMaps + "?watch=true&allowWatchBookmarks=false&fieldSelector=metadata.name=" + w.path[len(configMaps)+1:] +
		"&resourceVersion=" + version
	request, err := w.kube.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return version
	}
	response, err := w.watching.Do(request)
	if err != nil {
		return version
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusGone:
		return w.listAgain(ctx, version)
	default:
		return version
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event watchEvent
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Type == "DELETED" {
			return version
		}
		if event.Type == "ERROR" && event.Object.Code == http.StatusGone {
			return w.listAgain(ctx, version)
		}
		if event.Type == "ERROR" {
			return version
		}
		alive()
		w.tell(event)
		version = event.Object.Metadata.ResourceVersion
	}
	return version
}

// tell takes one event.
func (w *watcher) tell(event watchEvent) {
	n, err := strconv.Atoi(event.Object.Data["counter"])
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n <= w.seen {
		w.wrong = append(w.wrong, fmt.Sprintf("the event of write %d came after that of write %d", n, w.seen))
	}
	for _, before := range w.acked {
		if before > w.seen && before < n {
			w.wrong = append(w.wrong, fmt.Sprintf("write %d was acknowledged, and its event did not come before that of write %d", before, n))
		}
	}
	w.reached(n)
}

// reached tells that a number has come. The caller holds the lock.
func (w *watcher) reached(n int) {
	w.seen = max(w.seen, n)
	w.settle()
	close(w.came)
	w.came = make(chan struct{})
}

// settle forgets acknowledged numbers whose events have come. The caller holds the lock.
func (w *watcher) settle() {
	for len(w.acked) > 0 && w.acked[0] <= w.seen {
		w.acked = w.acked[1:]
	}
}

// finish waits for the events of what was acknowledged.
func (w *watcher) finish(ctx context.Context) ([]string, error) {
	err := w.await(within(ctx, finishTime), w.written)
	w.cancel()
	<-w.ended
	lost, other := w.counter.finish(ctx)
	if err != nil {
		w.wrong = append(w.wrong, fmt.Sprintf("write %d was acknowledged, and its event did not come", w.written))
	}
	return append(lost, w.wrong...), other
}

package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"
)

// MetricsTimeout is how long a process, which may be paused, is to be waited for when it is asked for its metrics.
const MetricsTimeout = 10 * time.Second

// Metrics asks the process itself for its metrics. The caller closes the answer's body.
func (i *Instance) Metrics(ctx context.Context) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://instance/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := i.transport().RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", i.Target(), err)
	}
	return response, nil
}

// tellTimeout is how long a process is waited for that is told something.
const tellTimeout = 3 * time.Second

// Tell sends something to the process, at a path of its socket, and returns when it was taken. One that does not run is prepared
// anew at its next start, and has it from there.
func (i *Instance) Tell(ctx context.Context, path string, what any) error {
	i.mu.Lock()
	i.outdated = true
	i.settle()
	runs := i.child != nil
	i.mu.Unlock()
	if !runs {
		return nil
	}
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://instance"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := i.transport().RoundTrip(request)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", i.Target(), err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s answers %s", i.Target(), response.Status)
	}
	return nil
}

func (i *Instance) transport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", i.Socket)
		}}
}

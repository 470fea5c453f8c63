package instance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// MetricsTimeout is how long a process, which may be paused, is to be waited for when it is asked for its metrics.
const MetricsTimeout = 10 * time.Second

// Metrics asks the process itself for its metrics. The caller closes the answer's body.
func (i *Instance) Metrics(ctx context.Context) (*http.Response, error) {
	transport := &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", i.Socket)
		}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://instance/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", i.Target(), err)
	}
	return response, nil
}

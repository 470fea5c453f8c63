package instance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"tripod/internal/tell"
)

// MetricsTimeout is how long a process, which may be paused, is to be waited for when it is asked for its metrics.
const MetricsTimeout = 10 * time.Second

// Metrics asks the process itself for its metrics. The caller closes the answer's body.
func (i *Instance) Metrics(ctx context.Context) (*http.Response, error) {
	return i.Get(ctx, "/metrics")
}

// Get asks the process for what it serves at another path beside its metrics.
func (i *Instance) Get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://instance"+path, nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, // it does not leave the machine
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", i.Socket)
		}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", i.Target(), err)
	}
	return response, nil
}

// ReadMetrics has read read the process's metrics, for MetricsTimeout at most.
func (i *Instance) ReadMetrics(ctx context.Context, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, MetricsTimeout)
	defer cancel()
	response, err := i.Metrics(ctx)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", i.Target(), response.Status)
	}
	if err := read(response.Body); err != nil {
		return fmt.Errorf("read the metrics of %s: %w", i.Target(), err)
	}
	return nil
}

// tellTimeout is how long a process is waited for that is told something.
const tellTimeout = 3 * time.Second

// Tell sends something to the process, at a path of its socket, and returns when it was taken. One that does not run is prepared
// anew at its next start, and has it from there.
func (i *Instance) Tell(ctx context.Context, path string, what any) error {
	if !i.Outdate() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	if err := tell.Send(ctx, i.Socket, path, what); err != nil {
		return fmt.Errorf("%s does not answer as it should: %w", i.Target(), err)
	}
	return nil
}

// CopyFamilies copies those families of a text in Prometheus' format that are wanted.
func CopyFamilies(to io.Writer, from io.Reader, wanted func(family string) bool) error {
	lines, out := bufio.NewReaderSize(from, 64<<10), bufio.NewWriterSize(to, 64<<10)
	take := false
	for {
		line, err := lines.ReadSlice('\n')
		for _, begin := range []string{"# HELP ", "# TYPE "} { // a family has the one, the other or both
			if rest, found := bytes.CutPrefix(line, []byte(begin)); found {
				family, _, _ := bytes.Cut(rest, []byte(" "))
				take = wanted(string(family))
			}
		}
		if take {
			out.Write(line) // an error shows at the flush
		}
		switch {
		case err == io.EOF:
			return out.Flush()
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

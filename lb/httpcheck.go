package lb

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// exchangeTimeout bounds one request of a health check. It is longer than the check itself waits: a paused process
// keeps one request in its queue, and answers it as soon as it is resumed, rather than find hundreds of dead
// connections there.
const exchangeTimeout = 10 * time.Second

// maxAnswer is how much of an answer's body is read, in bytes.
const maxAnswer = 64 << 10

// AnswerError is the error of a health check that was answered, but not with 200.
type AnswerError struct {
	Code int    // HTTP status
	Body string // the beginning of the answer
}

func (e *AnswerError) Error() string {
	s := fmt.Sprintf("answers the health check with %d", e.Code)
	if e.Body != "" {
		s += ": " + e.Body
	}
	return s
}

// HTTPCheck returns a health check for Config.Check that asks for a path with GET, over one connection per target that
// it keeps open, and wants 200. A nil tlsConfig means plain HTTP. The host is sent as the Host header, and is the name
// that the certificate is verified against unless tlsConfig has a ServerName. Each balancer needs a check of its own.
//
// An answer other than 200 is an *AnswerError. A nil dial means net.Dialer.
func HTTPCheck(tlsConfig *tls.Config, path, host string, dial func(context.Context, Target) (net.Conn, error)) func(context.Context,
	Target) error {
	if dial == nil {
		dial = func(ctx context.Context, t Target) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, t.Network, t.Address)
		}
	}
	c := &httpCheck{dial: dial,
		request: []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: tripod-lb\r\nAccept: */*\r\n\r\n"),
		lines:   make(map[Target]*line),
	}
	if tlsConfig != nil {
		c.tls = tlsConfig.Clone()
		c.tls.NextProtos = []string{"http/1.1"}
		if c.tls.ServerName == "" {
			c.tls.ServerName = host
			if name, _, err := net.SplitHostPort(host); err == nil {
				c.tls.ServerName = name
			}
		}
	}
	return c.check
}

// httpCheck writes its requests by hand: a region asks some times a second, all day.
type httpCheck struct {
	request []byte
	tls     *tls.Config // nil for plain HTTP
	dial    func(context.Context, Target) (net.Conn, error)

	mu    sync.Mutex
	lines map[Target]*line
}

func (c *httpCheck) check(ctx context.Context, t Target) error {
	if err := ctx.Err(); err != nil {
		c.forget(t)
		return err
	}
	l := c.line(t)
	if l.pending == nil {
		l.pending = make(chan error, 1)
		go l.exchange(l.pending)
	}
	select {
	case err := <-l.pending:
		l.pending = nil
		return err
	case <-ctx.Done():
		return ctx.Err() // the next check waits for the same answer
	}
}

func (c *httpCheck) line(t Target) *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lines[t]
	if l == nil {
		l = &line{check: c, target: t}
		l.ctx, l.cancel = context.WithCancel(context.Background())
		c.lines[t] = l
	}
	return l
}

// forget closes what is open to a target, and waits for the request under way.
func (c *httpCheck) forget(t Target) {
	c.mu.Lock()
	l := c.lines[t]
	delete(c.lines, t)
	c.mu.Unlock()
	if l == nil {
		return
	}
	l.cancel() // closes the connection, too
	if l.pending != nil {
		<-l.pending
	}
}

// line is the connection to one target. One check at a time uses it, and one exchange at a time.
type line struct {
	check   *httpCheck
	target  Target
	ctx     context.Context
	cancel  context.CancelFunc
	pending chan error // the exchange under way; nil if there is none

	conn   net.Conn // nil when there is none
	reader *bufio.Reader
	hangUp func() bool // stops conn being closed by cancel
}

// exchange does one request, and once more over a new connection if the server had closed the one that was kept.
func (l *line) exchange(result chan<- error) {
	kept := l.conn != nil
	answered, err := l.roundTrip()
	if kept && !answered && err != nil && classify(err) != failSilent {
		_, err = l.roundTrip()
	}
	result <- err
}

// roundTrip leaves the connection open only if it can be used again.
func (l *line) roundTrip() (answered bool, err error) {
	if l.conn == nil {
		if err := l.open(); err != nil {
			return false, err
		}
	}
	keep := false
	defer func() {
		if !keep {
			l.close()
		}
	}()
	if err := l.conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return false, err
	}
	if _, err := l.conn.Write(l.check.request); err != nil {
		return false, err
	}
	if _, err := l.reader.Peek(1); err != nil {
		return false, err
	}
	response, err := http.ReadResponse(l.reader, nil)
	if err != nil {
		return true, err
	}
	defer func() { _ = response.Body.Close() }()
	body := &io.LimitedReader{R: response.Body, N: maxAnswer}
	var beginning []byte
	if response.StatusCode != http.StatusOK {
		if beginning, err = io.ReadAll(io.LimitReader(body, 256)); err != nil {
			return true, err
		}
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return true, err
	}
	keep = !response.Close && body.N > 0
	if response.StatusCode != http.StatusOK {
		line, _, _ := strings.Cut(strings.TrimSpace(string(beginning)), "\n")
		return true, &AnswerError{Code: response.StatusCode, Body: line}
	}
	return true, nil
}

func (l *line) open() error {
	ctx, cancel := context.WithTimeout(l.ctx, exchangeTimeout)
	defer cancel()
	conn, err := l.check.dial(ctx, l.target)
	if err != nil {
		return err
	}
	if l.check.tls != nil {
		secure := tls.Client(conn, l.check.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return err
		}
		conn = secure
	}
	l.conn = conn
	l.hangUp = context.AfterFunc(l.ctx, func() { _ = conn.Close() })
	if l.reader == nil {
		l.reader = bufio.NewReader(conn)
	} else {
		l.reader.Reset(conn)
	}
	return nil
}

func (l *line) close() {
	if l.conn == nil {
		return
	}
	l.hangUp()
	_ = l.conn.Close()
	l.conn = nil
}

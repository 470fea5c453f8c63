package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"tripod/region"
)

// health is what a target's checks have come to.
type health struct {
	state  region.TargetHealth // initial until the first verdict
	inARow int                 // checks that ended like the last one
	passed bool                // the last one
	told   region.TargetReport // as last reported
}

// passes says whether the target gets new clients.
func (h health) passes() bool {
	return h.state == region.TargetHealthy || h.state == region.TargetUnavailable
}

// failure is a check that failed, as DescribeTargetHealth tells it.
type failure struct{ reason, description string }

// watch checks a target until ctx ends.
func (m *member) watch(ctx context.Context) {
	m.note(m.verdictNow(region.TargetInitial, region.ReasonFirstChecks, ""))
	for ctx.Err() == nil {
		group, target := *m.pool.now(), m.now()
		again := time.Duration(group.Check.Interval) * time.Second
		switch {
		case !group.Check.Enabled:
			m.note(m.verdictNow(region.TargetUnavailable, region.ReasonChecksAreOff, ""))
		case target.Lost != "":
			m.judge(group.Check, &failure{region.ReasonTimeout, ""}, true)
		default:
			failed := m.pool.node.check(ctx, group, target)
			if ctx.Err() != nil {
				return
			}
			if settled := m.judge(group.Check, failed, false); !settled && m.pool.node.options.Hurry > 0 {
				again = min(again, m.pool.node.options.Hurry)
			}
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-m.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// judge counts a check. known says that nothing has to be counted: that the target answers nobody was told. settled is
// false while somebody waits for the target to become healthy.
func (m *member) judge(check region.HealthCheck, failed *failure, known bool) (settled bool) {
	m.mu.Lock()
	h := &m.health
	if passed := failed == nil; passed != h.passed || h.inARow == 0 {
		h.passed, h.inARow = passed, 0
	}
	h.inARow++
	state, run := h.state, h.inARow
	m.mu.Unlock()
	switch {
	case failed == nil && state == region.TargetHealthy, failed != nil && state == region.TargetUnhealthy && !known:
		return failed == nil
	case failed == nil && (run >= check.Healthy || state == region.TargetInitial || state == region.TargetUnavailable):
		m.note(m.verdictNow(region.TargetHealthy, "", ""))
		return true
	case failed != nil && (known || run >= check.Unhealthy):
		m.note(m.verdictNow(region.TargetUnhealthy, failed.reason, failed.description))
		m.cut()
	case failed != nil && state == region.TargetHealthy:
		return true // one check that failed says nothing yet: the next one comes in its time
	}
	return false
}

func (m *member) verdictNow(state region.TargetHealth, reason, description string) region.TargetReport {
	t := m.now()
	return region.TargetReport{Group: t.Group, ID: t.ID, Port: t.Port, Zone: m.pool.node.options.Zone, State: state,
		Reason: reason, Description: description, Since: m.pool.node.options.Now().UTC()}
}

// note has a verdict count, and tells of it where it is another one than before.
func (m *member) note(r region.TargetReport) {
	m.mu.Lock()
	if m.health.state != "" && r.State == region.TargetInitial { // it is checked again, not for the first time
		m.mu.Unlock()
		return
	}
	if m.health.state != r.State {
		defer m.pool.changes.Add(1)
	}
	m.health.state = r.State
	told := m.health.told
	told.Since = r.Since
	changed := told != r
	if changed {
		m.health.told = r
	}
	m.mu.Unlock()
	if changed {
		m.pool.node.options.Report(r)
	}
}

// cut ends the connections to a target that became unhealthy, where its group says so: those of network load balancers.
func (m *member) cut() {
	if m.pool.attribute("target_health_state.unhealthy.connection_termination.enabled") != "true" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for f := range m.flows {
		f.reset()
	}
}

// check asks a target once; nil: it passes.
func (n *Node) check(ctx context.Context, group region.TargetGroup, t Target) *failure {
	c := group.Check
	if port, err := strconv.Atoi(c.Port); err == nil {
		t.Address, t.Port = netip.AddrPortFrom(t.Address.Addr(), uint16(port)), port
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(c.Timeout, 1))*time.Second)
	defer cancel()
	var err error
	switch protocol := strings.ToUpper(c.Protocol); protocol {
	case "HTTP", "HTTPS":
		err = n.checkHTTP(ctx, group, t, strings.ToLower(protocol))
	default:
		err = n.checkTCP(ctx, t, protocol == "SSL" || protocol == "TLS")
	}
	var wrong *wrongCode
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return &failure{region.ReasonWrongCode, fmt.Sprintf("Health checks failed with these codes: [%s]", wrong.code)}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &failure{reason: region.ReasonTimeout}
	}
	return &failure{reason: region.ReasonFailedChecks}
}

func (n *Node) checkTCP(ctx context.Context, t Target, speaksTLS bool) error {
	conn, err := n.dial(ctx, netip.AddrPort{}, t)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !speaksTLS {
		return nil
	}
	return tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) // as on AWS: nobody's name is asked for
}

// wrongCode is the status of an answer that does not pass.
type wrongCode struct{ code string }

func (w *wrongCode) Error() string { return "the health check was answered " + w.code }

// checkHTTP makes one request on a connection of its own.
func (n *Node) checkHTTP(ctx context.Context, group region.TargetGroup, t Target, scheme string) error {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return n.dial(ctx, netip.AddrPort{}, t)
		}}
	defer transport.CloseIdleConnections()
	speaks(transport, group.Version)
	path, method := group.Check.Path, http.MethodGet
	if path == "" {
		path = "/"
	}
	var body io.Reader = http.NoBody
	if group.Version == "GRPC" {
		method, body = http.MethodPost, strings.NewReader("\x00\x00\x00\x00\x00") // an empty message
	}
	host := t.Address.String()
	if t.isBalancer() {
		host = "target"
	}
	request, err := http.NewRequestWithContext(ctx, method, scheme+"://"+host+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	if group.Version == "GRPC" {
		request.Header.Set("Content-Type", "application/grpc")
		request.Header.Set("TE", "trailers")
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	code := strconv.Itoa(response.StatusCode)
	if group.Version == "GRPC" {
		if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, mostCheckBody)); err != nil {
			return err
		}
		code = response.Trailer.Get("Grpc-Status")
		if code == "" {
			code = response.Header.Get("Grpc-Status")
		}
	}
	if !passesCode(code, group) {
		return &wrongCode{code}
	}
	return nil
}

const mostCheckBody = 64 << 10 // bytes of an answer to a check that are read

// passesCode says whether a status is among those of the group's matcher, such as "200,202" or "200-299".
func passesCode(code string, group region.TargetGroup) bool {
	matcher := group.Check.Codes
	if matcher == "" {
		matcher = "200"
		if group.Version == "GRPC" {
			matcher = "12"
		}
	}
	got, err := strconv.Atoi(code)
	if err != nil {
		return false
	}
	for part := range strings.SplitSeq(matcher, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		low, err1 := strconv.Atoi(first)
		high, err2 := strconv.Atoi(last)
		if err1 == nil && err2 == nil && low <= got && got <= high {
			return true
		}
	}
	return false
}

package node

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tripod/region"
)

// access is what an access log says of a request beside what its exchange knows.
type access struct {
	began, sent, answered time.Time // zero: it did not come to that
	status                int       // of the target; 0: none
	priority              int       // of the rule that applied; -1: none could
	actions               []string
	redirect              string
	gone                  bool // the client was, before the answer
	received              atomic.Int64
}

// dash is what stands for what is not there.
const dash = "-"

// statusClientGone is what ELB logs where the client has closed its connection.
const statusClientGone = 460

// logging has the exchange be written to its load balancer's access log when it is over: by the function that it returns.
// Without a log it costs nothing.
func (x *exchange) logging(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, func()) {
	if !x.carried.logs {
		return w, func() {}
	}
	x.access = &access{began: x.door.node.options.Now(), priority: -1}
	seen := &watched{ResponseWriter: w}
	uri, host, header := r.RequestURI, r.Host, r.Header.Clone()
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &measured{r.Body, x.access}
	}
	return seen, func() {
		x.access.received.Add(sizeOf(header) + int64(len(r.Method)+len(uri)+len(host)+len("  HTTP/1.1\r\nHost: \r\n\r\n")))
		x.door.node.options.Access(x.carried.balancer.LoadBalancer, x.line(r, seen, uri, header))
	}
}

// line is the exchange in the form of an access log, as its documentation has the fields, in their order.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html
func (x *exchange) line(r *http.Request, seen *watched, uri string, header http.Header) string {
	a, l := x.access, &x.carried.listener
	now := x.door.node.options.Now()
	status := seen.status
	if a.gone && status == 0 {
		status = statusClientGone
	}
	target, targetStatus, group := dash, dash, dash
	if x.asked != nil {
		target, group = x.asked.at(), x.group
	}
	if a.status != 0 {
		targetStatus = strconv.Itoa(a.status)
	}
	cipher, protocol, domain, chosen := dash, dash, dash, dash
	if r.TLS != nil {
		cipher, protocol = opensslCipher(r.TLS.CipherSuite), tlsVersion(r.TLS.Version)
		domain, chosen = orDash(r.TLS.ServerName), orDash(x.carried.chosen(r.TLS.ServerName))
	}
	host, _ := hostAndPort(r.Host)
	request := fmt.Sprintf("%s %s://%s:%d%s %s", r.Method, x.scheme, host, l.Port, uri, r.Proto)
	transformedHost, transformedURI, transformed := dash, dash, dash
	if len(x.transforms) > 0 {
		transformed = "TransformSuccess"
		transformedHost, transformedURI = orDash(x.toHost), orDash(x.toURI)
	}
	fields := []string{
		x.kind(r, header), stamp(now), strings.TrimPrefix(x.carried.balancer.Path(), "/"), x.client.String(), target,
		seconds(a.began, a.sent), seconds(a.sent, a.answered), seconds(a.answered, seen.began), strconv.Itoa(status), targetStatus,
		strconv.FormatInt(a.received.Load(), 10), strconv.FormatInt(seen.bytes, 10), quoted(request), quoted(orDash(header.Get("User-Agent"))),
		cipher, protocol, group, quoted(orDash(r.Header.Get("X-Amzn-Trace-Id"))), quoted(domain), quoted(chosen),
		strconv.Itoa(a.priority), stamp(a.began), quoted(orDash(strings.Join(a.actions, ","))), quoted(orDash(a.redirect)), quoted(dash),
		quoted(target), quoted(targetStatus), quoted(dash), quoted(dash), connTrace(r.Context()),
		quoted(transformedHost), quoted(transformedURI), quoted(transformed),
	}
	return strings.Join(fields, " ")
}

// kind is the type of a request: http, https, h2, grpcs, ws or wss.
func (x *exchange) kind(r *http.Request, header http.Header) string {
	switch {
	case strings.EqualFold(header.Get("Upgrade"), "websocket"):
		return map[string]string{"http": "ws", "https": "wss"}[x.scheme]
	case r.ProtoMajor == 2 && strings.HasPrefix(header.Get("Content-Type"), "application/grpc"):
		return "grpcs"
	case r.ProtoMajor == 2:
		return "h2"
	}
	return x.scheme
}

// chosen is the ARN of the certificate that a client got who named that server.
func (c *carried) chosen(server string) string {
	l := &c.listener
	if len(l.Shown) != len(l.Certificates) { // one is not issued yet
		return ""
	}
	for i := range l.Shown {
		if leaf := l.Shown[i].Leaf; server != "" && leaf != nil && leaf.VerifyHostname(server) == nil {
			return l.Certificates[i]
		}
	}
	if len(l.Certificates) == 0 {
		return ""
	}
	return l.Certificates[0]
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// seconds is how long something took, to the millisecond; -1 where it did not come to its end.
func seconds(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return "-1"
	}
	return strconv.FormatFloat(max(0, to.Sub(from).Seconds()), 'f', 3, 64)
}

func orDash(text string) string {
	if text == "" {
		return dash
	}
	return text
}

// mostLogged is how much of a field is kept.
const mostLogged = 8 << 10

// quoted is a field in quotation marks, which nothing in it ends.
func quoted(text string) string {
	if len(text) > mostLogged {
		text = text[:mostLogged]
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		if c := text[i]; c == '"' || c == '\\' || c < ' ' || c >= 0x7f {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// tlsVersion and opensslCipher are as OpenSSL has them, which ELB's headers and logs follow.
func tlsVersion(version uint16) string {
	return "TLSv" + strings.TrimPrefix(tls.VersionName(version), "TLS ")
}

func opensslCipher(id uint16) string {
	name := tls.CipherSuiteName(id)
	if rest, found := strings.CutPrefix(name, "TLS_"); found && strings.Contains(rest, "_WITH_") { // those of TLS 1.3 have their own
		rest = strings.NewReplacer("_WITH_", "_", "AES_128", "AES128", "AES_256", "AES256", "POLY1305_SHA256", "POLY1305",
			"3DES_EDE_CBC_SHA", "DES-CBC3-SHA", "_CBC_", "_").Replace(rest)
		name = strings.ReplaceAll(strings.TrimPrefix(rest, "RSA_AES"), "_", "-")
		if strings.HasPrefix(rest, "RSA_AES") { // OpenSSL leaves the key exchange out
			name = "AES" + name
		}
	}
	return name
}

// sizeOf is about how many bytes headers take, as HTTP/1.1 writes them.
func sizeOf(h http.Header) (n int64) {
	for name, values := range h {
		for _, value := range values {
			n += int64(len(name) + len(value) + len(": \r\n"))
		}
	}
	return n
}

// watched notes what is answered.
type watched struct {
	http.ResponseWriter
	status int
	began  time.Time
	bytes  int64
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader is http.ResponseWriter's.
func (w *watched) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status, w.began = status, time.Now()
		w.bytes += sizeOf(w.Header()) + int64(len("HTTP/1.1 200 OK\r\n\r\n"))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// measured counts the bytes of a request's body.
type measured struct {
	io.ReadCloser
	*access
}

// Read is io.Reader's.
func (m *measured) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.received.Add(int64(n)) // which may be read while the answer is there already
	return n, err
}

// connKey is the context's key of a client connection's trace id, which is made when the first line tells it.
type connKey struct{}

func withTrace(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, sync.OnceValue(func() string {
		var random [16]byte
		rand.Read(random[:])
		return "TID_" + hex.EncodeToString(random[:])
	}))
}

func connTrace(ctx context.Context) string {
	if trace, ok := ctx.Value(connKey{}).(func() string); ok {
		return trace()
	}
	return dash
}

// noted has the access log know of an action.
func (x *exchange) noted(a region.RuleAction) {
	if x.access != nil {
		x.access.actions = append(x.access.actions, a.Type)
	}
}

package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tripod/nodes/network"
	"tripod/region"
)

var (
	errNoCertificate = errors.New("the listener has no certificate")
	errNoTarget      = errors.New("the target group has no target that can be connected to")
)

// flushAfter is how long a part of an answer of known length may wait for more of it: to send each header by itself costs a
// quarter more. Answers of no known length are not waited with.
const flushAfter = 10 * time.Millisecond

const mostHeader = 64 << 10 // bytes, as AWS has it

// serveHTTP has the door carry requests.
func (d *door) serveHTTP() {
	feed := network.NewFeed(&net.TCPAddr{})
	open, end := context.WithCancel(context.Background())
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(d.tls != nil)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { exchangeOf(r.In.Context()).rewrite(r) },
		Transport: requests{},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			exchangeOf(r.Context()).failed(w, r, err)
		},
		ModifyResponse: func(r *http.Response) error {
			exchangeOf(r.Request.Context()).stick(r)
			return nil
		},
		BufferPool: &buffers, ErrorLog: log.New(logged{d.node}, "", 0), FlushInterval: flushAfter}
	server := &http.Server{Protocols: protocols, TLSConfig: d.tls, MaxHeaderBytes: mostHeader, ReadHeaderTimeout: time.Minute,
		IdleTimeout: time.Minute, ConnContext: withTrace, BaseContext: func(net.Listener) context.Context { return open },
		ErrorLog: log.New(logged{d.node}, "", 0),
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.answer(w, r, proxy) })}
	d.node.wait.Go(func() {
		if d.tls != nil {
			server.ServeTLS(feed, "", "")
			return
		}
		server.Serve(feed)
	})
	d.enter = func(conn net.Conn) bool {
		go feed.Hand(&counted{Conn: conn, open: &d.node.open}) // closes it once the door is shut
		return true
	}
	d.close = func() {
		feed.Close()
		end() // what was upgraded is no connection of the server's any more
		server.Close()
	}
}

// counted is a connection that counts itself out when it is closed.
type counted struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

// Close is net.Conn's.
func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// logged makes debug records of what Go's server and proxy log: clients' faults, mostly.
type logged struct{ node *Node }

func (l logged) Write(line []byte) (int, error) {
	l.node.options.Logger.Debug("load balancer", "log", strings.TrimSpace(string(line)))
	return len(line), nil
}

// buffers are those that bodies are copied by.
var buffers bufferPool

type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte {
	if buffer, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buffer[:]
	}
	return new([32 << 10]byte)[:]
}

func (b *bufferPool) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }

// exchange is a request that is under way.
type exchange struct {
	carried *carried
	door    *door
	pool    *pool
	member  *member // that has answered, or was tried last: see turnTo
	cancel  context.CancelCauseFunc
	client  netip.AddrPort
	scheme  string

	transforms []region.RuleTransform
	forward    *region.ForwardAction
	group      string // ARN

	// What the access log tells, where there is one.
	access        *access
	asked         *member // the target that it was sent to last
	toHost, toURI string  // as they were rewritten
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// answer does with a request what the listener's rules say.
func (d *door) answer(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	remote, _ := netip.ParseAddrPort(r.RemoteAddr)
	x := &exchange{carried: d.carries.Load(), door: d, client: d.node.seen(net.TCPAddrFromAddrPort(remote)), scheme: "http"}
	if d.tls != nil {
		x.scheme = "https"
	}
	w, written := x.logging(w, r)
	defer written()
	if before := r.Header["X-Forwarded-For"]; len(before) > 0 && strings.Count(strings.Join(before, ","), ",") >= mostForwarded {
		x.page(w, statusTooManyForwarded)
		return
	}
	actions, transforms, priority := actionsFor(&x.carried.listener, r, x.client.Addr())
	x.transforms = transforms
	if x.access != nil {
		x.access.priority = priority
	}
	for _, a := range actions {
		x.noted(a)
		switch {
		case a.Type == region.ActionForward && a.Forward != nil:
			x.forwardTo(w, r, a.Forward, proxy)
			return
		case a.Type == region.ActionRedirect && a.Redirect != nil:
			x.redirect(w, r, *a.Redirect)
			return
		case a.Type == region.ActionFixedResponse && a.Fixed != nil:
			x.fixed(w, a.Fixed)
			return
		default: // to let everybody in where nobody is to come in unknown would be worse than to refuse all
			x.page(w, http.StatusNotImplemented)
			return
		}
	}
	x.page(w, http.StatusServiceUnavailable)
}

// mostForwarded is how many addresses X-Forwarded-For may have; with more, AWS answers 463.
const (
	mostForwarded          = 30
	statusTooManyForwarded = 463
)

func (x *exchange) redirect(w http.ResponseWriter, r *http.Request, a region.RedirectAction) {
	port := x.carried.listener.Port
	if _, named := hostAndPort(r.Host); named != "" {
		if n, err := strconv.Atoi(named); err == nil {
			port = n // the one that leads here, which need not be the listener's number on this machine
		}
	}
	to := redirection(a, r, x.scheme, port)
	if x.access != nil {
		x.access.redirect = to
	}
	w.Header().Set("Location", to)
	x.page(w, a.Status)
}

func (x *exchange) fixed(w http.ResponseWriter, a *region.FixedResponse) {
	x.dress(w.Header())
	if a.ContentType != "" {
		w.Header().Set("Content-Type", a.ContentType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(a.Status)
	w.Write([]byte(a.Body))
}

// reasons are the words of statuses that net/http has none for.
var reasons = map[int]string{statusTooManyForwarded: "Bad Request", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}

// page answers as the load balancer itself does.
func (x *exchange) page(w http.ResponseWriter, status int) {
	reason := reasons[status]
	if reason == "" {
		reason = http.StatusText(status)
	}
	title := fmt.Sprintf("%d %s", status, reason)
	x.dress(w.Header())
	w.Header().Set("Content-Type", "text/html")
	body := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n</body>\r\n</html>\r\n"
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write([]byte(body))
}

// dress sets the headers of answers that are the load balancer's own, and those that the listener adds.
func (x *exchange) dress(h http.Header) {
	if !x.carried.nameless {
		h.Set("Server", "awselb/2.0")
	}
	x.addHeaders(h)
}

func (x *exchange) addHeaders(h http.Header) {
	if len(x.carried.listener.Attributes) == 0 {
		return
	}
	for _, name := range region.ResponseHeaders {
		if value := x.carried.listener.Attributes["routing.http.response."+name+".header_value"]; value != "" {
			h.Set(strings.ReplaceAll(name, "_", "-"), value)
		}
	}
}

// forwardTo has a target of one of the groups answer.
func (x *exchange) forwardTo(w http.ResponseWriter, r *http.Request, a *region.ForwardAction, proxy http.Handler) {
	x.forward = a
	x.group = stickyGroup(a, r)
	if x.group == "" {
		x.group = weighted(a.Groups)
	}
	x.pool = x.carried.pools[x.group]
	if x.pool == nil || x.pool.transport == nil {
		x.page(w, http.StatusServiceUnavailable)
		return
	}
	if r.Header.Get("X-Amzn-Trace-Id") == "" {
		r.Header.Set("X-Amzn-Trace-Id", "Root="+traceID(x.door.node.options.Now()))
	}
	defer x.turnTo(nil)
	if isPlain(r, x.pool) {
		x.carryPlain(w, r)
		return
	}
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), exchangeKey{}, x))
	defer cancel(nil)
	x.cancel = cancel
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// traceID is one of X-Ray's form: 1, the time in seconds and 96 bits, in hex digits.
func traceID(now time.Time) string {
	var random [12]byte
	rand.Read(random[:])
	id := append(make([]byte, 0, 35), "1-"...)
	id = hex.AppendEncode(id, binary.BigEndian.AppendUint32(nil, uint32(now.Unix())))
	return string(hex.AppendEncode(append(id, '-'), random[:]))
}

// rewrite makes the request to the target of that which came.
func (x *exchange) rewrite(r *httputil.ProxyRequest) {
	out, b := r.Out, &x.carried.balancer
	out.URL.Scheme, out.URL.Host = "http", "target"
	if x.pool.now().Protocol == "HTTPS" {
		out.URL.Scheme = "https"
	}
	out.URL.RawQuery = r.In.URL.RawQuery // ReverseProxy has cleaned it, which a load balancer does not
	transform(x.transforms, out)
	if x.access != nil && len(x.transforms) > 0 {
		x.toHost, x.toURI = out.Host, out.URL.RequestURI()
	}
	from := x.client.Addr().Unmap().String()
	if b.Attribute("routing.http.xff_client_port.enabled") == "true" {
		from = x.client.String()
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-Host"} { // the load balancer leaves them alone
		if values := r.In.Header.Values(name); len(values) > 0 {
			out.Header[name] = values
		}
	}
	before := strings.Join(r.In.Header.Values("X-Forwarded-For"), ", ")
	switch b.Attribute("routing.http.xff_header_processing.mode") {
	case "preserve":
		if before != "" {
			out.Header.Set("X-Forwarded-For", before)
		}
	case "remove":
	default:
		if before != "" {
			from = before + ", " + from
		}
		out.Header.Set("X-Forwarded-For", from)
	}
	out.Header.Set("X-Forwarded-Proto", x.scheme)
	out.Header.Set("X-Forwarded-Port", itoa(x.carried.listener.Port))
	if b.Attribute("routing.http.x_amzn_tls_version_and_cipher_suite.enabled") == "true" && r.In.TLS != nil {
		out.Header.Set("X-Amzn-Tls-Version", tlsVersion(r.In.TLS.Version))
		out.Header.Set("X-Amzn-Tls-Cipher-Suite", opensslCipher(r.In.TLS.CipherSuite))
	}
	if b.Attribute("routing.http.drop_invalid_header_fields.enabled") == "true" {
		for name := range out.Header {
			if strings.ContainsFunc(name, func(c rune) bool {
				return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
			}) {
				delete(out.Header, name)
			}
		}
	}
	if r.In.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "") // else Go adds its own
	}
}

// failed answers for a target that has not.
func (x *exchange) failed(w http.ResponseWriter, r *http.Request, err error) {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errIdle):
		x.page(w, http.StatusGatewayTimeout)
	case r.Context().Err() != nil: // the client has gone
		if x.access != nil {
			x.access.gone = true
		}
		panic(http.ErrAbortHandler)
	case errors.Is(err, errNoTarget) && x.member == nil:
		x.page(w, http.StatusServiceUnavailable)
	case errors.As(err, &timeout) && timeout.Timeout():
		x.page(w, http.StatusGatewayTimeout)
	default:
		x.page(w, http.StatusBadGateway)
	}
	x.door.node.options.Logger.Debug("a target has not answered", "balancer", x.carried.balancer.Name, "error", err)
}

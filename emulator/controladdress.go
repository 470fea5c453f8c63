package emulator

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"tripod/api"
	"tripod/internal/pki"
)

// What a caller of the control address may cost.
const (
	mostBody        = 64 << 10 // bytes of a request; the control socket has this limit too
	mostConnections = 256
	bodyTime        = 10 * time.Second // for a whole request's body
	writeTime       = 30 * time.Second // for each write of an answer: whoever reads nothing is let go
	idleTime        = time.Minute
)

// tokenFile holds, in the data directory, what callers of the control address must show. Whoever can read it can do all that the
// region's user can.
const tokenFile = "control-token"

// startAddress serves the control API on a port of loopback where the user asked for that.
func (c *control) startAddress() error {
	site := c.region.site
	if site.options.ControlAddress == "" {
		return nil
	}
	address, err := netip.ParseAddrPort(site.options.ControlAddress)
	if err != nil || !address.Addr().IsLoopback() {
		return fmt.Errorf("the control API is served on loopback only, not on %s: use --control-address 127.0.0.1:PORT",
			site.options.ControlAddress)
	}
	token, err := c.region.dir.token(tokenFile)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		return fmt.Errorf("cannot serve the control API on %s: %w", address, err)
	}
	site.options.ControlAddress = listener.Addr().String() // no zone is there yet that would read it
	door := &controlDoor{next: c.handler(), file: tokenFile, token: sha256.Sum256([]byte(token)),
		port: listener.Addr().(*net.TCPAddr).Port}
	c.address = &http.Server{Handler: door, ConnState: door.count, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: idleTime,
		MaxHeaderBytes: 16 << 10}
	c.serving.Go(func() { c.address.Serve(listener) })
	return nil
}

// token reads the token in a file, or makes one where there is none. It stays the same over starts, until somebody deletes it.
func (d *dataDir) token(name string) (string, error) {
	path := d.file(name)
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		token := rand.Text() + rand.Text()
		return token, diskError(d.path, pki.WriteDurable(path, []byte(token+"\n")))
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the token: %w: delete %s, and start again", cause(err), path)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(file, 1<<10))
	token := strings.TrimSpace(string(text))
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case err != nil || !info.Mode().IsRegular() || ok && int(stat.Uid) != os.Getuid():
		return "", fmt.Errorf("%s is no file of yours: delete it, and start again", path)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("others may have read the token (mode %04o): delete %s, and start again",
			info.Mode().Perm(), path)
	case len(token) < 32:
		return "", fmt.Errorf("the token has %d characters, and 32 are the least: delete %s, and start again",
			len(token), path)
	}
	return token, nil
}

// controlDoor admits the region's user to the control API, or to its metrics, on a port that everybody on the machine reaches, and pages
// in browsers too.
type controlDoor struct {
	next        http.Handler
	file        string // in the data directory, with the token
	token       [sha256.Size]byte
	port        int
	connections atomic.Int64
}

// count closes connections beyond mostConnections. Those that were handed over to a cluster's network do not count any more.
func (d *controlDoor) count(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if d.connections.Add(1) > mostConnections {
			conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		d.connections.Add(-1)
	}
}

func (d *controlDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	timed := &timedWriter{w, http.NewResponseController(w)}
	if status, err := d.check(r); err != nil {
		timed.Header().Set("Connection", "close") // what is left of the body is not read
		if status == http.StatusUnauthorized {
			timed.Header().Set("WWW-Authenticate", "Bearer")
		}
		writeJSON(timed, status, api.Refused{Error: err.Error()})
		return
	}
	timed.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(timed, r.Body, mostBody))
	timed.SetReadDeadline(time.Time{})
	if err != nil {
		timed.Header().Set("Connection", "close")
		writeJSON(timed, http.StatusRequestEntityTooLarge, api.Refused{
			Error: fmt.Sprintf("the request's body has more than %d bytes, or did not come within %v", mostBody, bodyTime)})
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.next.ServeHTTP(timed, r)
}

// check says whether a request is the region's user's. A page that has had its own name lead here (DNS rebinding) shows by its Host,
// and one that asks from elsewhere by its Origin, which programs do not send.
func (d *controlDoor) check(r *http.Request) (status int, err error) {
	shown, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(shown))
	switch {
	case !d.isHost(r.Host):
		return http.StatusForbidden, fmt.Errorf("the Host of the request is %q: use 127.0.0.1:%d or localhost:%[2]d", r.Host, d.port)
	case len(r.Header.Values("Origin")) > 0:
		return http.StatusForbidden, errors.New("the request has an Origin, as those of pages in browsers have: the control API takes none of " +
			"these")
	case !isBearer || subtle.ConstantTimeCompare(sum[:], d.token[:]) != 1:
		return http.StatusUnauthorized, fmt.Errorf("show the token of the file %s in the region's data directory: Authorization: Bearer "+
			"TOKEN", d.file)
	}
	return 0, nil
}

func (d *controlDoor) isHost(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil || port != strconv.Itoa(d.port) {
		return false
	}
	address, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && address.IsLoopback()
}

// timedWriter gives each write of an answer its time.
type timedWriter struct {
	http.ResponseWriter
	*http.ResponseController
}

func (t *timedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *timedWriter) WriteHeader(status int) {
	t.SetWriteDeadline(time.Now().Add(writeTime))
	t.ResponseWriter.WriteHeader(status)
}

func (t *timedWriter) Write(p []byte) (int, error) {
	t.SetWriteDeadline(time.Now().Add(writeTime))
	return t.ResponseWriter.Write(p)
}

// stopAddress lets the control address go, with the same patience as the socket.
func (c *control) stopAddress(ctx context.Context) {
	if c.address != nil && c.address.Shutdown(ctx) != nil {
		c.address.Close()
	}
}

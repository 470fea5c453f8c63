package emulator

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// mostHello is how much of a client is read for its name.
const mostHello = 16 << 10

// nameOf is the host that a client wants, by its TLS ClientHello or its HTTP request, in lower case; empty: it does not
// say. read is what was read for that.
func nameOf(conn net.Conn, within time.Duration) (name string, read []byte) {
	conn.SetReadDeadline(time.Now().Add(within))
	defer conn.SetReadDeadline(time.Time{})
	heard := &heard{Conn: conn}
	var first [1]byte
	if _, err := io.ReadFull(heard, first[:]); err != nil {
		return "", heard.read
	}
	heard.again = heard.read
	const handshake = 22 // TLS's first byte: a record of that type
	if first[0] == handshake {
		tls.Server(heard, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			name = hello.ServerName
			return nil, errHeard
		}}).Handshake()
	} else if r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(heard, mostHello))); err == nil {
		name = r.Host
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			name = host
		}
	}
	return strings.ToLower(strings.TrimSuffix(name, ".")), heard.read
}

var errHeard = errors.New("what was to be heard was heard")

// heard is a connection that keeps what is read of it, and answers nothing.
type heard struct {
	net.Conn
	read  []byte
	again []byte // of read, what is to be read once more
}

func (h *heard) Read(p []byte) (int, error) {
	if len(h.again) > 0 {
		n := copy(p, h.again)
		h.again = h.again[n:]
		return n, nil
	}
	if len(h.read) >= mostHello {
		return 0, io.EOF
	}
	n, err := h.Conn.Read(p[:min(len(p), mostHello-len(h.read))])
	h.read = append(h.read, p[:n]...)
	return n, err
}

func (h *heard) Write(p []byte) (int, error) { return len(p), nil } // a TLS alert is not the client's to see

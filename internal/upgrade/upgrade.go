// Package upgrade makes a raw connection of an HTTP/1.1 request, on both sides: the server answers 101 Switching Protocols, and
// what comes then belongs to whoever asked for it.
package upgrade

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"tripod/internal/link"
)

// protocol is what the connection is called in the Upgrade header.
const protocol = "tcp"

// Take takes the connection of a request over and answers the request. The caller closes the connection.
func Take(w http.ResponseWriter) (net.Conn, error) {
	near, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	near.SetDeadline(time.Time{})
	if _, err := fmt.Fprintf(near, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol); err != nil {
		near.Close()
		return nil, err
	}
	return &conn{near, buffered.Reader}, nil
}

// Ask sends a request on a fresh connection. Where the server answers 101 the connection is returned, else its answer, whose body
// the caller reads and closes. The connection is closed with an error.
func Ask(ctx context.Context, far net.Conn, request *http.Request) (net.Conn, *http.Response, error) {
	stop := context.AfterFunc(ctx, func() { far.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", protocol)
	reader := bufio.NewReader(far)
	err := request.Write(far)
	var response *http.Response
	if err == nil {
		response, err = http.ReadResponse(reader, request)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		far.Close()
		return nil, nil, err
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return &conn{far, reader}, nil, nil
	}
	response.Body = &closing{response.Body, far}
	return nil, response, nil
}

// conn is a connection of which something may have been read already.
type conn struct {
	net.Conn
	reader *bufio.Reader
}

func (c *conn) Read(p []byte) (int, error) { return c.reader.Read(p) }

// CloseWrite ends one direction.
func (c *conn) CloseWrite() error { return link.CloseWrite(c.Conn) }

// closing closes a connection with the body of the only answer on it.
type closing struct {
	io.ReadCloser
	conn net.Conn
}

func (c *closing) Close() error {
	c.conn.Close()
	return nil
}

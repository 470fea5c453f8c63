package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// page is what the target behind all proxies answers: 1 KiB.
var page = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n%s",
	bytes.Repeat([]byte{'x'}, 1024))

// pageServer is a server that answers every request with the page, with as little work as can be: what is measured is what
// stands before it.
type pageServer struct {
	listener net.Listener
	wait     sync.WaitGroup
}

func startPages() (*pageServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &pageServer{listener: l}
	t.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(conn) // ends with its client
		}
	})
	return t, nil
}

func (t *pageServer) port() int { return t.listener.Addr().(*net.TCPAddr).Port }

func (t *pageServer) close() {
	t.listener.Close()
	t.wait.Wait()
}

func answerAll(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		for { // the lines of a request without a body
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
		}
		if _, err := conn.Write(page); err != nil {
			return
		}
	}
}

// visitor is a client on a connection that it keeps.
type visitor struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

func visit(ctx context.Context, address, host string) (*visitor, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &visitor{conn, bufio.NewReader(conn), fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)}, nil
}

var lengthHeader = []byte("content-length:")

// ask sends a request and reads the answer.
func (v *visitor) ask() error {
	v.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := v.conn.Write(v.request); err != nil {
		return err
	}
	line, err := v.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("answered %s", bytes.TrimSpace(line))
	}
	length := -1
	for {
		line, err := v.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if len(line) > len(lengthHeader) && bytes.EqualFold(line[:len(lengthHeader)], lengthHeader) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthHeader):]))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no length")
	}
	_, err = v.in.Discard(length)
	return err
}

// visits are what so many visitors ask for at an address.
type visits struct {
	address, host string
	visitors      int
	length        time.Duration
	every         time.Duration // between two requests of a visitor; 0: as fast as can be
}

// run returns how many requests were answered per second, and how long each took. None may fail.
func (c visits) run(ctx context.Context) (perSecond float64, took []float64, err error) {
	all := make([]*visitor, c.visitors)
	for i := range all {
		if all[i], err = visit(ctx, c.address, c.host); err != nil {
			return 0, nil, err
		}
		defer all[i].conn.Close()
		if err := all[i].ask(); err != nil { // the connection is there, to the target too
			return 0, nil, err
		}
	}
	var wait sync.WaitGroup
	samples, failed := make([][]float64, len(all)), make([]error, len(all))
	begin := time.Now()
	for i, v := range all {
		wait.Go(func() {
			// Visitors take turns; who is late does not hurry, and what was to be asked meanwhile counts as late too.
			due := begin.Add(c.every * time.Duration(i) / time.Duration(len(all)))
			for ctx.Err() == nil && time.Since(begin) < c.length {
				if c.every > 0 {
					time.Sleep(time.Until(due))
				} else {
					due = time.Now()
				}
				if failed[i] = v.ask(); failed[i] != nil {
					return
				}
				samples[i] = append(samples[i], milliseconds(time.Since(due)))
				due = due.Add(c.every)
			}
		})
	}
	wait.Wait()
	elapsed := time.Since(begin)
	for _, s := range samples {
		took = append(took, s...)
	}
	return float64(len(took)) / elapsed.Seconds(), took, errors.Join(append(failed, ctx.Err())...)
}

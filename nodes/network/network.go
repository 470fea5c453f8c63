// Package network is how a connection reaches an address of the simulated VPC: one socket of a zone answers for all
// addresses of its nodes and pods, and whoever dials it says by an HTTP CONNECT request which one is meant.
package network

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"tripod/internal/accept"
)

var (
	// ErrNoAddress is why an address leads nowhere: nobody here has it.
	ErrNoAddress = errors.New("no node and no pod has this address")
	// ErrNotAllowed is why an address that leads to a port of this machine is not connected: the operator has not
	// allowed that port.
	ErrNotAllowed = errors.New("the operator has not allowed it")
	// ErrRefused is why a connection is not made: nobody listens at the port of a node, a pod or a Service.
	ErrRefused = errors.New("connection refused")
)

// Refused is an ErrRefused with a sentence of its own.
func Refused(format string, args ...any) error { return told{fmt.Sprintf(format, args...), ErrRefused} }

// Answer takes a connection over and closes it.
type Answer func(conn net.Conn)

// Handler says who answers at an address, for a client at from (which may be the zero value). Its errors are told to the
// client; ErrNoAddress, ErrNotAllowed, ErrRefused and ErrFiltered are recognised there.
type Handler func(ctx context.Context, from, to netip.AddrPort) (Answer, error)

const (
	askTimeout   = 5 * time.Second
	mostAsking   = 256     // connections that have not said yet what they want
	mostWaiting  = 4096    // connections that have said it, and are not answered yet: a pod's port may be a black hole
	mostQuestion = 4 << 10 // bytes
	answered     = "HTTP/1.1 200 Connection established\r\n\r\n"
	sourceHeader = "X-Forwarded-For"
)

// statuses tell of errors that clients recognise.
var statuses = []struct {
	status int
	err    error
}{{http.StatusNotFound, ErrNoAddress}, {http.StatusForbidden, ErrNotAllowed}, {http.StatusServiceUnavailable, ErrRefused},
	{http.StatusGatewayTimeout, ErrFiltered}}

// Serve answers on l until it is closed, and returns nil then. Connections that were handed over outlive it.
func Serve(l net.Listener, handle Handler) error {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	asking, waiting := make(chan struct{}, mostAsking), make(chan struct{}, mostWaiting)
	err := accept.Each(l, func(conn net.Conn) {
		select {
		case asking <- struct{}{}:
		default:
			conn.Close()
			return
		}
		group.Go(func() {
			heard := sync.OnceFunc(func() { <-asking })
			defer heard()
			answer := ask(ctx, conn, func(ctx context.Context, from, to netip.AddrPort) (Answer, error) {
				select {
				case waiting <- struct{}{}:
					heard()
					defer func() { <-waiting }()
					return handle(ctx, from, to)
				default:
					return nil, fmt.Errorf("%d connections wait already", mostWaiting)
				}
			})
			if answer != nil {
				go answer(conn) // belongs to who has answered
			}
		})
	})
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	return nil
}

// ask reads what a connection wants. Where nobody answers it says why, closes the connection and returns nil.
func ask(ctx context.Context, conn net.Conn, handle Handler) Answer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	answer, err := question(ctx, conn, handle)
	if err == nil && !stop() {
		err = ctx.Err()
	}
	if err == nil {
		_, err = io.WriteString(conn, answered)
	}
	if err == nil {
		return answer
	}
	status := http.StatusBadGateway
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			status = s.status
		}
	}
	sentence := strings.NewReplacer("\r", " ", "\n", " ").Replace(err.Error())
	sentence = sentence[:min(len(sentence), mostQuestion/2)]
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\n\r\n", status, sentence)
	conn.Close()
	return nil
}

func question(ctx context.Context, conn net.Conn, handle Handler) (Answer, error) {
	head, err := readHead(conn)
	if err != nil {
		return nil, err
	}
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return nil, err
	}
	if request.Method != http.MethodConnect {
		return nil, fmt.Errorf("%s is not CONNECT", request.Method)
	}
	to, err := netip.ParseAddrPort(request.Host)
	if err != nil {
		return nil, err
	}
	from, _ := netip.ParseAddrPort(request.Header.Get(sourceHeader))
	return handle(ctx, from, to)
}

// readHead reads up to an empty line and not a byte more: what comes then is for another.
func readHead(r io.Reader) ([]byte, error) {
	var head []byte
	one := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if len(head) >= mostQuestion {
			return nil, errors.New("the head of an HTTP message is too long")
		}
		if _, err := io.ReadFull(r, one); err != nil {
			return nil, err
		}
		head = append(head, one[0])
	}
	return head, nil
}

// Connect asks for an address on a connection to a zone's socket, which leads there when it returns nil. from is the
// client's own address, or the zero value. Among its errors are those that a Handler has.
func Connect(ctx context.Context, conn net.Conn, from, to netip.AddrPort) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	source := ""
	if from.IsValid() {
		source = sourceHeader + ": " + from.String() + "\r\n"
	}
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n%s\r\n", to, source); err != nil {
		return err
	}
	head, err := readHead(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(head), "\r\n")
	version, rest, _ := strings.Cut(line, " ")
	code, sentence, _ := strings.Cut(rest, " ")
	if !strings.HasPrefix(version, "HTTP/1.") {
		return fmt.Errorf("%q is no answer to CONNECT", line)
	}
	if code == "200" {
		return nil
	}
	for _, s := range statuses {
		if code == fmt.Sprint(s.status) {
			return told{sentence, s.err}
		}
	}
	return errors.New(sentence)
}

// told is an error that the other side had: in its words.
type told struct {
	sentence string
	err      error
}

func (t told) Error() string { return t.sentence }
func (t told) Unwrap() error { return t.err }

// Package handover gives accepted connections of one process to another one, by a unix socket: the bytes that follow do
// not pass the first process, and a connection ends with the process that has it.
package handover

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"tripod/internal/accept"
)

// Offer says what a connection is for. It is what goes over the socket, as JSON.
type Offer struct {
	// Balancer is the ARN of a load balancer, and Port the listener's that the client has connected to.
	Balancer string `json:"balancer"`
	Port     int    `json:"port"`
	// Last asks to take the connection although nothing that is healthy would get it: nobody else is left to ask.
	Last bool `json:"last,omitempty"`
	// Early is what the client has sent already.
	Early []byte `json:"early,omitempty"`
}

// ErrDeclined is what Give returns where the other side would rather that another one took the connection.
var ErrDeclined = errors.New("the connection was not taken")

const (
	mostOffer    = 64 << 10 // bytes
	mostOffering = 256      // connections of which the offer is awaited
	offerTime    = 5 * time.Second
	// An answer is willing or passing. What is willing waits for the word go: who offered may have given up meanwhile, and
	// have the connection with another.
	willing, passing, goOn = 'y', 'n', 'g'
)

// Give offers a connection to who serves at the socket. Where it returns nil the connection is the other side's, and
// closed here; otherwise it is as it was, and can be offered to another.
func Give(ctx context.Context, socket string, conn net.Conn, offer Offer) error {
	of, ok := conn.(syscall.Conn)
	if !ok {
		return fmt.Errorf("a %T cannot be handed over", conn)
	}
	raw, err := of.SyscallConn()
	if err != nil {
		return err
	}
	body, err := json.Marshal(offer)
	if err != nil {
		return err
	}
	if len(body) > mostOffer {
		return errors.New("the offer of a connection is too long")
	}
	to, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer to.Close()
	stop := context.AfterFunc(ctx, func() { to.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	message := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	n := 0
	if gone := raw.Control(func(fd uintptr) {
		n, _, err = to.(*net.UnixConn).WriteMsgUnix(message, syscall.UnixRights(int(fd)), nil)
	}); gone != nil {
		return gone
	}
	if err == nil && n < len(message) {
		_, err = to.Write(message[n:])
	}
	if err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(to, answer[:]); err != nil {
		return fmt.Errorf("no answer to the offer of a connection: %w", err)
	}
	if answer[0] != willing {
		return ErrDeclined
	}
	if _, err := to.Write([]byte{goOn}); err != nil {
		return err
	}
	return conn.Close()
}

// Taker takes connections over.
type Taker interface {
	// Willing says whether a connection with such an offer would be taken.
	Willing(Offer) bool
	// Take has the connection, and returns soon.
	Take(*net.TCPConn, Offer)
}

// Serve answers on l, a listener of a unix socket, until it is closed, and returns nil then.
func Serve(l net.Listener, take Taker) error {
	var group sync.WaitGroup
	defer group.Wait()
	offering := make(chan struct{}, mostOffering)
	err := accept.Each(l, func(conn net.Conn) {
		offering <- struct{}{}
		group.Go(func() {
			defer func() { <-offering }()
			defer conn.Close()
			answer(conn, take)
		})
	})
	if err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	return nil
}

// answer reads an offer and tells whether it is taken. Who offers keeps the connection where it hears nothing.
func answer(from net.Conn, take Taker) {
	unix, ok := from.(*net.UnixConn)
	if !ok {
		return
	}
	unix.SetDeadline(time.Now().Add(offerTime))
	conn, offer, err := read(unix)
	if err != nil {
		return
	}
	word := []byte{passing}
	if take.Willing(offer) {
		word[0] = willing
	}
	if _, err = unix.Write(word); err == nil && word[0] == willing {
		if _, err = io.ReadFull(unix, word); err == nil && word[0] == goOn {
			take.Take(conn, offer)
			return
		}
	}
	conn.Close()
}

func read(from *net.UnixConn) (_ *net.TCPConn, offer Offer, err error) {
	var head [4]byte
	oob := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := from.ReadMsgUnix(head[:], oob)
	if err != nil {
		return nil, offer, err
	}
	conn, err := connIn(oob[:oobn])
	if err != nil {
		return nil, offer, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	if _, err := io.ReadFull(from, head[n:]); err != nil {
		return nil, offer, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > mostOffer {
		return nil, offer, errors.New("the offer of a connection is too long")
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(from, body); err != nil {
		return nil, offer, err
	}
	return conn, offer, json.Unmarshal(body, &offer)
}

// connIn is the connection whose descriptor came with a message.
func connIn(oob []byte) (*net.TCPConn, error) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil || len(messages) != 1 {
		return nil, errors.New("an offer has no connection")
	}
	descriptors, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(descriptors) != 1 {
		return nil, errors.New("an offer has no connection")
	}
	file := os.NewFile(uintptr(descriptors[0]), "connection")
	defer file.Close() // FileConn has one of its own
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("a %T was offered", conn)
	}
	return tcp, nil
}

package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"tripod/nodes/network"
)

// The numbers of RFC 1928 and RFC 1929.
const (
	socksVersion    = 5
	passwordVersion = 1

	methodNone     = 0
	methodPassword = 2
	methodRefused  = 0xff

	commandConnect = 1

	addressIPv4 = 1
	addressName = 3
	addressIPv6 = 4

	replyDone               = 0
	replyNotAllowed         = 2
	replyUnreachable        = 4
	replyCommandUnsupported = 7
	replyAddressUnsupported = 8
)

var errSOCKS = errors.New("the client does not speak SOCKS5 as it should")

// serveSOCKS serves one client, whose read deadline is set.
func (p *Proxy) serveSOCKS(ctx context.Context, client net.Conn) {
	if p.greet(client) != nil {
		return
	}
	host, port, reply, err := readRequest(client)
	if err != nil {
		if reply != replyDone {
			writeReply(client, reply)
		}
		return
	}
	client.SetReadDeadline(time.Time{})
	connecting, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	far, err := p.Dial(connecting, host, port)
	if err != nil {
		reply = replyUnreachable
		if isFiltered(err) {
			reply = replyNotAllowed
		}
		writeReply(client, reply)
		return
	}
	defer far.Close()
	if writeReply(client, replyDone) == nil {
		network.Join(client, far)
	}
}

// greet agrees on how the client shows who it is, and checks the password.
func (p *Proxy) greet(client net.Conn) error {
	methods, err := readCounted(client, 1)
	if err != nil {
		return err
	}
	method := byte(methodNone)
	if p.Password != "" {
		method = methodPassword
	}
	if !slices.Contains(methods, method) {
		client.Write([]byte{socksVersion, methodRefused})
		return errSOCKS
	}
	if _, err := client.Write([]byte{socksVersion, method}); err != nil || method == methodNone {
		return err
	}
	user, err := readCounted(client, 1)
	if err != nil {
		return err
	}
	password, err := readCounted(client, 0)
	if err != nil {
		return err
	}
	status := byte(1)
	if equal(string(user), User) && equal(string(password), p.Password) {
		status = 0
	}
	if _, err := client.Write([]byte{passwordVersion, status}); err != nil {
		return err
	}
	if status != 0 {
		return errSOCKS
	}
	return nil
}

// readCounted reads some bytes that say nothing new, a length, and so many bytes.
func readCounted(r io.Reader, skip int) ([]byte, error) {
	head := make([]byte, skip+1)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	text := make([]byte, head[skip])
	_, err := io.ReadFull(r, text)
	return text, err
}

// readRequest reads where a client wants to go; reply is what it is told where that is not possible.
func readRequest(r io.Reader) (host string, port int, reply byte, err error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", 0, replyDone, err
	}
	if head[0] != socksVersion {
		return "", 0, replyDone, errSOCKS
	}
	switch head[3] {
	case addressIPv4, addressIPv6:
		address := make([]byte, 4)
		if head[3] == addressIPv6 {
			address = make([]byte, 16)
		}
		if _, err := io.ReadFull(r, address); err != nil {
			return "", 0, replyDone, err
		}
		at, _ := netip.AddrFromSlice(address)
		host = at.String()
	case addressName:
		name, err := readCounted(r, 0)
		if err != nil {
			return "", 0, replyDone, err
		}
		host = string(name)
	default:
		return "", 0, replyAddressUnsupported, errSOCKS
	}
	number := make([]byte, 2)
	if _, err := io.ReadFull(r, number); err != nil {
		return "", 0, replyDone, err
	}
	if head[1] != commandConnect {
		return "", 0, replyCommandUnsupported, errSOCKS
	}
	return host, int(binary.BigEndian.Uint16(number)), replyDone, nil
}

// writeReply answers a request. Where the connection comes from the client is not told.
func writeReply(w io.Writer, reply byte) error {
	_, err := w.Write([]byte{socksVersion, reply, 0, addressIPv4, 0, 0, 0, 0, 0, 0})
	return err
}

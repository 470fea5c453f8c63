package link

import (
	"errors"
	"net"
	"syscall"
)

// What connections of the net package can, and wrappers pass on.

// CloseWrite ends one direction of a connection, or both where it cannot end one.
func CloseWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}

// SetLinger is *net.TCPConn's; others have no such thing.
func SetLinger(conn net.Conn, seconds int) error {
	if abrupt, ok := conn.(interface{ SetLinger(int) error }); ok {
		return abrupt.SetLinger(seconds)
	}
	return nil
}

// SyscallConn is the socket of a connection; errors.ErrUnsupported: it has none.
func SyscallConn(conn net.Conn) (syscall.RawConn, error) {
	if raw, ok := conn.(syscall.Conn); ok {
		return raw.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

package node

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// quietFor is for how long nothing has come on a TCP connection, as the kernel counts it.
func quietFor(conn net.Conn) (d time.Duration, known bool) {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			d, known = time.Duration(info.Last_data_recv)*time.Millisecond, true
		}
	})
	return d, known
}

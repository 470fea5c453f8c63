package lb

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// established is TCP_ESTABLISHED of linux/tcp.h: neither side has hung up.
const established = 1

// carried is how many bytes a TCP connection has received and sent, as the kernel counts them, and whether it is open
// both ways: what splice moves, this process does not see.
func carried(conn net.Conn) (bytes uint64, open bool) {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return 0, true
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			bytes, open = info.Bytes_received+info.Bytes_acked, info.State == established
		}
	})
	return bytes, open
}

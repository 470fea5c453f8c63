//go:build !linux

package lb

import "net"

// carried is not told by the system.
func carried(net.Conn) (bytes uint64, open bool) { return 0, true }

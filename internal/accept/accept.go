// Package accept takes the connections of a listener.
package accept

import (
	"errors"
	"net"
	"time"
)

// pause is before the next try where this process is out of file descriptors: others will close theirs.
const pause = 10 * time.Millisecond

// Each gives each connection of l to take, one after the other, until l is closed, and returns nil then; or l's error.
func Each(l net.Listener, take func(net.Conn)) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if temporary, ok := err.(interface{ Temporary() bool }); ok && temporary.Temporary() {
			time.Sleep(pause)
			continue
		}
		if err != nil {
			return err
		}
		take(conn)
	}
}

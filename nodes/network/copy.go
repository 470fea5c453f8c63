package network

import (
	"io"
	"net"
	"sync"

	"tripod/internal/link"
)

// little is how much is read at once before a direction of a connection is taken for bulk.
const little = 16 << 10

var littles = sync.Pool{New: func() any { return new([little]byte) }}

// Copy copies until the end of from. Little messages, as requests and answers are, are read and written: to splice them
// takes as many system calls, and dearer ones. Once a read is filled the rest is io.Copy's, which splices.
func Copy(to, from net.Conn) (n int64, err error) {
	buffer := littles.Get().(*[little]byte)
	defer littles.Put(buffer)
	for {
		got, err := from.Read(buffer[:])
		if got > 0 {
			wrote, err := to.Write(buffer[:got])
			n += int64(wrote)
			if err != nil {
				return n, err
			}
		}
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		case got == little:
			more, err := link.Copy(to, from)
			return n + more, err
		}
	}
}

package awsapi

import (
	"net"
	"sync"
	"time"
)

// splitter accepts connections and hands them to one of two listeners by their first byte. A silent client costs a
// goroutine, and holds up nobody else.
type splitter struct {
	listener      net.Listener
	plain, secure *handOff // secure is nil where there is no TLS
	newcomers     *newcomers

	sniffing sync.WaitGroup
	mu       sync.Mutex
	stopped  bool
	waiting  map[net.Conn]struct{} // connections whose first byte has not come yet
}

func newSplitter(listener net.Listener) *splitter {
	return &splitter{listener: listener, plain: newHandOff(listener.Addr()), newcomers: newNewcomers(),
		waiting: make(map[net.Conn]struct{})}
}

// run accepts until the listener is closed, and returns once every connection is handed on or closed.
func (s *splitter) run() error {
	defer s.sniffing.Wait()
	for delay := time.Duration(0); ; {
		conn, err := s.listener.Accept()
		if err != nil {
			// Out of file descriptors, most likely: the next attempt may succeed.
			if temporary, ok := err.(interface{ Temporary() bool }); ok && temporary.Temporary() {
				delay = min(max(2*delay, 5*time.Millisecond), time.Second)
				timer := time.NewTimer(delay)
				select {
				case <-timer.C:
				case <-s.plain.closed:
				}
				timer.Stop()
				continue
			}
			return err
		}
		delay = 0
		newcomer := s.newcomers.admit(conn)
		s.sniffing.Go(func() { s.sniff(newcomer) })
	}
}

// stop closes the listener and the connections that have said nothing yet.
func (s *splitter) stop() {
	s.listener.Close()
	s.mu.Lock()
	s.stopped = true
	for conn := range s.waiting {
		conn.Close()
	}
	s.mu.Unlock()
	s.plain.Close()
	if s.secure != nil {
		s.secure.Close()
	}
}

func (s *splitter) sniff(conn *newcomer) {
	if !s.hold(conn) {
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Now().Add(helloTimeout))
	var first [1]byte
	n, err := conn.Read(first[:])
	s.release(conn)
	if n == 0 || err != nil {
		conn.Close()
		return
	}
	conn.SetReadDeadline(time.Time{})
	conn.first = first[:]
	target := s.plain
	if first[0] == tlsHandshakeRecord {
		target = s.secure
	}
	if target == nil || !target.give(conn) {
		conn.Close()
	}
}

func (s *splitter) hold(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.waiting[conn] = struct{}{}
	return true
}

func (s *splitter) release(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, conn)
}

// handOff is a listener whose connections are given to it.
type handOff struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandOff(addr net.Addr) *handOff {
	return &handOff{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give says whether the listener took the connection; it does not once it is closed.
func (h *handOff) give(conn net.Conn) bool {
	select {
	case h.conns <- conn:
		return true
	case <-h.closed:
		return false
	}
}

func (h *handOff) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handOff) Addr() net.Addr { return h.addr }

func (h *handOff) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

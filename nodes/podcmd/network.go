package podcmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Networked is a Host with a place in a network. Without one, commands that speak over a network are not plain.
type Networked interface {
	// Context ends when the command is to end.
	Context() context.Context
	// Dial connects to an address from the command's place. Its error is ErrRefused where the other side has refused; after
	// all others nobody has answered.
	Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Lookup is what the DNS says of a name; search: also with the suffixes of /etc/resolv.conf. Its error is ErrNoName.
	Lookup(ctx context.Context, name string, search bool) (Record, error)
	// Resolver is the address of the DNS server.
	Resolver() netip.Addr
	// Image is the name of the container's image, without registry and tag: it says whose tools there are.
	Image() string
}

var (
	// ErrRefused is why a connection is not made: nothing listens there.
	ErrRefused = errors.New("connection refused")
	// ErrNoName is why a name has no address: there is none of that name.
	ErrNoName = errors.New("no such name")
	// ErrNoServer is an ErrNoName whose reason is that no DNS server answers.
	ErrNoServer = fmt.Errorf("no DNS server answers: %w", ErrNoName)
)

// Resolvers ask again after resolverWait: the C library resolverTries times, dig and nslookup digTries times.
const (
	resolverWait            = 5 * time.Second
	resolverTries, digTries = 2, 3
)

// errNoAnswer is why a connection is not made: what is sent gets lost.
var errNoAnswer = errors.New("nobody answers")

// Record is what the DNS says of a name.
type Record struct {
	Name      string   // with its suffix: web.default.svc.cluster.local
	Aliases   []string // what it stands for, one after the other
	Addresses []netip.Addr
}

// canonical is the name that has the addresses.
func (r Record) canonical() string {
	if len(r.Aliases) > 0 {
		return r.Aliases[len(r.Aliases)-1]
	}
	return r.Name
}

// patience is how long Linux tries to connect, with net.ipv4.tcp_syn_retries=6.
const patience = 127 * time.Second

// network is the host's, or an ErrUnreadable.
func (s *shell) network(argv []string) (Networked, error) {
	n, ok := s.host.(Networked)
	if !ok {
		return nil, unreadable("%s speaks over a network", commandName(argv[0]))
	}
	return n, nil
}

// resolve are the addresses of a host's name, or the address that it is.
func (s *shell) resolve(n Networked, host string) ([]netip.Addr, error) {
	if at, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{at}, nil
	}
	record, err := n.Lookup(n.Context(), host, true)
	if err == nil && len(record.Addresses) == 0 {
		err = ErrNoName
	}
	if errors.Is(err, ErrNoServer) {
		err = errors.Join(err, s.host.Sleep(resolverTries*resolverWait))
	}
	return record.Addresses, err
}

// connect connects to the first address that answers, each for at most timeout (0: as long as Linux does). What is lost is waited
// for, as whoever sends it cannot know. Its error is ErrRefused, errNoAnswer or one of the host's.
func (s *shell) connect(n Networked, addresses []netip.Addr, port int, timeout time.Duration) (net.Conn, netip.AddrPort, error) {
	if timeout <= 0 || timeout > patience {
		timeout = patience
	}
	var last error
	var at netip.AddrPort
	for _, address := range addresses {
		at = netip.AddrPortFrom(address, uint16(port))
		began := time.Now()
		ctx, cancel := context.WithTimeout(n.Context(), timeout)
		conn, err := n.Dial(ctx, at)
		cancel()
		if err == nil {
			return conn, at, nil
		}
		if last = ErrRefused; !errors.Is(err, ErrRefused) {
			last = errNoAnswer
			if err := s.host.Sleep(max(0, timeout-time.Since(began))); err != nil {
				return nil, at, err
			}
		}
	}
	return nil, at, last
}

// trouble is what the C library calls an error of connect; glibc and musl differ in one.
func trouble(n Networked, err error) string {
	switch {
	case errors.Is(err, ErrRefused):
		return "Connection refused"
	case musl(n):
		return "Operation timed out"
	}
	return "Connection timed out"
}

// musl says that an image's tools are those of Alpine.
func musl(n Networked) bool {
	switch n.Image() {
	case "agnhost", "alpine", "nautilus", "kitten":
		return true
	}
	return false
}

// busybox says that an image's tools are busybox's.
func busybox(n Networked) bool { return n.Image() == "busybox" || n.Image() == "alpine" }

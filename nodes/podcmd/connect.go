package podcmd

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// agnhostConnect tries to connect, and says in one word why it could not: k8s.io/kubernetes/test/images/agnhost/connect.
func (s *shell) agnhostConnect(_ streams, argv []string) (int, error) {
	n, err := s.network(argv)
	if err != nil {
		return 1, err
	}
	flags := newFlags()
	timeout, protocol := flags.Duration("timeout", 0, ""), flags.String("protocol", "tcp", "")
	if flags.Parse(argv[2:]) != nil || flags.NArg() != 1 || *protocol != "tcp" && *protocol != "" {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	host, portText, err := net.SplitHostPort(flags.Arg(0))
	if err != nil {
		return s.complain(1, "UNKNOWN: %v", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return s.complain(1, "DNS: lookup tcp/%s: unknown port", portText)
	}
	addresses, err := s.resolve(n, host)
	if err != nil {
		return s.complain(1, "DNS: %s", fmt.Sprintf("lookup %s on %s:53: no such host", host, n.Resolver()))
	}
	conn, _, err := s.connect(n, addresses, port, *timeout)
	switch {
	case err == nil:
		conn.Close()
		return 0, nil
	case errors.Is(err, ErrRefused):
		return s.complain(1, "REFUSED")
	case errors.Is(err, errNoAnswer):
		return s.complain(1, "TIMEOUT")
	}
	return 1, err
}

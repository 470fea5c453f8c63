package podcmd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ncOptions are those of nc as a client.
type ncOptions struct {
	verbose, zero, numeric bool
	wait                   time.Duration // to connect, and for what comes; 0 is for ever
	quit                   time.Duration // from the input's end on; negative: not at all
	host                   string
	first, last            int // ports
}

// parseNC reads the options that OpenBSD's nc and busybox's share. What listens, and UDP, is not known.
func parseNC(argv []string) (ncOptions, bool) {
	o, args := ncOptions{quit: -1}, []string{}
	for i := 1; i < len(argv); i++ {
		arg := argv[i]
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			args = append(args, arg)
			continue
		}
		for at, letter := range arg[1:] {
			switch letter {
			case 'v':
				o.verbose = true
			case 'z':
				o.zero = true
			case 'n':
				o.numeric = true
			case 't', '4', 'N':
			case 'w', 'q', 'i':
				value := arg[1+at+1:]
				if value == "" && i+1 < len(argv) {
					i++
					value = argv[i]
				}
				seconds, err := strconv.Atoi(value)
				if err != nil {
					return o, false
				}
				switch d := time.Duration(seconds) * time.Second; letter {
				case 'w':
					o.wait = d
				case 'q':
					o.quit = d
				}
			default:
				return o, false
			}
			if slices.Contains([]rune("wqi"), letter) {
				break
			}
		}
	}
	if len(args) != 2 {
		return o, false
	}
	from, to, isRange := strings.Cut(args[1], "-")
	if !isRange {
		to = from
	}
	var err, errLast error
	o.host = args[0]
	o.first, err = strconv.Atoi(from)
	o.last, errLast = strconv.Atoi(to)
	return o, err == nil && errLast == nil && o.first > 0 && o.last < 1<<16 && o.last-o.first < 1024
}

// nc connects, sends what it reads and prints what comes: in the words of OpenBSD's, or of busybox's in its image and Alpine's.
func (s *shell) nc(to streams, argv []string) (int, error) {
	n, err := s.network(argv)
	if err != nil {
		return 1, err
	}
	o, ok := parseNC(argv)
	if !ok {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	addresses, err := s.resolve(n, o.host)
	if err != nil {
		return s.ncNoName(n, o)
	}
	code := 1
	for port := o.first; port <= o.last; port++ {
		conn, at, err := s.connect(n, addresses, port, o.wait)
		if err != nil && !errors.Is(err, ErrRefused) && !errors.Is(err, errNoAnswer) {
			return 1, err
		}
		if o.verbose {
			if _, err := s.complain(0, "%s", ncSays(n, o, at, err)); err != nil {
				return 1, err
			}
		}
		if err != nil {
			continue
		}
		code = 0
		if !o.zero {
			err = s.talk(n, conn, o, to)
		}
		conn.Close()
		if err != nil {
			return 1, err
		}
	}
	return code, nil
}

func (s *shell) ncNoName(n Networked, o ncOptions) (int, error) {
	if busybox(n) {
		return s.complain(1, "nc: bad address '%s'", o.host)
	}
	return s.complain(1, "nc: getaddrinfo for host %q port %d: %s", o.host, o.first, noName(n))
}

// noName is what the C library says of a name that is not there.
func noName(n Networked) string {
	if musl(n) {
		return "Name does not resolve"
	}
	return "Name or service not known"
}

// ncSays is what nc -v says of a connection.
func ncSays(n Networked, o ncOptions, at netip.AddrPort, err error) string {
	if busybox(n) {
		if err == nil {
			return fmt.Sprintf("%s (%s) open", o.host, at)
		}
		return fmt.Sprintf("nc: %s (%s): %s", o.host, at, trouble(n, err))
	}
	host := o.host
	if !o.numeric && host != at.Addr().String() {
		host += " (" + at.Addr().String() + ")"
	}
	switch {
	case err == nil:
		service := "*"
		if known := services[at.Port()]; known != "" && !o.numeric {
			service = known
		}
		return fmt.Sprintf("Connection to %s %d port [tcp/%s] succeeded!", host, at.Port(), service)
	case errors.Is(err, ErrRefused):
		return fmt.Sprintf("nc: connect to %s port %d (tcp) failed: Connection refused", host, at.Port())
	case musl(n):
		return fmt.Sprintf("nc: connect to %s port %d (tcp) timed out: Operation in progress", host, at.Port())
	}
	return fmt.Sprintf("nc: connect to %s port %d (tcp) timed out: Operation now in progress", host, at.Port())
}

// services are the names that /etc/services has for well-known ports.
var services = map[uint16]string{22: "ssh", 25: "smtp", 53: "domain", 80: "http", 443: "https", 3306: "mysql", 5432: "postgresql",
	5672: "amqp", 6379: "redis", 8080: "http-alt"}

// talk sends the input and prints what comes, until the other side ends or nothing has come for so long as nc waits.
func (s *shell) talk(n Networked, conn net.Conn, o ncOptions, to streams) error {
	defer closeAfter(n.Context(), conn)()
	var sending sync.WaitGroup
	if in := s.input(); in != nil {
		sending.Go(func() {
			if _, err := io.Copy(conn, in); err == nil && o.quit >= 0 {
				conn.SetReadDeadline(time.Now().Add(o.quit))
			}
		})
	}
	buffer := make([]byte, 4096)
	for {
		if o.wait > 0 {
			conn.SetReadDeadline(time.Now().Add(o.wait))
		}
		got, err := conn.Read(buffer)
		if printed := s.print(to, string(buffer[:got])); printed != nil {
			return printed
		}
		if err != nil {
			conn.Close()
			if s.piped != nil || s.host.Input() == nil {
				sending.Wait() // else it waits for what somebody types
			}
			return nil
		}
	}
}

package podcmd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// nslookup asks for a name's addresses, in the words of BIND's, or of busybox's in its image and Alpine's.
func (s *shell) nslookup(to streams, argv []string) (int, error) {
	n, err := s.network(argv)
	if err != nil {
		return 1, err
	}
	var args []string
	for _, arg := range argv[1:] {
		if lower := strings.ToLower(arg); lower == "-type=a" || lower == "-query=a" || strings.HasPrefix(lower, "-timeout=") {
			continue
		}
		args = append(args, arg)
	}
	if len(args) == 0 || len(args) > 2 || strings.HasPrefix(args[0], "-") || !askable(n, args[1:]) {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	server, mark := n.Resolver(), "#"
	if busybox(n) {
		mark = ":"
	}
	head := fmt.Sprintf("Server:\t\t%s\nAddress:\t%s%s53\n\n", server, server, mark)
	record, err := n.Lookup(n.Context(), args[0], true)
	if n.Context().Err() != nil {
		return 1, context.Cause(n.Context())
	}
	if errors.Is(err, ErrNoServer) {
		return 1, s.unanswered(to, n, busybox(n), "\n")
	}
	if err != nil {
		return 1, s.print(to, head+fmt.Sprintf("** server can't find %s: NXDOMAIN\n\n", args[0]))
	}
	owner := record.Name
	for _, alias := range record.Aliases {
		head += fmt.Sprintf("%s\tcanonical name = %s.\n", owner, alias)
		owner = alias
	}
	for _, at := range record.Addresses {
		head += fmt.Sprintf("Name:\t%s\nAddress: %s\n", owner, at)
	}
	return 0, s.print(to, head+"\n")
}

// unanswered waits as long as dig and nslookup ask, and says that nobody has answered.
func (s *shell) unanswered(to streams, n Networked, busybox bool, end string) error {
	if err := s.host.Sleep(digTries * resolverWait); err != nil {
		return err
	}
	if busybox {
		return s.print(to, ";; connection timed out; no servers could be reached\n\n")
	}
	lost := fmt.Sprintf(";; communications error to %s#53: timed out\n", n.Resolver())
	return s.print(to, strings.Repeat(lost, digTries)+";; no servers could be reached\n"+end)
}

// askable says that a server which is named is the cluster's own.
func askable(n Networked, servers []string) bool {
	return !slices.ContainsFunc(servers, func(server string) bool {
		at, err := netip.ParseAddr(server)
		return err != nil || at != n.Resolver()
	})
}

// dig asks for addresses: of a whole name, unless +search adds the suffixes.
func (s *shell) dig(to streams, argv []string) (int, error) {
	n, err := s.network(argv)
	if err != nil {
		return 1, err
	}
	name, short, search, bare, kind := "", false, false, 0, "A"
	for i := 1; i < len(argv); i++ {
		switch arg := argv[i]; {
		case arg == "+short":
			short = true
		case arg == "+search":
			search = true
		case arg == "+noall" || arg == "+answer":
			bare++
		case strings.HasPrefix(arg, "@") && askable(n, []string{arg[1:]}):
		case slices.Contains([]string{"+tcp", "+notcp", "+nosearch", "-4"}, arg), strings.HasPrefix(arg, "+time="),
			strings.HasPrefix(arg, "+tries="):
		case arg == "-t" && i+1 < len(argv):
			i++
			kind = strings.ToUpper(argv[i])
		case slices.Contains([]string{"A", "AAAA", "CNAME"}, strings.ToUpper(arg)):
			kind = strings.ToUpper(arg)
		case name == "" && !strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "+"):
			name = arg
		default:
			return 1, unreadable("%s", strings.Join(argv, " "))
		}
	}
	if name == "" || !slices.Contains([]string{"A", "AAAA", "CNAME"}, kind) {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	record, err := n.Lookup(n.Context(), name, search)
	if n.Context().Err() != nil {
		return 1, context.Cause(n.Context())
	}
	if errors.Is(err, ErrNoServer) {
		if err := s.print(to, fmt.Sprintf("\n; <<>> DiG 9.20.13 <<>> %s\n;; global options: +cmd\n", strings.Join(argv[1:], " "))); err != nil {
			return 1, err
		}
		return 9, s.unanswered(to, n, false, "")
	}
	var lines, values []string
	owner, status := strings.TrimSuffix(name, ".")+".", "NOERROR"
	if err != nil {
		status = "NXDOMAIN"
	} else if search {
		owner = record.Name + "."
	}
	asked, from := owner, owner
	add := func(kind, value string) {
		lines = append(lines, fmt.Sprintf("%s\t5\tIN\t%s\t%s", from, kind, value))
		values = append(values, value)
	}
	for _, alias := range record.Aliases {
		add("CNAME", alias+".")
		from = alias + "."
	}
	for _, at := range record.Addresses {
		if kind == "A" && at.Is4() || kind == "AAAA" && at.Is6() {
			add(kind, at.String())
		}
	}
	switch {
	case short:
		return 0, s.print(to, joined(values))
	case bare == 2:
		return 0, s.print(to, joined(lines))
	}
	return 0, s.print(to, fmt.Sprintf("\n; <<>> DiG 9.20.13 <<>> %s\n;; global options: +cmd\n;; Got answer:\n"+
		";; ->>HEADER<<- opcode: QUERY, status: %s, id: %d\n;; flags: qr aa rd; QUERY: 1, ANSWER: %d, AUTHORITY: 0, ADDITIONAL: 0\n\n"+
		";; QUESTION SECTION:\n;%s\t\tIN\t%s\n\n%s;; Query time: 0 msec\n;; SERVER: %s#53(%[8]s) (UDP)\n;; WHEN: %s\n\n",
		strings.Join(argv[1:], " "), status, 1+len(asked)*997%65535, len(lines), asked, kind, answerSection(lines), n.Resolver(),
		s.host.Now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006")))
}

func joined(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

func answerSection(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return ";; ANSWER SECTION:\n" + joined(lines) + "\n"
}

// getent knows hosts and ahosts of names.
func (s *shell) getent(to streams, argv []string) (int, error) {
	n, err := s.network(argv)
	if err != nil {
		return 1, err
	}
	if len(argv) != 3 || argv[1] != "hosts" && argv[1] != "ahosts" {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	record, err := n.Lookup(n.Context(), argv[2], true)
	if err != nil {
		return 2, nil
	}
	text := ""
	for _, at := range record.Addresses {
		text += fmt.Sprintf("%-15s %s\n", at, record.canonical())
	}
	return 0, s.print(to, text)
}

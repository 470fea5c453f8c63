package iam

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// IssuerHosts are the hosts on other machines, as host:port in lower case, that OpenID Connect issuers' keys may be
// fetched from: those that `tripod up --oidc-issuer` names. This machine's loopback may always be asked.
type IssuerHosts []string

// ParseIssuerHost reads one --oidc-issuer, an issuer's URL or that of the host that has its keys. Its path does not
// count. The error is one sentence.
func ParseIssuerHost(text string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		return "", fmt.Errorf("--oidc-issuer %q is not an https URL: give one such as "+
			"https://token.actions.githubusercontent.com", text)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("--oidc-issuer %q is no issuer's URL, which has neither user, query nor fragment: "+
			"give one such as https://token.actions.githubusercontent.com", text)
	}
	host, port := AddressOf(u)
	if strings.Contains(host, "*") || port < 1 || port > 65535 {
		return "", fmt.Errorf("--oidc-issuer %q names no one host and port: give the flag once for each, "+
			"such as https://token.actions.githubusercontent.com", text)
	}
	return hostPort(host, port), nil
}

// AddressOf is the host and the port of an https URL; port 0 is none.
func AddressOf(u *url.URL) (host string, port int) {
	if u.Port() == "" {
		return u.Hostname(), 443
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return u.Hostname(), 0
	}
	return u.Hostname(), port
}

// Names says whether the host is one of them.
func (h IssuerHosts) Names(host string, port int) bool {
	return slices.Contains(h, hostPort(host, port))
}

// Guard is the Control of a net.Dialer that connects to the host for its keys. It looks at the address when the
// connection is made, so that no name leads to this machine's network or to a cloud's metadata. The error is a sentence
// without a period, of a host that must not be asked at all.
func (h IssuerHosts) Guard(host string, port int) (func(network, address string, _ syscall.RawConn) error, error) {
	named := h.Names(host, port)
	if !named && !OnLoopback(host) {
		where := "https://" + strings.TrimSuffix(hostPort(host, port), ":443")
		return nil, fmt.Errorf("%s is neither localhost nor a loopback address: "+
			"start the region with 'tripod up --oidc-issuer %s' to have it asked for its keys", host, where)
	}
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return errors.New("its address is none")
		}
		switch ip := to.Addr().Unmap(); {
		case ip.IsLoopback():
			return nil
		case !named:
			return fmt.Errorf("%s leads to %s, not to this machine's loopback", host, ip)
		case !public(ip):
			return fmt.Errorf("%s leads to %s, which is not a public address: Tripod does not ask into networks around it",
				host, ip)
		}
		return nil
	}, nil
}

// OnLoopback says whether the host is this machine's by itself, without asking anybody.
func OnLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

// hostPort is a host's only spelling.
func hostPort(host string, port int) string {
	return net.JoinHostPort(strings.ToLower(strings.TrimSuffix(host, ".")), strconv.Itoa(port))
}

// notPublic are the ranges of IANA's special-purpose registries (RFC 6890) that netip does not know, and those whose
// addresses stand for others.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

// ipv6Internet is what IANA has given out for the Internet of IPv6. The ranges that embed an IPv4 address of anybody's
// choice lie outside of it, but for 6to4's.
var ipv6Internet = netip.MustParsePrefix("2000::/3")

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Is6() && !ipv6Internet.Contains(ip) {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(special netip.Prefix) bool { return special.Contains(ip) })
}

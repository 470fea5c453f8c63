package awsapi

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/wire"
)

// awsHost matches names of AWS endpoints. It leaves out those in the same domains that a customer of AWS can get.
var awsHost = regexp.MustCompile(`^(oidc\.)?[a-z0-9-]+(\.[a-z]{2}(-[a-z]+)+-[0-9])?\.amazonaws\.com$|^[a-z0-9-]+\.[a-z]{2}(-[a-z]+)+-[0-9]\.api\.aws$`)

// guard refuses what a web page in the user's browser could send: a request to a name that the page's owner made
// resolve to loopback (DNS rebinding), and one that a page sent across origins.
// A balancer's health check passes: it calls a zone by whatever name, and learns nothing but that it lives.
func (s *server) guard(r *http.Request) error {
	if r.URL.Path == healthPath {
		return nil
	}
	if len(r.Header.Values("Origin")) > 0 {
		return &wire.Error{Code: "AccessDeniedException", Status: http.StatusForbidden,
			Message: "Requests from web pages are refused: this request has an Origin header."}
	}
	if !s.hostAllowed(r.Host) {
		return &wire.Error{Code: "MisdirectedRequestException", Status: http.StatusMisdirectedRequest,
			Message: "This endpoint is called as localhost, a loopback address or an AWS endpoint's name, not as the request's Host header says."}
	}
	return nil
}

func (s *server) hostAllowed(hostport string) bool {
	host := hostport
	if name, _, err := net.SplitHostPort(hostport); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback() || slices.Contains(s.Hosts, host)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, domain := range []string{"localhost", "tripod.internal"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return awsHost.MatchString(host) || slices.Contains(s.Hosts, host)
}

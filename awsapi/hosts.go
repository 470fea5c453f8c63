package awsapi

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/wire"
	"tripod/internal/partition"
)

// regionalHost matches the names of endpoints in a region: the service's, with -fips or not, EKS's own with FIPS, and
// its OIDC issuers. globalHost matches those without a region. Both leave out what a customer of AWS can get in the
// same domains.
var (
	regionalHost = regexp.MustCompile(`^(?:(?:oidc|fips)\.eks|[a-z0-9-]+)\.([a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2})\.(.+)$`)
	globalHost   = regexp.MustCompile(`^(?:[a-z0-9-]+|iam\.us-gov)\.amazonaws\.com$|^[a-z0-9-]+\.global\.api\.aws$`)
)

// isAWSHost says whether the host is the name of an endpoint of AWS, in whatever partition.
func isAWSHost(host string) bool {
	match := regionalHost.FindStringSubmatch(host)
	return match != nil && partition.Of(match[1]).Has(match[2]) || globalHost.MatchString(host)
}

// checkHost refuses what a web page in the user's browser could send: a request to a name that the page's owner made
// resolve to loopback (DNS rebinding), and one that a page sent across origins.
// A balancer's health check passes: it calls a zone by whatever name, and learns nothing but that it lives.
func (s *server) checkHost(r *http.Request) error {
	if r.URL.Path == healthPath {
		return nil
	}
	if len(r.Header.Values("Origin")) > 0 {
		return &wire.Error{Code: "AccessDeniedException", Status: http.StatusForbidden,
			Message: "Requests from web pages are refused: this request has an Origin header."}
	}
	if !s.hostAllowed(r.Host) {
		return &wire.Error{Code: "MisdirectedRequestException", Status: http.StatusMisdirectedRequest,
			Message: "This endpoint is called as localhost, a loopback address or an AWS endpoint's name, not as the " +
				"request's Host header says."}
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
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return slices.Contains(s.Hosts, host) || isOwnHost(host) || isOwnHost(withoutStream(host))
}

// isOwnHost says whether a host is loopback, or has a name of AWS's or Tripod's own, which nobody else can make resolve to loopback.
func isOwnHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback()
	}
	for _, domain := range []string{"localhost", "tripod.internal"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return isAWSHost(host)
}

// withoutStream is a host without what SDKs put before their endpoint's for Live Tail. Before a name of the operator's own it has no
// meaning: that name may be somebody else's.
func withoutStream(host string) string {
	for _, prefix := range []string{"streaming-", "stream-"} {
		if rest, found := strings.CutPrefix(host, prefix); found {
			return rest
		}
	}
	return host
}

package upstream

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// ParseUpstream reads the --upstream flag, or TRIPOD_UPSTREAM: the base URL of another emulator, or what
// FindAWSEmulator has made of aws-emulator. Unless remote it must be this machine's: the calls hold whatever users put
// into them. Credentials to sign with may stand in it, as http://KEY:SECRET@127.0.0.1:5000. The error is one sentence,
// without them.
func ParseUpstream(text string, remote bool) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--upstream is not a URL: give one such as http://127.0.0.1:5000, or aws-emulator")
	case u.Scheme == awsEmulator && u.User == nil && u.RawQuery == "" && loopback(u.Hostname()) && filepath.IsAbs(u.Path):
		return u, nil
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("--upstream must be an http or https URL with a host, such as http://127.0.0.1:5000, or " +
			"aws-emulator")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "":
		return nil, fmt.Errorf("--upstream must have no path, query or fragment: give only scheme, host and port, such "+
			"as http://%s", u.Host)
	case !remote && !loopback(u.Hostname()):
		return nil, fmt.Errorf("--upstream %s is not on this machine: use a loopback address, or say with "+
			"--allow-remote-upstream that calls may leave it", u.Host)
	}
	if u.User != nil {
		if secret, given := u.User.Password(); u.User.Username() == "" || !given || secret == "" {
			return nil, fmt.Errorf("--upstream has half of the credentials to sign with: give KEY:SECRET@ before the host, " +
				"or nothing")
		}
	}
	u.Path, u.RawPath = "", ""
	return u, nil
}

func loopback(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

package iam_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"tripod/iam"
	"tripod/internal/issuer"
)

// TestOnlyNamedIssuersAreAskedAtPublicAddresses: what a name leads to is played, and the connection ends at a server on
// loopback, whatever the address.
func TestOnlyNamedIssuersAreAskedAtPublicAddresses(t *testing.T) {
	const there, keys = "https://example.com", "https://keys.example.com"
	for name, c := range map[string]struct {
		hosts    iam.IssuerHosts
		leadsTo  string // the address of all names
		jwks     string // where the keys are
		want     string // what the error says; empty: the token is verified
		unasked  bool   // nobody is to be connected to, nor the name looked up
		identity string // the issuer, when it is another
	}{
		"named": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "93.184.215.14:443",
			jwks: there},
		"named, by IPv6": {hosts: iam.IssuerHosts{"example.com:443"},
			leadsTo: "[2606:2800:21f:cb07::1]:443", jwks: there},
		"named, and on loopback": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "127.0.0.1:443",
			jwks: there},
		"not named": {leadsTo: "93.184.215.14:443", jwks: there,
			want: "'tripod up --oidc-issuer https://example.com'", unasked: true},
		"named with another port": {hosts: iam.IssuerHosts{"example.com:8443"}, leadsTo: "93.184.215.14:443",
			jwks: there, want: "--oidc-issuer https://example.com'", unasked: true},
		"a part of its name named": {hosts: iam.IssuerHosts{"ample.com:443"}, leadsTo: "93.184.215.14:443",
			jwks: there, want: "--oidc-issuer", unasked: true},
		"keys at another host, named": {hosts: iam.IssuerHosts{"example.com:443", "keys.example.com:443"},
			leadsTo: "93.184.215.14:443", jwks: keys},
		"keys at another host, not named": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "93.184.215.14:443",
			jwks: keys, want: "'tripod up --oidc-issuer https://keys.example.com'"},
		"keys in the cloud's metadata": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "93.184.215.14:443",
			jwks: "https://169.254.169.254", want: "169.254.169.254 is neither localhost nor a loopback address"},
		"keys by http": {hosts: iam.IssuerHosts{"example.com:443", "example.com:80"},
			leadsTo: "93.184.215.14:443", jwks: "http://example.com", want: "no https URL"},
		"leading to the cloud's metadata": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "169.254.169.254:443",
			jwks: there, want: "example.com leads to 169.254.169.254, which is not a public address"},
		"leading to it, written for IPv6": {hosts: iam.IssuerHosts{"example.com:443"},
			leadsTo: "[::ffff:169.254.169.254]:443", jwks: there, want: "169.254.169.254, which is not a public address"},
		"leading to an office": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "10.1.2.3:443",
			jwks: there, want: "not a public address"},
		"leading to a carrier's network": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "100.64.0.1:443",
			jwks: there, want: "not a public address"},
		"leading to this network": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "0.0.0.0:443",
			jwks: there, want: "not a public address"},
		"leading to an IPv6 office": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "[fd00:ec2::254]:443",
			jwks: there, want: "not a public address"},
		"leading to an IPv6 link": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "[fe80::1]:443",
			jwks: there, want: "not a public address"},
		"leading through NAT64 to an office": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "[64:ff9b::a01:203]:443",
			jwks: there, want: "not a public address"},
		"leading through 6to4 to an office": {hosts: iam.IssuerHosts{"example.com:443"}, leadsTo: "[2002:a01:203::1]:443",
			jwks: there, want: "not a public address"},
		"loopback's name, leading elsewhere": {identity: "https://localhost", leadsTo: "93.184.215.14:443", jwks: there,
			want: "localhost leads to 93.184.215.14, not to this machine's loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			foreign := issuer.New(t)
			named := there
			if c.identity != "" {
				named = c.identity
			}
			foreign.Serve(func(discovery map[string]string) {
				discovery["issuer"], discovery["jwks_uri"] = named,
					c.jwks+"/keys"
			})
			asked := false
			issuers := &iam.Issuers{Hosts: c.hosts,
				Dial: func(ctx context.Context, dialer *net.Dialer, network, _ string) (net.Conn, error) {
					asked = true
					if err := dialer.Control(network, c.leadsTo, nil); err != nil {
						return nil, err
					}
					return net.Dial("tcp", strings.TrimPrefix(foreign.URL, "https://"))
				}}
			token, err := iam.ParseWebToken(foreign.Sign(map[string]any{"iss": named, "sub": "u"}))
			if err != nil {
				t.Fatal(err)
			}
			good, err := issuers.Verify(t.Context(), token, []string{foreign.Thumbprint})
			if c.want == "" && (!good || err != nil) {
				t.Errorf("got %v, %v; want it verified", good, err)
			}
			if c.want != "" && (good || !errors.Is(err, iam.ErrIssuer) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, %v; want an error with %q", good, err, c.want)
			}
			if c.unasked && asked {
				t.Error("it was asked")
			}
		})
	}
}

func TestIssuersAreNamedByURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://token.actions.githubusercontent.com":         "token.actions.githubusercontent.com:443",
		"https://oidc.eks.us-east-1.amazonaws.com/id/0123ABC": "oidc.eks.us-east-1.amazonaws.com:443",
		" https://Login.Example.COM.:8443/realms/main/ ":      "login.example.com:8443",
		"https://[2606:2800::1]":                              "[2606:2800::1]:443",
		"http://example.com":                                  "",
		"example.com":                                         "",
		"https://":                                            "",
		"https://user@example.com":                            "",
		"https://example.com?x":                               "",
		"https://example.com#x":                               "",
		"https://example.com:x":                               "",
		"https://example.com:0":                               "",
		"https://*.example.com":                               "",
		"":                                                    "",
	} {
		got, err := iam.ParseIssuerHost(text)
		if got != want || (err == nil) != (want != "") || err != nil && !strings.Contains(err.Error(), "--oidc-issuer") {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
}

package iam

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// issuerTimeout bounds the fetch of an issuer's keys as a whole, and maxDocument each of its two documents in bytes.
	issuerTimeout = 5 * time.Second
	maxDocument   = 1 << 20
	// keysLife is how long keys are used before they are fetched anew, and keysPause how soon after a fetch that failed,
	// or for a token with an unknown key, there is another one: tokens cost their senders nothing.
	keysLife  = 5 * time.Minute
	keysPause = 5 * time.Second
	// mostIssuers is how many issuers' keys are kept.
	mostIssuers = 100
)

// ErrIssuer says that a foreign issuer's keys could not be had. The error that wraps it is a sentence for the user.
var ErrIssuer = errors.New("could not retrieve the verification keys of the token's issuer")

// Issuers are foreign OpenID Connect issuers, whose keys are fetched when a token of theirs comes: by https alone,
// without redirects or proxy, and only from this machine's own loopback and the hosts that the user named, as nothing
// else of Tripod leaves it. The zero value is ready.
type Issuers struct {
	// Hosts may be asked beside loopback. An issuer's keys may be at another one than its discovery document.
	Hosts IssuerHosts
	// Dial connects with a dialer whose Control says whether the address may be connected to; nil means to the network.
	Dial func(ctx context.Context, dialer *net.Dialer, network, address string) (net.Conn, error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu    sync.Mutex
	known map[string]*issuerKeys // by issuer and thumbprints
}

// issuerKeys are an issuer's public keys by their ids.
type issuerKeys struct {
	mu      sync.Mutex
	byID    map[string]crypto.PublicKey
	fetched time.Time
	tried   time.Time // when the last fetch was, which ended with err
	err     error
}

// Verify says whether the token is signed by its issuer. The issuer's certificate must be one that the system trusts,
// or the chain it shows holds a certificate with one of the thumbprints (SHA-1 in hex), as an IAM OIDC provider has
// them. The error wraps ErrIssuer.
func (i *Issuers) Verify(ctx context.Context, token WebToken, thumbprints []string) (bool, error) {
	keys := i.of(strings.Join(append([]string{token.Issuer}, thumbprints...), " "))
	keys.mu.Lock()
	defer keys.mu.Unlock()
	now := i.now()
	if (keys.byID[token.KeyID] == nil || now.Sub(keys.fetched) > keysLife) && now.Sub(keys.tried) > keysPause {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), issuerTimeout) // others wait for it, too
		defer cancel()
		byID, err := i.fetchKeys(ctx, token.Issuer, thumbprints)
		if keys.tried, keys.err = now, err; err == nil {
			keys.byID, keys.fetched = byID, now
		}
	}
	public := keys.byID[token.KeyID]
	if keys.err != nil && (public == nil || now.Sub(keys.fetched) > keysLife) {
		return false, fmt.Errorf("%w %s: %w", ErrIssuer, token.Issuer, keys.err)
	}
	return public != nil && token.SignedBy(public), nil
}

// of is the issuer's entry, which one caller at a time uses.
func (i *Issuers) of(key string) *issuerKeys {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known[key] == nil {
		if i.known == nil || len(i.known) >= mostIssuers {
			i.known = map[string]*issuerKeys{}
		}
		i.known[key] = &issuerKeys{}
	}
	return i.known[key]
}

func (i *Issuers) now() time.Time {
	if i.Now == nil {
		return time.Now()
	}
	return i.Now()
}

// fetchKeys reads the issuer's discovery document and the key set that it names.
func (i *Issuers) fetchKeys(ctx context.Context, issuer string, thumbprints []string) (map[string]crypto.PublicKey,
	error) {
	client := i.client(thumbprints)
	defer client.CloseIdleConnections()
	var discovery struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := fetch(ctx, client, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration",
		&discovery); err != nil {
		return nil, err
	}
	if discovery.Issuer != issuer {
		return nil, errors.New("its discovery document is another issuer's")
	}
	var set struct {
		Keys []webKey `json:"keys"`
	}
	if err := fetch(ctx, client, discovery.JWKSURI, &set); err != nil {
		return nil, err
	}
	keys := map[string]crypto.PublicKey{}
	for _, one := range set.Keys {
		if public := one.public(); public != nil && (one.Use == "" || one.Use == "sig") {
			keys[one.KeyID] = public
		}
	}
	return keys, nil
}

func fetch(ctx context.Context, client *http.Client, address string, into any) error {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("its documents have no https URL")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	var told *url.Error // quotes the URL, which the caller tells
	if errors.As(err, &told) {
		return told.Err
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %d", response.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxDocument:
		return fmt.Errorf("a document of it is longer than %d bytes", maxDocument)
	case json.Unmarshal(text, into) != nil:
		return errors.New("a document of it is not the JSON that it should be")
	}
	return nil
}

// client dials whom it may.
func (i *Issuers) client(thumbprints []string) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			return nil, err
		}
		guard, err := i.Hosts.Guard(host, number)
		if err != nil {
			return nil, err
		}
		raw, err := i.dial(ctx, &net.Dialer{Control: guard}, network, address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, &tls.Config{
			ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // as trusted verifies
			VerifyConnection: func(state tls.ConnectionState) error {
				return trusted(state.PeerCertificates, host,
					thumbprints)
			},
		})
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return conn, nil
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DialTLSContext: dial, MaxResponseHeaderBytes: 64 << 10},
	}
}

func (i *Issuers) dial(ctx context.Context, dialer *net.Dialer, network, address string) (net.Conn, error) {
	if i.Dial == nil {
		return dialer.DialContext(ctx, network, address)
	}
	return i.Dial(ctx, dialer, network, address)
}

// trusted verifies a server's chain by the system's roots, or else by those of its certificates that have one of the
// thumbprints.
func trusted(chain []*x509.Certificate, host string, thumbprints []string) error {
	options := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
	pinned := x509.NewCertPool()
	for _, cert := range chain {
		options.Intermediates.AddCert(cert)
		sum := sha1.Sum(cert.Raw)
		if slices.ContainsFunc(thumbprints,
			func(one string) bool { return strings.EqualFold(one, hex.EncodeToString(sum[:])) }) {
			pinned.AddCert(cert)
		}
	}
	_, err := chain[0].Verify(options)
	if err == nil {
		return nil
	}
	options.Roots = pinned
	if _, pinnedErr := chain[0].Verify(options); pinnedErr == nil {
		return nil
	}
	return fmt.Errorf("its certificate is neither trusted by this system nor of the provider's thumbprints: %w", err)
}

// webKey is a public JSON Web Key (RFC 7517).
type webKey struct {
	Type  string `json:"kty"`
	Use   string `json:"use"`
	KeyID string `json:"kid"`
	N     string `json:"n"`
	E     string `json:"e"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// public is the key, or nil for one that is not understood.
func (k webKey) public() crypto.PublicKey {
	decode := func(text string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return nil
		}
		return raw
	}
	switch k.Type {
	case "RSA":
		n, e := new(big.Int).SetBytes(decode(k.N)), new(big.Int).SetBytes(decode(k.E))
		if n.BitLen() < 2048 || n.BitLen() > 8192 || !e.IsInt64() || e.Int64() < 3 || e.Int64() >= 1<<31 {
			return nil
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}
	case "EC":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(),
			"P-521": elliptic.P521()}[k.Curve]
		if curve == nil {
			return nil
		}
		size := (curve.Params().BitSize + 7) / 8
		x, y := decode(k.X), decode(k.Y)
		if len(x) != size || len(y) != size {
			return nil
		}
		public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil
		}
		return public
	}
	return nil
}

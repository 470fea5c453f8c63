// Package upstream passes calls that Tripod does not have on to another emulator, such as moto, LocalStack or AWS
// Emulator, signed anew.
//
// Nothing of the caller's own credentials leaves: neither signature nor session token. The other emulator sees one
// caller for all.
package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/internal/sdkclient"
)

const (
	// timeout is how long a call may take in all, and connectTimeout to reach the other emulator.
	timeout        = 30 * time.Second
	connectTimeout = 3 * time.Second
	// maxAnswer is the longest answer passed back, in bytes, and maxConnections how many calls run at once; others wait.
	maxAnswer      = 256 << 20
	maxConnections = 64
	maxHeader      = 256 << 10
)

// ErrUnreachable says that the other emulator did not answer. Nothing has been written to the client then.
var ErrUnreachable = errors.New("the upstream emulator does not answer")

// anyCredentials sign for an emulator that takes any signature.
var anyCredentials = aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}

// Upstream is another emulator.
type Upstream struct {
	base *url.URL // http or https, without credentials
	now  func() time.Time
	// files are those of AWS Emulator, and nil for others; remote lets connections leave the machine.
	files  *emulatorFiles
	remote bool

	mu          sync.Mutex
	credentials aws.Credentials
	client      *http.Client
}

// New returns the emulator at base, which ParseUpstream made. Unless remote, nothing but loopback is ever dialled,
// whatever the name resolves to.
func New(base *url.URL, remote bool, now func() time.Time) *Upstream {
	u := &Upstream{base: &url.URL{Scheme: base.Scheme, Host: base.Host}, now: now, remote: remote,
		credentials: anyCredentials}
	if base.Scheme == awsEmulator {
		u.base.Scheme, u.remote = "https", false
		u.files = &emulatorFiles{address: base.Host, dir: base.Path}
		return u
	}
	if base.User != nil {
		u.credentials.AccessKeyID = base.User.Username()
		u.credentials.SecretAccessKey, _ = base.User.Password()
	}
	u.client = newClient(remote, nil)
	return u
}

// reach returns with what to sign, and the client to call with. AWS Emulator's are those of its latest start.
func (u *Upstream) reach() (aws.Credentials, *http.Client, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.files == nil {
		return u.credentials, u.client, nil
	}
	current, fresh, err := u.files.latest()
	if err != nil {
		return aws.Credentials{}, nil, err
	}
	if fresh {
		if u.client != nil {
			u.client.CloseIdleConnections()
		}
		u.credentials, u.client = current.credentials, newClient(u.remote, u.files.tlsConfig(current))
	}
	return u.credentials, u.client, nil
}

// newClient returns a client that reaches only the emulator: trust is nil where the machine's own authorities count.
func newClient(remote bool, trust *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout}
	if !remote {
		dialer.Control = onlyLoopback
	}
	return &http.Client{
		Timeout: timeout,
		// A redirect is the client's affair: following it could lead the call anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:       nil, // not even one that the environment names
			DialContext: dialer.DialContext, MaxConnsPerHost: maxConnections, MaxIdleConnsPerHost: 8, IdleConnTimeout: timeout,
			MaxResponseHeaderBytes: maxHeader, TLSHandshakeTimeout: connectTimeout, DisableCompression: true,
			TLSClientConfig: trust,
		},
	}
}

func onlyLoopback(_, address string, _ syscall.RawConn) error {
	host, err := netip.ParseAddrPort(address)
	if err != nil || !host.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%s is not a loopback address", address)
	}
	return nil
}

// Forward passes r, whose body was read, on and its answer back. The signature is for the service and region of the
// original one. An error wraps ErrUnreachable; once the answer has begun, it can only be broken off, as
// http.ErrAbortHandler does.
func (u *Upstream) Forward(w http.ResponseWriter, r *http.Request, body []byte, service, region string) error {
	credentials, client, err := u.reach()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	request, err := u.request(r, body, service, region, credentials)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, withoutURL(err))
	}
	defer response.Body.Close()
	copyHeader(w.Header(), response.Header, answerOnly)
	w.WriteHeader(response.StatusCode)
	n, err := io.Copy(flushing{w, http.NewResponseController(w)}, io.LimitReader(response.Body, maxAnswer+1))
	if err != nil || n > maxAnswer {
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (u *Upstream) request(r *http.Request, body []byte, service, region string,
	credentials aws.Credentials) (*http.Request, error) {
	target := *u.base
	target.Path, target.RawPath = r.URL.Path, r.URL.RawPath
	target.RawQuery = withoutSignature(r.URL.RawQuery)
	request, err := http.NewRequestWithContext(r.Context(), r.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request's path or method cannot be passed on")
	}
	copyHeader(request.Header, r.Header, requestOnly)
	return request, sdkclient.Sign(context.WithoutCancel(r.Context()), request, body, credentials, service, region, u.now())
}

// withoutSignature is a query without what a presigned URL adds. Of the others the signer makes the order.
func withoutSignature(query string) string {
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		if err != nil {
			decoded = name
		}
		switch strings.ToLower(decoded) {
		case "", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders",
			"x-amz-signature", "x-amz-security-token":
		default:
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// Headers that are not passed on: those between two ends of one connection (RFC 9110, 7.6.1) both ways; on the way
// there those of the caller's signature and network; on the way back those that a browser would act on, and the
// request's id, which is ours.
var (
	hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade"}
	requestOnly = []string{"Authorization", "X-Amz-Security-Token", "X-Amz-Date", "X-Amz-Content-Sha256",
		"X-Amz-S3session-Token", "Date", "Host", "Content-Length",
		"Cookie", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Expect",
		"Accept-Encoding"}
	answerOnly = []string{"Set-Cookie", "X-Amzn-Requestid", "Strict-Transport-Security", "Alt-Svc", "Clear-Site-Data",
		"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"}
)

func copyHeader(to, from http.Header, without []string) {
	dropped := map[string]bool{}
	for _, names := range [][]string{hopByHop, without} {
		for _, name := range names {
			dropped[name] = true
		}
	}
	for _, line := range from["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			dropped[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	for name, values := range from {
		if !dropped[name] {
			to[name] = append([]string(nil), values...)
		}
	}
}

// withoutURL is a client's error without the URL, whose query may hold secrets.
func withoutURL(err error) error {
	var told *url.Error
	if errors.As(err, &told) {
		return told.Err
	}
	return err
}

// flushing shows every piece of an answer at once: it may be a stream.
type flushing struct {
	io.Writer
	controller *http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		f.controller.Flush() // where the connection cannot, the piece just comes later
	}
	return n, err
}

package podcmd

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// curlOptions are those that change no file and speak HTTP/1.1.
type curlOptions struct {
	silent, showError, fail, failBody, follow, verbose, include, head, insecure, query *bool
	output, format, method, agent, user, roots                                         *string
	headers, data, raw, places, more                                                   *[]string
	whole, connect                                                                     *float64
	urls                                                                               []string
}

func parseCurl(argv []string) (o curlOptions, ok bool) {
	flags := pflag.NewFlagSet("curl", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o = curlOptions{
		silent: flags.BoolP("silent", "s", false, ""), showError: flags.BoolP("show-error", "S", false, ""),
		fail: flags.BoolP("fail", "f", false, ""), failBody: flags.Bool("fail-with-body", false, ""),
		follow: flags.BoolP("location", "L", false, ""), verbose: flags.BoolP("verbose", "v", false, ""),
		include: flags.BoolP("include", "i", false, ""), head: flags.BoolP("head", "I", false, ""),
		insecure: flags.BoolP("insecure", "k", false, ""), query: flags.BoolP("get", "G", false, ""),
		output: flags.StringP("output", "o", "-", ""), format: flags.StringP("write-out", "w", "", ""),
		method: flags.StringP("request", "X", "", ""), agent: flags.StringP("user-agent", "A", "curl/8.14.1", ""),
		user: flags.StringP("user", "u", "", ""), roots: flags.String("cacert", "", ""),
		headers: flags.StringArrayP("header", "H", nil, ""), data: flags.StringArrayP("data", "d", nil, ""),
		raw: flags.StringArray("data-raw", nil, ""), places: flags.StringArray("resolve", nil, ""), more: flags.StringArray("url", nil, ""),
		whole: flags.Float64P("max-time", "m", 0, ""), connect: flags.Float64("connect-timeout", 0, ""),
	}
	for long, short := range map[string]string{"globoff": "g", "disable": "q", "no-buffer": "N", "ipv4": "4", "progress-bar": "#",
		"no-progress-meter": "", "compressed": "", "http1.1": ""} {
		flags.BoolP(long, short, false, "")
	}
	flags.String("noproxy", "", "")
	flags.String("interface", "", "") // a pod has one
	err := flags.Parse(argv[1:])
	o.urls = append(*o.more, flags.Args()...)
	return o, err == nil && (*o.output == "-" || *o.output == "/dev/null")
}

// curl makes requests, in curl's words and with its exit codes, but without its progress meter.
func (s *shell) curl(to streams, argv []string) (code int, err error) {
	n, err := s.network(argv)
	if err != nil {
		return 1, err
	}
	o, ok := parseCurl(argv)
	if !ok {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	if len(o.urls) == 0 {
		return s.complain(2, "curl: (2) no URL specified")
	}
	for _, text := range o.urls {
		u, ok := parseURL(text)
		if !ok {
			return s.complain(3, "curl: (3) URL rejected: Malformed input to a URL function")
		}
		if code, err = s.curlOne(n, to, &o, u); err != nil {
			return code, err
		}
	}
	return code, nil
}

// curled is how one URL has gone.
type curled struct {
	began  time.Time
	answer *httpAnswer
	url    *url.URL
	code   int
	why    string
	size   int64
	first  time.Time // of the answer's head
}

func (s *shell) curlOne(n Networked, to streams, o *curlOptions, u *url.URL) (int, error) {
	c := curled{began: s.host.Now(), url: u}
	err := s.curlFollow(n, to, o, &c)
	if c.answer != nil && c.answer.conn != nil {
		c.answer.conn.Close()
	}
	if err != nil {
		return 1, err
	}
	if c.code != 0 && (!*o.silent || *o.showError) {
		if _, err := s.complain(0, "curl: (%d) %s", c.code, c.why); err != nil {
			return 1, err
		}
	}
	if *o.format != "" {
		if err := s.print(to, c.formatted(s.host.Now(), *o.format)); err != nil {
			return 1, err
		}
	}
	return c.code, nil
}

const mostRedirects = 50

// curlFollow makes the request, and those that the answers lead to.
func (s *shell) curlFollow(n Networked, to streams, o *curlOptions, c *curled) error {
	for range mostRedirects + 1 {
		call, err := s.curlCall(o, c)
		if err != nil || c.code != 0 {
			return err
		}
		c.answer, err = s.do(n, call)
		var failed *callError
		if errors.As(err, &failed) {
			c.code, c.why = curlTrouble(failed, c, s.host.Now(), call)
			if *o.verbose && failed.stage == stageConnect {
				_, err = s.complain(0, "* connect to %s failed: %s", c.answer.at, trouble(n, failed.err))
				return err
			}
			return nil
		}
		if err != nil {
			return err
		}
		c.first = s.host.Now()
		next, err := c.answer.Location()
		if *o.follow && err == nil && c.answer.StatusCode/100 == 3 {
			c.answer.conn.Close()
			c.url = next
			continue
		}
		return s.curlBody(to, o, c, call)
	}
	c.code, c.why = 47, fmt.Sprintf("Maximum (%d) redirects followed", mostRedirects)
	return nil
}

func (s *shell) curlCall(o *curlOptions, c *curled) (httpCall, error) {
	call := httpCall{url: c.url, header: http.Header{"User-Agent": {*o.agent}, "Accept": {"*/*"}}, trusts: *o.insecure,
		connect: seconds(*o.connect), places: placesFrom(*o.places)}
	if *o.whole > 0 {
		call.whole = c.began.Add(seconds(*o.whole))
	}
	for _, h := range *o.headers {
		name, value, _ := strings.Cut(h, ":")
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			call.host = value
		} else if value == "" {
			call.header.Del(name)
		} else {
			call.header.Set(name, value)
		}
	}
	if *o.user != "" {
		call.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(*o.user)))
	}
	data := strings.Join(append(*o.data, *o.raw...), "&")
	if strings.HasPrefix(data, "@") {
		return call, unreadable("curl sends a file")
	}
	call.method = cmp.Or(*o.method, map[bool]string{true: http.MethodHead}[*o.head], http.MethodGet)
	if *o.query {
		u := *c.url
		u.RawQuery = strings.Trim(u.RawQuery+"&"+data, "&")
		call.url = &u
	} else if len(*o.data)+len(*o.raw) > 0 {
		call.body = []byte(data)
		call.method = cmp.Or(*o.method, http.MethodPost)
		if call.header.Get("Content-Type") == "" {
			call.header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	if *o.roots != "" {
		file, _ := s.host.File(*o.roots)
		if call.roots = x509.NewCertPool(); !call.roots.AppendCertsFromPEM([]byte(file.Content)) {
			c.code, c.why = 77, "error setting certificate verify locations:  CAfile: "+*o.roots+" CApath: none"
		}
	}
	return call, nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// placesFrom reads HOST:PORT:ADDRESS of --resolve.
func placesFrom(list []string) map[string]netip.Addr {
	places := map[string]netip.Addr{}
	for _, text := range list {
		parts := strings.SplitN(text, ":", 3)
		if len(parts) != 3 {
			continue
		}
		if at, err := netip.ParseAddr(parts[2]); err == nil {
			places[parts[0]+":"+parts[1]] = at
		}
	}
	return places
}

// curlTrouble is curl's exit code and sentence.
func curlTrouble(failed *callError, c *curled, now time.Time, call httpCall) (int, string) {
	host, port, took := c.url.Hostname(), portOf(c.url), now.Sub(c.began).Milliseconds()
	switch failed.stage {
	case stageName:
		return 6, "Could not resolve host: " + host
	case stageConnect:
		switch limited := call.connect > 0 && call.connect < patience || !call.whole.IsZero(); {
		case errors.Is(failed.err, ErrRefused):
			return 7, fmt.Sprintf("Failed to connect to %s port %d after %d ms: Could not connect to server", host, port, took)
		case limited:
			return 28, fmt.Sprintf("Connection timed out after %d milliseconds", took)
		}
		return 28, fmt.Sprintf("Failed to connect to %s port %d after %d ms: Could not connect to server", host, port, took)
	case stageTLS:
		var unknown x509.UnknownAuthorityError
		if errors.As(failed.err, &unknown) {
			return 60, "SSL certificate problem: unable to get local issuer certificate"
		}
		var other x509.HostnameError
		if errors.As(failed.err, &other) {
			return 60, fmt.Sprintf("SSL: no alternative certificate subject name matches target host name '%s'", host)
		}
		return 35, "TLS connect error: error:0A00010B:SSL routines::wrong version number"
	}
	switch {
	case isTimeout(failed.err):
		return 28, fmt.Sprintf("Operation timed out after %d milliseconds with 0 bytes received", took)
	case errors.Is(failed.err, io.EOF), errors.Is(failed.err, io.ErrUnexpectedEOF):
		return 52, "Empty reply from server"
	}
	return 56, "Recv failure: Connection reset by peer"
}

// curlBody prints what came.
func (s *shell) curlBody(to streams, o *curlOptions, c *curled, call httpCall) error {
	if *o.verbose {
		if err := s.curlVerbose(c, call); err != nil {
			return err
		}
	}
	if *o.output == "/dev/null" {
		to.silent = true
	}
	if *o.include || *o.head {
		if err := s.print(to, headOf(c.answer.Response)); err != nil {
			return err
		}
	}
	if c.answer.StatusCode >= 400 && (*o.fail || *o.failBody) {
		c.code, c.why = 22, fmt.Sprintf("The requested URL returned error: %d", c.answer.StatusCode)
		if *o.fail {
			return nil
		}
	}
	buffer := make([]byte, 16<<10)
	for {
		got, err := c.answer.Body.Read(buffer)
		c.size += int64(got)
		if printed := s.print(to, string(buffer[:got])); printed != nil {
			return printed
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil && isTimeout(err):
			c.code, c.why = 28, fmt.Sprintf("Operation timed out after %d milliseconds with %d bytes received",
				s.host.Now().Sub(c.began).Milliseconds(), c.size)
			return nil
		case err != nil:
			c.code, c.why = 18, "transfer closed with outstanding read data remaining"
			return nil
		}
	}
}

// headOf is the head of an answer, as it was sent but for the order of its lines.
func headOf(r *http.Response) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\r\n", r.Proto, r.Status)
	header := r.Header.Clone()
	if r.ContentLength >= 0 && r.Header.Get("Content-Length") == "" {
		header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	header.Write(&b)
	b.WriteString("\r\n")
	return b.String()
}

func (s *shell) curlVerbose(c *curled, call httpCall) error {
	a := c.answer
	var b strings.Builder
	fmt.Fprintf(&b, "*   Trying %s...\n* Connected to %s (%s) port %d\n", a.at, c.url.Hostname(), a.at.Addr(), a.at.Port())
	fmt.Fprintf(&b, "> %s %s HTTP/1.1\n> Host: %s\n", call.method, call.url.RequestURI(), cmp.Or(call.host, c.url.Host))
	for _, part := range []struct{ mark, head string }{
		{">", headerLines(call.header)}, {"<", strings.TrimSuffix(headOf(a.Response), "\r\n")}} {
		for line := range strings.SplitSeq(strings.TrimSuffix(part.head, "\r\n"), "\r\n") {
			fmt.Fprintf(&b, "%s %s\n", part.mark, line)
		}
		b.WriteString(part.mark + " \n")
	}
	return s.print(streams{stderr: true}, b.String())
}

func headerLines(h http.Header) string {
	var b bytes.Buffer
	h.Write(&b)
	return b.String()
}

// formatted is what -w prints: the variables of which people ask.
func (c *curled) formatted(now time.Time, format string) string {
	since := func(t time.Time) string {
		if t.IsZero() {
			return "0.000000"
		}
		return fmt.Sprintf("%.6f", t.Sub(c.began).Seconds())
	}
	status, kind, connections, a := 0, "", 0, c.answer
	if a == nil {
		a = &httpAnswer{}
	}
	if a.Response != nil {
		status, kind = a.StatusCode, a.Header.Get("Content-Type")
	}
	if a.conn != nil {
		connections = 1
	}
	address, port := "", "0"
	if a.at.IsValid() {
		address, port = a.at.Addr().String(), strconv.Itoa(int(a.at.Port()))
	}
	return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", "%%", "%",
		"%{http_code}", fmt.Sprintf("%03d", status), "%{response_code}", fmt.Sprintf("%03d", status),
		"%{time_total}", since(now), "%{time_connect}", since(a.connected), "%{time_namelookup}", since(a.found),
		"%{time_starttransfer}", since(c.first), "%{size_download}", strconv.FormatInt(c.size, 10),
		"%{remote_ip}", address, "%{remote_port}", port, "%{url_effective}", c.url.String(), "%{url}", c.url.String(),
		"%{num_connects}", strconv.Itoa(connections), "%{exitcode}", strconv.Itoa(c.code), "%{errormsg}", c.why,
		"%{content_type}", kind, "%{scheme}", c.url.Scheme).Replace(format)
}

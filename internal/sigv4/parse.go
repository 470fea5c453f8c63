package sigv4

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	// TimeFormat is how X-Amz-Date is written: basic ISO 8601 in UTC.
	TimeFormat = "20060102T150405Z"
	dateFormat = "20060102"
)

// Signature is what a request says about how it was signed. Nothing of it is proven before Verify.
type Signature struct {
	// Presigned says that the signature stood in the query and not in the Authorization header.
	Presigned bool
	// AccessKeyID, Date (YYYYMMDD), Region and Service are the credential scope's parts.
	AccessKeyID, Date, Region, Service string
	// SignedHeaders are lower-case names in ascending order.
	SignedHeaders []string
	// Time is when the request says it was signed.
	Time time.Time
	// Expires is how long a presigned URL may be used after Time; 0 for header signatures and where absent.
	Expires time.Duration
	// SessionToken is the temporary credentials' token, empty for long-term keys.
	SessionToken string

	mac []byte
}

// Parse reads the signature of a request. A request without any gives ErrMissing; one that cannot be understood, or
// that leaves open which of two values counts, an Error of kind Incomplete.
func Parse(r *http.Request) (*Signature, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, incomplete("The query string is malformed.")
	}
	params, err := authParams(query)
	if err != nil {
		return nil, err
	}
	header := r.Header.Values("Authorization")
	_, presigned := params["x-amz-algorithm"]
	if !presigned {
		_, presigned = params["x-amz-signature"]
	}
	switch {
	case len(header) > 1:
		return nil, incomplete("The request has more than one Authorization header.")
	case len(header) == 1 && presigned:
		return nil, incomplete("The request is signed in both the Authorization header and the query string; only " +
			"one is allowed.")
	case presigned:
		return parseQuery(params)
	case len(header) == 1:
		return parseHeader(r, header[0])
	}
	return nil, ErrMissing
}

// authParams are the query's X-Amz-* parameters under lower-case names. None may come twice in any letter case,
// or the signature could cover one value while somebody reads the other (CVE-2022-2385).
func authParams(query url.Values) (map[string]string, error) {
	params := make(map[string]string)
	for name, values := range query {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") {
			continue
		}
		if _, twice := params[lower]; twice || len(values) != 1 {
			return nil, incomplete("The query parameter %s must not be given more than once.", printable(name))
		}
		params[lower] = values[0]
	}
	return params, nil
}

func parseQuery(params map[string]string) (*Signature, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders",
		"X-Amz-Date"} {
		if params[strings.ToLower(name)] == "" {
			return nil, incomplete("AWS query-string parameters must include '%s'.", name)
		}
	}
	if params["x-amz-algorithm"] != algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': %s.", printable(params["x-amz-algorithm"]))
	}
	s := &Signature{Presigned: true, SessionToken: params["x-amz-security-token"]}
	if err := s.fill(params["x-amz-credential"], params["x-amz-signedheaders"], params["x-amz-signature"],
		params["x-amz-date"]); err != nil {
		return nil, err
	}
	if text, given := params["x-amz-expires"]; given {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 || seconds > 604800 || text != strconv.Itoa(seconds) {
			return nil, incomplete("X-Amz-Expires must be a number of seconds from 0 to 604800.")
		}
		s.Expires = time.Duration(seconds) * time.Second
	}
	return s, nil
}

func parseHeader(r *http.Request, header string) (*Signature, error) {
	scheme, rest, _ := strings.Cut(header, " ")
	if scheme != algorithm {
		return nil, incomplete("Unsupported authorization type: only %s is supported.", algorithm)
	}
	parts := make(map[string]string, 3)
	for field := range strings.SplitSeq(rest, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(field), "=")
		if _, twice := parts[name]; twice || !found {
			return nil, incomplete("The Authorization header is not a list of distinct key=value pairs.")
		}
		parts[name] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			return nil, incomplete("Authorization header requires '%s' parameter.", name)
		}
	}
	if len(parts) != 3 {
		return nil, incomplete("The Authorization header has parameters beyond Credential, SignedHeaders and Signature.")
	}
	for _, name := range []string{"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token"} {
		if len(r.Header.Values(name)) > 1 {
			return nil, incomplete("The header %s must not be given more than once.", name)
		}
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		// The specification allows the Date header instead, in its own format.
		t, err := http.ParseTime(r.Header.Get("Date"))
		if err != nil {
			return nil, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' " +
				"header.")
		}
		date = t.UTC().Format(TimeFormat)
	}
	s := &Signature{SessionToken: r.Header.Get("X-Amz-Security-Token")}
	return s, s.fill(parts["Credential"], parts["SignedHeaders"], parts["Signature"], date)
}

// fill reads the parts that both forms have.
func (s *Signature) fill(credential, signedHeaders, signature, date string) error {
	scope := strings.Split(credential, "/")
	if len(scope) != 5 || scope[4] != terminator || slices.Contains(scope, "") {
		return incomplete("Credential must be of the form <access key id>/YYYYMMDD/<region>/<service>/%s.", terminator)
	}
	s.AccessKeyID, s.Date, s.Region, s.Service = scope[0], scope[1], scope[2], scope[3]

	var err error
	if s.Time, err = time.Parse(TimeFormat, date); err != nil {
		return incomplete("Date must be in ISO-8601 'basic format', such as %s.", TimeFormat)
	}
	s.SignedHeaders = strings.Split(signedHeaders, ";")
	for i, name := range s.SignedHeaders {
		if name == "" || name != strings.ToLower(name) || i > 0 && name <= s.SignedHeaders[i-1] {
			return incomplete("SignedHeaders must be distinct lower-case names in ascending order, separated by " +
				"semicolons.")
		}
	}
	if s.mac, err = hex.DecodeString(signature); err != nil || len(s.mac) != 32 {
		return incomplete("Signature must be 64 hexadecimal digits.")
	}
	return nil
}

// printable is text from a request, fit for a message: without control characters, and too short to hold a signature
// that stands in the wrong place.
func printable(text string) string {
	if len(text) > 40 {
		text = text[:40] + "..."
	}
	return fmt.Sprintf("%q", text)
}

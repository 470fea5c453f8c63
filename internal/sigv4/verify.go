package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// MaxSkew is how far the clocks of client and service may be apart.
const MaxSkew = 5 * time.Minute

const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	mismatchMessage = "The request signature we calculated does not match the signature you provided. Check your AWS " +
		"Secret Access Key and signing method. Consult the service documentation for details."
)

// CheckTime refuses a signature whose time is not now: more than MaxSkew away for one in the header; for a presigned
// URL, more than MaxSkew in the future or past its own expiry.
func (s *Signature) CheckTime(now time.Time) error {
	window := MaxSkew
	if s.Presigned {
		window = s.Expires
	}
	switch stamp := func(t time.Time) string { return t.UTC().Format(TimeFormat) }; {
	case s.Time.After(now.Add(MaxSkew)):
		return &Error{Expired, fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + %.0f min.)",
			stamp(s.Time), stamp(now.Add(MaxSkew)), stamp(now), MaxSkew.Minutes())}
	case now.After(s.Time.Add(window)) && s.Presigned:
		return &Error{Expired, fmt.Sprintf("Signature expired: %s plus X-Amz-Expires is now earlier than %s",
			stamp(s.Time), stamp(now))}
	case now.After(s.Time.Add(window)):
		return &Error{Expired, fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %.0f min.)",
			stamp(s.Time), stamp(now.Add(-MaxSkew)), stamp(now), MaxSkew.Minutes())}
	}
	return nil
}

// CheckScope refuses a credential scoped to another region or service, or to another day than the signature's.
func (s *Signature) CheckScope(region, service string) error {
	switch day := s.Time.Format(dateFormat); {
	case s.Region != region:
		return &Error{Scope, fmt.Sprintf("Credential should be scoped to a valid region, not %s.", printable(s.Region))}
	case s.Service != service:
		return &Error{Scope, fmt.Sprintf("Credential should be scoped to correct service: '%s'.", service)}
	case s.Date != day:
		return &Error{Scope, fmt.Sprintf("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "+
			"date from HTTP: %s != '%s'.", printable(s.Date), day)}
	}
	return nil
}

// CheckHead refuses, before the body is there, what can be refused already: a signature that does not cover what it
// must, and one that is wrong whatever the body is, where the header X-Amz-Content-Sha256 says what the body's hash
// should be.
func (s *Signature) CheckHead(r *http.Request, secret string) error {
	if err := s.checkCoverage(r); err != nil {
		return err
	}
	claimed := r.Header.Get("X-Amz-Content-Sha256")
	if hash, err := hex.DecodeString(claimed); claimed == "" || err != nil || len(hash) != sha256.Size {
		return nil // payloadHash knows what may stand there instead
	}
	return s.match(r, claimed, secret)
}

// Verify recomputes the signature of r with the secret key and compares in constant time. body is the request's whole
// body. It looks at neither clock nor scope: see CheckTime and CheckScope.
func (s *Signature) Verify(r *http.Request, body []byte, secret string) error {
	if err := s.checkCoverage(r); err != nil {
		return err
	}
	payload, err := s.payloadHash(r, body)
	if err != nil {
		return err
	}
	return s.match(r, payload, secret)
}

// match compares the signature with that of the request with a payload of that hash.
func (s *Signature) match(r *http.Request, payload, secret string) error {
	canonical, err := canonicalRequest(r, s.SignedHeaders, payload, s.Service)
	if err != nil {
		return err
	}
	if !hmac.Equal(s.mac, s.compute(canonical, secret)) {
		return &Error{Mismatch, mismatchMessage}
	}
	return nil
}

// checkCoverage demands what the specification does: the host and every X-Amz-* header are signed, and a name that is
// signed is there. An unsigned X-Amz-* header could be changed or added on the way.
func (s *Signature) checkCoverage(r *http.Request) error {
	if !slices.Contains(s.SignedHeaders, "host") {
		return &Error{Mismatch, "'Host' must be a 'SignedHeader' in the AWS Authorization."}
	}
	for name := range r.Header {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "x-amz-") && !slices.Contains(s.SignedHeaders, lower) {
			return &Error{Mismatch, fmt.Sprintf("%s must be a 'SignedHeader' in the AWS Authorization.",
				printable(name))}
		}
	}
	return nil
}

// payloadHash is what stands for the body in the canonical request. X-Amz-Content-Sha256, where present, must tell
// the truth: signing a hash that nobody compares with the body would leave the body unsigned.
func (s *Signature) payloadHash(r *http.Request, body []byte) (string, error) {
	sum := sha256.Sum256(body)
	actual := hex.EncodeToString(sum[:])
	claimed := r.Header.Get("X-Amz-Content-Sha256")
	switch {
	case s.Service == "s3" && (claimed == unsignedPayload || claimed == "" && s.Presigned):
		return unsignedPayload, nil
	case claimed == "" || claimed == actual:
		return actual, nil
	}
	return "", &Error{Payload, "The provided 'x-amz-content-sha256' header does not match what was computed."}
}

// compute is the specification's steps 2 to 4: string to sign, signing key, signature.
func (s *Signature) compute(canonical, secret string) []byte {
	sum := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{
		algorithm,
		s.Time.Format(TimeFormat),
		strings.Join([]string{s.Date, s.Region, s.Service, terminator}, "/"),
		hex.EncodeToString(sum[:]),
	}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.Date, s.Region, s.Service, terminator, toSign} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return key
}

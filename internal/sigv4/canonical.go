package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest is the specification's step 1.
func canonicalRequest(r *http.Request, signedHeaders []string, payloadHash, service string) (string, error) {
	query, err := canonicalQuery(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, line := range []string{r.Method, canonicalPath(r.URL, service), query} {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	for _, name := range signedHeaders {
		value, there := headerValue(r, name)
		if !there {
			return "", &Error{Mismatch, "The signed header " + printable(name) + " is missing from the request."}
		}
		b.WriteString(name + ":" + value + "\n")
	}
	b.WriteString("\n" + strings.Join(signedHeaders, ";") + "\n" + payloadHash)
	return b.String(), nil
}

// canonicalPath is the path as it stood on the wire, encoded once more: all services but S3 sign it so. Dot segments
// are not removed, as the AWS SDKs for Go and Java do not; the router does not either, so that what was signed is what
// is routed.
func canonicalPath(u *url.URL, service string) string {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if service == "s3" {
		return path
	}
	return encode(path, true)
}

// canonicalQuery has every parameter but the signature itself, each name and value decoded and strictly encoded again,
// sorted by name and then value.
func canonicalQuery(raw string) (string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", incomplete("The query string is malformed.")
	}
	type pair struct{ name, value string }
	var pairs []pair
	for name, list := range values {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, value := range list {
			pairs = append(pairs, pair{encode(name, false), encode(value, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	lines := make([]string, len(pairs))
	for i, p := range pairs {
		lines[i] = p.name + "=" + p.value
	}
	return strings.Join(lines, "&"), nil
}

// headerValue is a signed header's canonical value: trimmed, inner runs of spaces folded, several values joined by
// commas. net/http keeps the host apart from the headers, and so it may the length.
func headerValue(r *http.Request, name string) (string, bool) {
	if name == "host" {
		return r.Host, true
	}
	values := r.Header.Values(name)
	if len(values) == 0 {
		if name == "content-length" && r.ContentLength >= 0 {
			return strconv.FormatInt(r.ContentLength, 10), true
		}
		return "", false
	}
	folded := make([]string, len(values))
	for i, value := range values {
		folded[i] = fold(value)
	}
	return strings.Join(folded, ","), true
}

func fold(value string) string {
	value = strings.TrimSpace(value)
	for strings.Contains(value, "  ") {
		value = strings.ReplaceAll(value, "  ", " ")
	}
	return value
}

// encode is the specification's UriEncode: everything but RFC 3986's unreserved characters, in upper-case hex.
func encode(text string, keepSlash bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~',
			c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

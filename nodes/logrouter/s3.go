package logrouter

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// S3 puts records into objects of a bucket, a line of JSON each, compressed: PREFIX/NODE/2026/11/29/08/00-ID.gz, by the time of the
// first of them. It is for a Router that gathers for long.
type S3 struct {
	URL            *url.URL // of the endpoint
	Bucket, Prefix string
	Node           string
	Calls          *http.Client
	Sign           func(ctx context.Context, request *http.Request, body []byte) error
}

// Send is Output's.
func (s S3) Send(ctx context.Context, records []Record) error {
	var body bytes.Buffer
	packer := gzip.NewWriter(&body)
	for _, r := range records {
		packer.Write(r.JSON())
		packer.Write([]byte("\n"))
	}
	if err := packer.Close(); err != nil {
		return err
	}
	first := records[0].At
	for _, r := range records {
		if r.At.Before(first) {
			first = r.At
		}
	}
	key := path.Join(s.Prefix, s.Node, first.UTC().Format("2006/01/02/15/04")+"-"+strings.ToLower(rand.Text()[:10])+".gz")
	status, answer, err := post(ctx, s.Calls, http.MethodPut, s.URL.JoinPath(s.Bucket, key).String(),
		http.Header{"Content-Type": {"application/gzip"}}, body.Bytes(), s.Sign)
	if err == nil && status >= 300 {
		err = fmt.Errorf("HTTP %d: %s", status, strings.TrimSpace(cut(string(answer), 300)))
	}
	if err != nil {
		return fmt.Errorf("put %s into the bucket %s: %w", key, s.Bucket, err)
	}
	return nil
}

// Gather is for how long a router gathers records for an object.
func (S3) Gather() time.Duration { return time.Minute }

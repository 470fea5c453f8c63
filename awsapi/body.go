package awsapi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"

	"tripod/awsapi/wire"
)

// maxBody is how large a request's body may be, in bytes, where its service does not say: policies of IAM, user data of
// EC2, configurations of EKS, and what is passed on. A form takes three bytes for a character that it must escape, and
// JSON six.
const maxBody = 1 << 20

// bodyLimit is how large a call's body may be, as far as its header says which operation it calls.
func (s *server) bodyLimit(x *exchange, r *http.Request) int64 {
	if limit, ok := x.service.BodyLimits[targetOf(r)]; ok && x.protocol == wire.AWSJSON {
		return limit
	}
	if x.service.BodyLimit > 0 && s.upstream == nil { // another emulator may have operations that take more
		return x.service.BodyLimit
	}
	return maxBody
}

// readBody reads the whole body, and not one byte of a body that says that it is too long.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, wire.TooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, wire.TooLarge(limit)
	case err != nil:
		return nil, &wire.Error{Code: "RequestTimeoutException", Status: http.StatusBadRequest,
			Message: "The request's body could not be read.",
			Cause:   err}
	}
	return body, nil
}

// inflated is a verified body as its client wrote it, before it compressed it. It may be as large as a body may, so that a small
// request does not become a large one.
func inflated(x *exchange, r *http.Request, body []byte, limit int64) ([]byte, error) {
	if !x.service.Compressed || r.Header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	malformed := func(err error) error {
		return &wire.Error{Code: "SerializationException", Status: http.StatusBadRequest,
			Message: "The request's body is not compressed as its header Content-Encoding says.", Cause: err}
	}
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, malformed(err)
	}
	whole, err := io.ReadAll(io.LimitReader(reader, limit+1))
	switch {
	case err != nil:
		return nil, malformed(err)
	case int64(len(whole)) > limit:
		return nil, wire.TooLarge(limit)
	}
	return whole, nil
}

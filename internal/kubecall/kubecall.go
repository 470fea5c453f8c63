// Package kubecall makes single requests of a Kubernetes API with nothing between: no client library's retries, limits or caches.
package kubecall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// NewRequest makes a request with a body as JSON, of a merge patch where the method is PATCH; nil: it has none. bearer is the caller's
// token, or empty.
func NewRequest(ctx context.Context, method, url, bearer string, body any) (*http.Request, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	return request, nil
}

// mostAnswer bounds what is read of one answer, in bytes.
const mostAnswer = 256 << 20

// Do sends a request and decodes the answer into out, if that is not nil. A status of 400 or more is a *StatusError.
func Do(calls *http.Client, request *http.Request, out any) error {
	response, err := calls.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return &StatusError{response.StatusCode, string(text[:min(len(text), 200)])}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// StatusError is an answer with a status that is no success, and the begin of its body.
type StatusError struct {
	Code int
	Text string
}

func (e *StatusError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("HTTP %d", e.Code)
	}
	return fmt.Sprintf("HTTP %d: %s", e.Code, e.Text)
}

// Is says whether an error is, or wraps, an answer with that status.
func Is(err error, status int) bool {
	var answer *StatusError
	return errors.As(err, &answer) && answer.Code == status
}

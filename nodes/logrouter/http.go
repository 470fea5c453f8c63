package logrouter

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// post makes a request, and reads what it is answered up to mostAnswer.
func post(ctx context.Context, calls *http.Client, method, to string, header http.Header, body []byte,
	sign func(context.Context, *http.Request, []byte) error) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header = header
	if sign != nil {
		if err := sign(ctx, request, body); err != nil {
			return 0, nil, err
		}
	}
	response, err := calls.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	return response.StatusCode, answer, err
}

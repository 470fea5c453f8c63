// Package tell brings news to a process of a zone, on the unix socket that serves its metrics too.
package tell

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Take calls told for every news that Send sends, in a goroutine of its own: the answer waits for it. News that are not valid are refused,
// and an error of told is the sender's.
func Take[T any](valid func(T) bool, told func(context.Context, T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var news T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&news); err != nil || !valid(news) {
			http.Error(w, "these are no news", http.StatusBadRequest)
			return
		}
		if err := told(r.Context(), news); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// Send brings news to the process that serves Take at a path of a unix socket.
func Send(ctx context.Context, socket, path string, news any) error {
	body, err := json.Marshal(news)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://instance"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		why, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		return fmt.Errorf("it was answered with %s: %s", response.Status, strings.TrimSpace(string(why)))
	}
	return nil
}

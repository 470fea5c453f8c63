package tell

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestNewsArrive, and those that are not valid, or of which nothing comes, are an error of who sends them.
func TestNewsArrive(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	heard := ""
	routes := http.NewServeMux()
	routes.HandleFunc("POST /v1/news", Take(func(news string) bool { return news != "" }, func(_ context.Context, news string) error {
		heard = news
		if news == "bad" {
			return errors.New("the disk is gone")
		}
		return nil
	}))
	server := &http.Server{Handler: routes}
	go server.Serve(listener)
	defer server.Close()
	if err := Send(t.Context(), socket, "/v1/news", "good"); err != nil || heard != "good" {
		t.Errorf("%v, and %q was heard", err, heard)
	}
	for news, want := range map[string]string{"": "400 Bad Request: these are no news", "bad": "500 Internal Server Error: the disk is gone"} {
		if err := Send(t.Context(), socket, "/v1/news", news); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v", news, err)
		}
	}
	if err := Send(t.Context(), socket+"-of-nobody", "/v1/news", "good"); err == nil {
		t.Error("nobody listens, and that is no error")
	}
}

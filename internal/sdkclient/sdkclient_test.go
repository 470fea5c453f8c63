package sdkclient

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// closed is a body of the SDK's: it ends at once where it was closed, and its WriteTo says so with an error.
type closed struct {
	io.Reader
	answered chan struct{}
}

func (c closed) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF { // the answer's head comes before net/http has seen the body's end
		<-c.answered
	}
	return n, err
}

func (c closed) WriteTo(w io.Writer) (int64, error) {
	<-c.answered
	return 0, io.EOF
}

func (closed) Close() error { return nil }

func TestAnAnswerOutlivesTheBodyOfItsRequest(t *testing.T) {
	answer := strings.Repeat("answer ", 10_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, answer[:7])
		w.(http.Flusher).Flush()
		io.WriteString(w, answer[7:])
	}))
	defer server.Close()
	client := New(&http.Transport{}, time.Minute)
	defer client.CloseIdleConnections()
	for range 50 {
		sent := closed{strings.NewReader("body"), make(chan struct{})}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, sent)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 4
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		close(sent.answered)
		got, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(got) != answer {
			t.Fatalf("read %d of %d bytes: %v", len(got), len(answer), err)
		}
	}
}

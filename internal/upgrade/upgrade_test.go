package upgrade

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func dial(t *testing.T, handler http.HandlerFunc) net.Conn {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestEachDirectionEndsAlone: the server reads all to its end, and answers then.
func TestEachDirectionEndsAlone(t *testing.T) {
	raw := dial(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		near, err := Take(w)
		if err != nil {
			t.Error(err)
			return
		}
		defer near.Close()
		text, _ := io.ReadAll(near)
		io.WriteString(near, string(body)+" and "+string(text))
	})
	request, err := http.NewRequest(http.MethodPost, "http://server/", strings.NewReader("asked"))
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := Ask(t.Context(), raw, request)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "said")
	conn.(interface{ CloseWrite() error }).CloseWrite()
	if text, err := io.ReadAll(conn); string(text) != "asked and said" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestARefusalIsAnAnswer(t *testing.T) {
	raw := dial(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	request, err := http.NewRequest(http.MethodPost, "http://server/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	conn, response, err := Ask(t.Context(), raw, request)
	if err != nil || conn != nil {
		t.Fatal(conn, err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusForbidden || string(text) != "no\n" {
		t.Errorf("got %d %q", response.StatusCode, text)
	}
}

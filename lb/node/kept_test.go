package node

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"tripod/region"
)

// rawServer answers each request of its connections by a function that says whether the connection goes on. It returns
// how many connections there were, the health check's too.
func (w *world) rawServer(at string, answer func(r *http.Request, conn net.Conn) bool) *atomic.Int64 {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { l.Close() })
	opened := new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			opened.Add(1)
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					r, err := http.ReadRequest(in)
					if err != nil || !answer(r, conn) {
						return
					}
				}
			}()
		}
	}()
	w.put(at, l.Addr().String())
	return opened
}

func say(conn net.Conn, text string) {
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

func (w *world) behind(at string) {
	w.t.Helper()
	w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(nil, at))
	w.await(strings.Split(at, ":")[0], region.TargetHealthy)
}

func TestConnectionsToTargetsAreKept(t *testing.T) {
	w := newWorld(t)
	opened := w.rawServer("10.0.0.1:80", func(_ *http.Request, conn net.Conn) bool { say(conn, "one"); return true })
	w.behind("10.0.0.1:80")
	before := opened.Load()
	for range 10 {
		if response, body := get(t, w.client(80), "http://web/", nil); response.StatusCode != 200 || body != "one" {
			t.Fatalf("got %s: %s", response.Status, body)
		}
	}
	if n := opened.Load() - before; n != 1 {
		t.Errorf("10 requests took %d connections", n)
	}
}

// A target may close a connection that waits for a request, and say so to nobody: the request goes on another one.
func TestATargetThatClosesKeptConnectionsLosesNoRequest(t *testing.T) {
	w := newWorld(t)
	w.rawServer("10.0.0.1:80", func(_ *http.Request, conn net.Conn) bool { say(conn, "one"); return false })
	w.behind("10.0.0.1:80")
	for range 20 {
		if response, body := get(t, w.client(80), "http://web/", nil); response.StatusCode != 200 || body != "one" {
			t.Fatalf("got %s: %s", response.Status, body)
		}
	}
}

func TestPartsOfAnAnswerAreNotHeldBack(t *testing.T) {
	for name, form := range map[string]struct{ head, first, second string }{
		"of known length":   {"Content-Length: 6\r\n", "one", "two"},
		"of unknown length": {"Transfer-Encoding: chunked\r\n", "3\r\none\r\n", "3\r\ntwo\r\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			goOn := make(chan struct{})
			w.rawServer("10.0.0.1:80", func(r *http.Request, conn net.Conn) bool {
				if r.URL.Path == "/" { // a health check
					say(conn, "")
					return true
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+form.head+"\r\n"+form.first)
				<-goOn
				io.WriteString(conn, form.second)
				return true
			})
			w.behind("10.0.0.1:80")
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://web/slow", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := w.client(80).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			part := make([]byte, 3)
			if _, err := io.ReadFull(response.Body, part); err != nil || string(part) != "one" {
				t.Fatalf("got %q, %v", part, err)
			}
			close(goOn)
			if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != "two" {
				t.Errorf("got %q, %v", rest, err)
			}
		})
	}
}

func TestAnAnswerWithTooLongAHeaderIsRefused(t *testing.T) {
	w := newWorld(t)
	w.rawServer("10.0.0.1:80", func(r *http.Request, conn net.Conn) bool {
		if r.URL.Path == "/" {
			say(conn, "")
			return true
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 2*mostHeader))
		return false
	})
	w.behind("10.0.0.1:80")
	if response, _ := get(t, w.client(80), "http://web/long", nil); response.StatusCode != http.StatusBadGateway {
		t.Errorf("got %s", response.Status)
	}
}

// Trailers and the headers of one hop are what a proxy makes of them.
func TestTrailersPassAndHeadersOfAHopDoNot(t *testing.T) {
	w := newWorld(t)
	w.rawServer("10.0.0.1:80", func(r *http.Request, conn net.Conn) bool {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nKeep-Alive: timeout=5\r\n"+
			"Connection: X-Own\r\nX-Own: 1\r\nSaw: %s%s\r\n\r\n3\r\none\r\n0\r\nX-Sum: 7\r\n\r\n", r.Header.Get("X-Mine"),
			r.Header.Get("Keep-Alive"))
		return true
	})
	w.behind("10.0.0.1:80")
	response, body := get(t, w.client(80), "http://web/", func(r *http.Request) {
		r.Header.Set("X-Mine", "mine")
		r.Header.Set("Keep-Alive", "5")
		r.Header.Set("Connection", "X-Mine")
	})
	if body != "one" || response.Trailer.Get("X-Sum") != "7" || response.Header.Get("X-Own")+response.Header.Get("Keep-Alive") != "" ||
		response.Header.Get("Saw") != "" {
		t.Errorf("got %q, trailer %v, header %v", body, response.Trailer, response.Header)
	}
}

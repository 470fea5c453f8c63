package node

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"tripod/region"
)

// benchTarget answers every request without looking at it, so that what is measured is the load balancer.
func benchTarget(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n%s", strings.Repeat("x", 1024))
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					for {
						line, err := in.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) <= 2 {
							break
						}
					}
					if _, err := conn.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// BenchmarkRequest is a request through an application load balancer on a kept connection, and BenchmarkConnection one
// through a network load balancer. go test -bench . -benchmem -cpu 1 ./lb/node
func BenchmarkRequest(b *testing.B) {
	benchmark(b, region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(nil, "10.0.0.1:80"))
}

func BenchmarkConnection(b *testing.B) {
	benchmark(b, region.NetworkBalancer, listener("TCP", 80, forward(webARN)), tcpGroup(nil, "10.0.0.1:80"))
}

func benchmark(b *testing.B, kind region.BalancerType, l Listener, g Group) {
	w := newWorld(b)
	w.put("10.0.0.1:80", benchTarget(b))
	w.carry(kind, l, g)
	w.await("10.0.0.1", region.TargetHealthy)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := w.dialer(80)(b.Context(), "", "")
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for pb.Next() {
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: web\r\n\r\n")
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	})
}

package lb

import (
	"io"
	"net"
	"testing"
)

// benchServer answers every byte of a ClientHello's first read with one byte, and then sends what it is asked for.
func benchServer(b *testing.B, serve func(net.Conn)) Target {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return Target{Name: "a", Network: "tcp", Address: listener.Addr().String()}
}

// ways runs a benchmark directly against a target and through a balancer.
func ways(b *testing.B, target Target, run func(b *testing.B, address string)) {
	b.Run("direct", func(b *testing.B) { run(b, target.Address) })
	b.Run("balanced", func(b *testing.B) {
		run(b, start(b, Config{Targets: []Target{target}}).Addr().String())
	})
}

func open(b *testing.B, address string) net.Conn {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := conn.Write(clientHello(300)); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
	return conn
}

// BenchmarkConnect is the time from a dial to the first byte of the answer.
func BenchmarkConnect(b *testing.B) {
	ways(b, benchServer(b, named("a")), func(b *testing.B, address string) {
		for b.Loop() {
			reset(open(b, address))
		}
	})
}

// BenchmarkThroughput is a long answer over an open connection.
func BenchmarkThroughput(b *testing.B) {
	chunk := make([]byte, 1<<20)
	target := benchServer(b, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, helloSize))
		_, err := conn.Write([]byte{1})
		for err == nil {
			_, err = conn.Write(chunk)
		}
		_ = conn.Close()
	})
	ways(b, target, func(b *testing.B, address string) {
		conn := open(b, address)
		defer reset(conn)
		b.SetBytes(int64(len(chunk)))
		into := make([]byte, len(chunk))
		for b.Loop() {
			if _, err := io.ReadFull(conn, into); err != nil {
				b.Fatal(err)
			}
		}
	})
}

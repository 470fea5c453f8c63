package lb

import (
	"crypto/tls"
	"net"
	"testing"
)

// realHello is what a Go client sends first.
func realHello(t testing.TB) []byte {
	client, server := net.Pipe()
	defer func() { _ = server.Close() }()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "example.com"}).Handshake()
		_ = client.Close()
	}()
	b := make([]byte, helloSize)
	n, err := server.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func TestOpeningsAreToldApart(t *testing.T) {
	hello := realHello(t)
	for n := range hello {
		want := openingPartial
		if n == 0 {
			want = openingEmpty
		}
		if got := classifyOpening(hello[:n]); got != want {
			t.Fatalf("%d of %d bytes of a ClientHello: got %v, want %v", n, len(hello), got, want)
		}
	}
	// The same handshake message in records of 7 bytes.
	var pieces []byte
	for rest := hello[recordHeader:]; len(rest) > 0; {
		n := min(7, len(rest))
		pieces = append(append(pieces, recordHandshake, 3, 1, 0, byte(n)), rest[:n]...)
		rest = rest[n:]
	}
	join := func(b []byte, more ...byte) []byte { return append(append([]byte(nil), b...), more...) }
	for name, c := range map[string]struct {
		bytes []byte
		want  opening
	}{
		"whole":               {hello, openingHello},
		"in pieces":           {pieces, openingHello},
		"all but one piece":   {pieces[:len(pieces)-1], openingPartial},
		"change cipher spec":  {join(hello, recordCCS, 3, 3, 0, 1, 1), openingHello},
		"early data":          {join(hello, 23, 3, 3, 0, 1), openingFinal},
		"http":                {[]byte("GET / HTTP/1.1\r\n"), openingFinal},
		"not a ClientHello":   {[]byte{recordHandshake, 3, 1, 0, 4, 2, 0, 0, 0}, openingFinal},
		"an empty record":     {[]byte{recordHandshake, 3, 1, 0, 0}, openingPartial},
		"records with no end": {[]byte{recordHandshake, 3, 1, 0, 0, recordHandshake}, openingPartial},
	} {
		if got := classifyOpening(c.bytes); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func FuzzOpening(f *testing.F) {
	f.Add(realHello(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		// What is final stays final, whatever comes after it.
		if classifyOpening(b[:len(b)/2]) == openingFinal && classifyOpening(b) != openingFinal {
			t.Error("bytes that must not be repeated became repeatable")
		}
	})
}

package podcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

// networked is a Host with a network: web answers at 10.100.0.1 port 80, db at 10.100.0.2 with a greeting at 5432; nobody answers at
// 10.100.0.3, and other ports are refused.
type networked struct {
	playing
	ctx    context.Context
	image  string
	in     string
	web    http.Handler
	slept  time.Duration
	output [2]strings.Builder
}

func (n *networked) Context() context.Context { return n.ctx }
func (n *networked) Resolver() netip.Addr     { return netip.MustParseAddr("10.100.0.10") }
func (n *networked) Image() string            { return n.image }

func (n *networked) Sleep(d time.Duration) error {
	n.slept += d.Round(time.Second)
	return n.playing.Sleep(d)
}

func (n *networked) Input() io.Reader {
	if n.in == "" {
		return nil
	}
	return strings.NewReader(n.in)
}

func (n *networked) Output(text string, stderr bool) error {
	n.output[map[bool]int{true: 1}[stderr]].WriteString(text)
	return nil
}

func (n *networked) Lookup(_ context.Context, name string, search bool) (Record, error) {
	const suffix = ".default.svc.cluster.local"
	short, whole := strings.CutSuffix(name, suffix)
	switch {
	case short == "silent":
		return Record{}, ErrNoServer
	case !search && !whole:
		return Record{}, ErrNoName
	}
	address := map[string]string{"web": "10.100.0.1", "db": "10.100.0.2", "lost": "10.100.0.3", "alias": "10.100.0.1"}[short]
	if address == "" {
		return Record{}, ErrNoName
	}
	record := Record{Name: short + suffix, Addresses: []netip.Addr{netip.MustParseAddr(address)}}
	if short == "alias" {
		record.Aliases = []string{"web" + suffix}
	}
	return record, nil
}

func (n *networked) Dial(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	switch to.String() {
	case "10.100.0.1:80":
		near, far := net.Pipe()
		go http.Serve(&once{conn: far}, n.web)
		return near, nil
	case "10.100.0.2:5432":
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			line := make([]byte, 100)
			got, _ := far.Read(line)
			fmt.Fprintf(far, "got %q", line[:got])
		}()
		return near, nil
	}
	if to.Addr() == netip.MustParseAddr("10.100.0.3") {
		return nil, errors.New("dropped")
	}
	return nil, ErrRefused
}

// once is a listener of one connection.
type once struct{ conn net.Conn }

func (o *once) Accept() (net.Conn, error) {
	if conn := o.conn; conn != nil {
		o.conn = nil
		return conn, nil
	}
	return nil, io.EOF
}
func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.TCPAddr{} }

// took are times that depend on the machine.
var took = regexp.MustCompile(`(after|id:) \d+`)

func (n *networked) run(t *testing.T, script string) (code int, said string) {
	t.Helper()
	command, err := Parse([]string{"sh", "-c", script})
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	n.playing.Scene = Scene{Start: start, Until: start.Add(time.Hour)}
	n.playing.now, n.slept, n.output = start, 0, [2]strings.Builder{}
	n.ctx = t.Context()
	code, err = command.Run(n)
	if err != nil {
		return -1, err.Error()
	}
	said = n.output[0].String()
	if text := n.output[1].String(); text != "" {
		said += "!" + text
	}
	return code, took.ReplaceAllString(strings.ReplaceAll(said, "\r\n", "\n"), "$1 N")
}

func webHandler(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/gone":
		http.Error(w, "gone", http.StatusNotFound)
	case "/moved":
		http.Redirect(w, r, "/hello", http.StatusFound)
	case "/closed":
		panic(http.ErrAbortHandler)
	default:
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s%s", r.Method, r.Host, r.URL.RequestURI(), body)
	}
}

func TestCommandsSpeakOverTheNetworkInTheirToolsWords(t *testing.T) {
	n := &networked{web: http.HandlerFunc(webHandler), image: "agnhost"}
	silence := strings.Repeat(";; communications error to 10.100.0.10#53: timed out\n", 3) + ";; no servers could be reached\n"
	tests := []struct {
		script string
		code   int
		want   string
		slept  time.Duration
	}{
		{"curl -s http://web/hello?a=1", 0, "GET web /hello?a=1", 0},
		{"curl -s web -o /dev/null -w '%{http_code} %{remote_ip}\\n'", 0, "200 10.100.0.1\n", 0},
		{"curl -sL http://alias/moved -H 'Host: shop'", 0, "GET shop /hello", 0},
		{"curl -s -d x=1 -d y=2 web/post", 0, "POST web /postx=1&y=2", 0},
		{"curl -sSf http://web/gone", 22, "!curl: (22) The requested URL returned error: 404\n", 0},
		{"curl -s http://web:81", 7, "", 0},
		{"curl http://web:81", 7, "!curl: (7) Failed to connect to web port 81 after N ms: Could not connect to server\n", 0},
		{"curl http://nobody", 6, "!curl: (6) Could not resolve host: nobody\n", 0},
		{"curl --connect-timeout 3 http://lost", 28, "!curl: (28) Connection timed out after N milliseconds\n", 3 * time.Second},
		{"curl http://lost", 28, "!curl: (28) Failed to connect to lost port 80 after N ms: Could not connect to server\n", 127 * time.Second},
		{"curl -s http://lost -m 2 -w '%{http_code}'", 28, "000", 2 * time.Second},
		{"curl http://web/closed", 52, "!curl: (52) Empty reply from server\n", 0},
		{"for i in 1 2 3; do curl -s http://web/; echo; done | sort | uniq -c", 0, "      3 GET web /\n", 0},
		{"wget -qO- http://web/hello", 0, "GET web /hello", 0},
		{"wget -q -O - -T 1 http://web:81", 1, "!wget: can't connect to remote host (10.100.0.1): Connection refused\n", 0},
		{"wget -q -T 1 -O - http://lost 2>&1 || true", 0, "wget: download timed out\n", time.Second},
		{"wget --spider http://web/gone", 1, "!Connecting to web (10.100.0.1:80)\nwget: server returned error: HTTP/1.1 404 Not Found\n", 0},
		{"wget -qO- nobody", 1, "!wget: bad address 'nobody'\n", 0},
		{"nc -vz -w 2 web 80", 0, "!Connection to web (10.100.0.1) 80 port [tcp/http] succeeded!\n", 0},
		{"nc -vz -w 2 10.100.0.1 81", 1, "!nc: connect to 10.100.0.1 port 81 (tcp) failed: Connection refused\n", 0},
		{"nc -vz -w 2 lost 80", 1, "!nc: connect to lost (10.100.0.3) port 80 (tcp) timed out: Operation in progress\n", 2 * time.Second},
		{"nc -z web 81", 1, "", 0},
		{"nc -zv nobody 80", 1, "!nc: getaddrinfo for host \"nobody\" port 80: Name does not resolve\n", 0},
		{"echo hostName | nc -t -w 2 db 5432", 0, `got "hostName\n"`, 0},
		{"nslookup alias", 0, "Server:\t\t10.100.0.10\nAddress:\t10.100.0.10#53\n\nalias.default.svc.cluster.local\tcanonical name = " +
			"web.default.svc.cluster.local.\nName:\tweb.default.svc.cluster.local\nAddress: 10.100.0.1\n\n", 0},
		{"curl silent", 6, "!curl: (6) Could not resolve host: silent\n", 10 * time.Second},
		{"nslookup silent", 1, silence + "\n", 15 * time.Second},
		{"dig silent", 9, "\n; <<>> DiG 9.20.13 <<>> silent\n;; global options: +cmd\n" + silence,
			15 * time.Second},
		{"nslookup nobody", 1, "Server:\t\t10.100.0.10\nAddress:\t10.100.0.10#53\n\n** server can't find nobody: NXDOMAIN\n\n", 0},
		{"dig +short web +search", 0, "10.100.0.1\n", 0},
		{"dig +short web", 0, "", 0},
		{"dig +noall +answer web.default.svc.cluster.local", 0, "web.default.svc.cluster.local.\t5\tIN\tA\t10.100.0.1\n", 0},
		{"getent hosts web", 0, "10.100.0.1      web.default.svc.cluster.local\n", 0},
		{"/agnhost connect --timeout=3s --protocol=tcp web:80", 0, "", 0},
		{"/agnhost connect --timeout=3s web:81", 1, "!REFUSED\n", 0},
		{"/agnhost connect lost:80 --timeout=1s", 1, "!TIMEOUT\n", time.Second},
		{"/agnhost connect nobody:80", 1, "!DNS: lookup nobody on 10.100.0.10:53: no such host\n", 0},
		{"nc -l 80", -1, "not a plain command: nc -l 80", 0},
		{"nc -u web 53", -1, "not a plain command: nc -u web 53", 0},
		{"curl -T f http://web", -1, "not a plain command: curl -T f http://web", 0},
		{"wget http://web", -1, "not a plain command: wget http://web", 0},
	}
	for _, test := range tests {
		if code, said := n.run(t, test.script); code != test.code || said != test.want || n.slept != test.slept {
			t.Errorf("%s:\n got %d after %v: %q\nwant %d after %v: %q", test.script, code, n.slept, said, test.code, test.slept, test.want)
		}
	}
}

func TestBusyboxHasItsOwnWords(t *testing.T) {
	n := &networked{web: http.HandlerFunc(webHandler), image: "busybox"}
	for script, want := range map[string]string{
		"nc -vz web 80":      "!web (10.100.0.1:80) open\n",
		"nc -vz -w 1 web 81": "!nc: web (10.100.0.1:81): Connection refused\n",
		"nc -z nobody 80":    "!nc: bad address 'nobody'\n",
		"nslookup web": "Server:\t\t10.100.0.10\nAddress:\t10.100.0.10:53\n\nName:\tweb.default.svc.cluster.local\n" +
			"Address: 10.100.0.1\n\n",
	} {
		if _, said := n.run(t, script); said != want {
			t.Errorf("%s: got %q", script, said)
		}
	}
}

func TestCurlChecksCertificatesByItsFile(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(webHandler))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	n := &toServer{networked{image: "agnhost"}, server.Listener.Addr().String()}
	for script, want := range map[string]int{"curl -s https://web/": 60, "curl -sk https://web/": 0, "curl -s -m 5 http://web/closed": 0} {
		command, err := Parse(strings.Fields(script))
		if err != nil {
			t.Fatal(err)
		}
		n.ctx = t.Context()
		if code, err := command.Run(n); code != want || err != nil {
			t.Errorf("%s: got %d, %v", script, code, err)
		}
	}
}

// toServer leads all connections to one server of this machine.
type toServer struct {
	networked
	address string
}

func (n *toServer) Dial(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", n.address)
}

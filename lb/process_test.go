package lb

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serveForTest is a zone, as far as a balancer sees it: an HTTPS server in a process of its own. It prints its address
// and its certificate, and ends with its standard input.
func serveForTest(name string) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, name)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that hang up
	server.StartTLS()
	defer server.Close()
	fmt.Println(server.Listener.Addr())
	_ = pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
}

type zone struct {
	target Target
	roots  *x509.CertPool
	cmd    *exec.Cmd
}

func startZone(t *testing.T, name string) *zone {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TRIPOD_LB_TEST_SERVER="+name)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	z := &zone{cmd: cmd, roots: x509.NewCertPool()}
	t.Cleanup(z.kill)
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	z.target = Target{Name: name, Network: "tcp", Address: lines.Text()}
	var certificate strings.Builder
	for lines.Scan() {
		certificate.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "-----END") {
			break
		}
	}
	if !z.roots.AppendCertsFromPEM([]byte(certificate.String())) {
		t.Fatalf("zone %s did not start: %v", name, lines.Err())
	}
	return z
}

func (z *zone) kill() {
	_ = z.cmd.Process.Kill()
	_ = z.cmd.Wait()
}

func (z *zone) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := z.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// greeted opens a connection and waits until a zone begins to answer: up to here a client does not notice a zone's
// death.
func greeted(b *Balancer, hello []byte) error {
	conn, err := net.DialTimeout("tcp", b.Addr().String(), patience)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(hello); err != nil {
		return err
	}
	first := make([]byte, 1)
	if _, err := conn.Read(first); err != nil {
		return err
	}
	if first[0] != recordHandshake {
		return fmt.Errorf("answered with a record of type %d", first[0])
	}
	return nil
}

// TestNoNewConnectionFailsWhileZonesAreKilledAndPaused has clients that open connections all the time, and zones that
// are real processes.
func TestNoNewConnectionFailsWhileZonesAreKilledAndPaused(t *testing.T) {
	zones := []*zone{startZone(t, "a"), startZone(t, "b"), startZone(t, "c")}
	config := &tls.Config{ServerName: "example.com", RootCAs: zones[0].roots} // httptest has one certificate for all
	var targets []Target
	for _, z := range zones {
		targets = append(targets, z.target)
	}
	b := start(t, Config{Targets: targets, Check: HTTPCheck(config, "/readyz", "example.com", nil)})
	for _, z := range zones {
		awaitHealth(t, b, z.target.Name, true)
	}

	hello := realHello(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var opened atomic.Int64
	var clients sync.WaitGroup
	slowest := make([]time.Duration, 4) // one per client
	for i := range slowest {
		clients.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if err := greeted(b, hello); err != nil {
					t.Errorf("new connection %d: %v", opened.Load(), err)
					return
				}
				opened.Add(1)
				slowest[i] = max(slowest[i], time.Since(began))
			}
		})
	}
	more := func() {
		t.Helper()
		before := opened.Load()
		eventually(t, func() string {
			if opened.Load() > before+50 || t.Failed() {
				return ""
			}
			return fmt.Sprintf("%d connections opened", opened.Load())
		})
	}
	more()

	began := time.Now()
	zones[0].kill()
	awaitHealth(t, b, "a", false)
	t.Logf("killed zone: unhealthy after %v", time.Since(began))
	more()

	began = time.Now()
	zones[1].signal(t, syscall.SIGSTOP)
	awaitHealth(t, b, "b", false)
	t.Logf("paused zone: unhealthy after %v", time.Since(began))
	more()

	began = time.Now()
	zones[1].signal(t, syscall.SIGCONT)
	awaitHealth(t, b, "b", true)
	t.Logf("resumed zone: healthy after %v", time.Since(began))
	more()

	cancel()
	clients.Wait()
	t.Logf("%d connections opened, the slowest in %v", opened.Load(), slices.Max(slowest))
}

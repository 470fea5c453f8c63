package nodes

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"

	"tripod/nodes/network"
)

var noAddress netip.AddrPort

// At one socket every address of a zone's nodes and pods is answered: each node by its own kubelet.
func TestOneSocketAnswersForAllAddresses(t *testing.T) {
	conf := testConfig(2)
	names := []string{conf.Machines[0].Name, conf.Machines[1].Name}
	client := fake.NewClientset(newPod("one", names[0], listens(8080)), newPod("two", names[1], listens(80)))
	ca := newAuthority(t)
	cert, key := ca.issue(t)
	serving, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	conf.ServingCert, conf.ClientCAs = func([]netip.Addr) (tls.Certificate, error) { return serving, nil }, ca.pool()
	s := startFake(t, conf, client)
	socket := filepath.Join(t.TempDir(), "nodes.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	dial := func(ctx context.Context, to string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, err
		}
		if err := network.Connect(ctx, conn, netip.MustParseAddrPort("10.0.0.7:1234"), netip.MustParseAddrPort(to)); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
	client2 := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: clientTLS(t, ca), DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return dial(ctx, address)
		}}}
	request := func(url, host string) (string, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := client2.Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	for i, name := range []string{"one", "two"} {
		pod := waitPhase(t, client, name, corev1.PodRunning)
		eventually(t, "the kubelet knows that "+name+" runs", func() (string, bool) {
			return "", len(s.current().pods.At(pod.Status.PodIP)) == 1
		})
		body, err := request("https://"+conf.Machines[i].Address.String()+":10250/pods", "from.a.client:443") // as nodes/proxy
		var list corev1.PodList
		if err != nil || json.Unmarshal([]byte(body), &list) != nil || len(list.Items) != 1 || list.Items[0].Name != name {
			t.Errorf("pods of node %d: %v, %s", i, err, body)
		}
		address := pod.Status.PodIP + map[string]string{"one": ":8080", "two": ":80"}[name]
		if body, err := request("http://"+address+"/", "web"); err != nil || !strings.Contains(body, "Hostname: "+name+"\n") ||
			!strings.Contains(body, "RemoteAddr: 10.0.0.7:1234\n") {
			t.Errorf("pod %s: %v, %s", name, err, body)
		}
	}
	if _, err := dial(t.Context(), "10.0.9.9:80"); !errors.Is(err, network.ErrNoAddress) {
		t.Errorf("an address that nobody has: %v", err)
	}
	if _, err := dial(t.Context(), conf.Machines[0].Address.String()+":80"); err == nil ||
		!strings.HasPrefix(err.Error(), "connection refused: nothing listens on port 80 of node ip-10-0-") {
		t.Errorf("a node's other port: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Serve did not return after Stop")
	}
}

// clientTLS is of a client that the kubelets speak to. Whom it speaks to it does not look at.
func clientTLS(t *testing.T, ca authority) *tls.Config {
	t.Helper()
	cert, key := ca.issue(t)
	conf, err := rest.TLSConfigFor(&rest.Config{TLSClientConfig: rest.TLSClientConfig{CertData: cert, KeyData: key, Insecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

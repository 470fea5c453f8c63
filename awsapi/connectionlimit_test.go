package awsapi_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"tripod/awsapi"
)

// servedWorld is a world whose endpoint is served as a zone serves it.
func servedWorld(t *testing.T) (w *world, address string) {
	t.Helper()
	var front awsapi.Front
	w = newWorld(t, withEvents(t), func(f *awsapi.Front) { front = *f })
	front.Registerer = nil
	listener := listen(t, "tcp", "127.0.0.1:0")
	serve(t, listener, front.Handler(), nil)
	w.url = "http://" + listener.Addr().String()
	return w, listener.Addr().String()
}

// head is a request's beginning up to its body, signed for another body than the one that it announces.
func head(t *testing.T, address string, c aws.Credentials, service, region, target string, at time.Time, length int,
	change func(*http.Request)) []byte {
	t.Helper()
	request, err := http.NewRequest("POST", "http://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256([]byte("another body"))
	if err := v4.NewSigner().SignHTTP(context.Background(), c, request, hex.EncodeToString(sum[:]), service, region,
		at); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", request.Host, length)
	request.Header.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// awaitCut returns once so many of the connections have been cut off.
func awaitCut(t *testing.T, cut *atomic.Int64, want int64) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for cut.Load() < want {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections were cut off, want %d", cut.Load(), want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestUnknownCallersShareOneBudgetOfBytes: a known key's id has bodies read, but never more than the budget of all who
// have not proven that it is theirs, and who has is served meanwhile.
func TestUnknownCallersShareOneBudgetOfBytes(t *testing.T) {
	w, address := servedWorld(t)
	const callers, length, budget = 60, 8<<20 - 100, 16 << 20
	begin := head(t, address, w.admin, "logs", "us-east-1", "Logs_20140328.PutLogEvents", time.Now(), length, nil)
	body := bytes.Repeat([]byte("x"), length-1) // the last byte never comes
	var cut atomic.Int64
	for range callers {
		conn := dial(t, address)
		go func() {
			if _, err := conn.Write(begin); err == nil {
				conn.Write(body)
			}
			io.Copy(io.Discard, conn)
			cut.Add(1)
		}()
	}
	for range 5 {
		if _, err := w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{}); err != nil {
			t.Error(err)
		}
	}
	awaitCut(t, &cut, callers-budget/length)
	if _, err := w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{}); err != nil {
		t.Error(err)
	}
}

func TestUnknownCallersHaveSoManyConnections(t *testing.T) {
	w, address := servedWorld(t)
	client := w.eks(w.admin)
	if _, err := client.ListClusters(context.Background(), &eks.ListClustersInput{}); err != nil {
		t.Fatal(err)
	}
	known := dial(t, address) // whose caller has shown who he is
	request, err := http.NewRequest("GET", w.url+"/clusters", nil)
	if err != nil {
		t.Fatal(err)
	}
	signAs(t, w.admin, "eks")(request)
	ask := func() error {
		if err := request.Write(known); err != nil {
			return err
		}
		response, err := http.ReadResponse(bufio.NewReader(known), request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s %s: %v", response.Status, text, err)
		}
		return nil
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	const budget, more = 512, 100
	var cut atomic.Int64
	for range budget + more {
		conn := dial(t, address)
		go func() {
			io.Copy(io.Discard, conn)
			cut.Add(1)
		}()
	}
	awaitCut(t, &cut, more)
	if err := ask(); err != nil {
		t.Errorf("a known caller's connection: %v", err)
	}
	if _, err := w.eks(w.admin).ListClusters(context.Background(), &eks.ListClustersInput{}); err != nil {
		t.Error(err)
	}
}

// TestWhatTheHeaderTellsIsRefusedBeforeTheBody: the answers come though no byte of the body does.
func TestWhatTheHeaderTellsIsRefusedBeforeTheBody(t *testing.T) {
	w, address := servedWorld(t)
	now := time.Now()
	unknown := aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "x"}
	session := w.admin
	session.SessionToken = "nobody issued this"
	for name, c := range map[string]struct {
		credentials     aws.Credentials
		service, region string
		target          string
		at              time.Time
		length          int
		change          func(*http.Request)
		want            string
	}{
		"unsigned": {w.admin, "logs", "us-east-1", "Logs_20140328.PutLogEvents", now, 8 << 20,
			func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationTokenException"},
		"unknown key": {unknown, "logs", "us-east-1", "Logs_20140328.PutLogEvents", now, 8 << 20, nil,
			"UnrecognizedClientException"},
		"no session": {session, "logs", "us-east-1", "Logs_20140328.PutLogEvents", now, 8 << 20, nil,
			"UnrecognizedClientException"},
		"an old signature": {w.admin, "logs", "us-east-1", "Logs_20140328.PutLogEvents", now.Add(-time.Hour), 8 << 20,
			nil, "Signature expired"},
		"another region": {w.admin, "logs", "eu-west-1", "Logs_20140328.PutLogEvents", now, 8 << 20, nil,
			"valid region"},
		"a header unsigned": {w.admin, "logs", "us-east-1", "Logs_20140328.PutLogEvents", now, 8 << 20,
			func(r *http.Request) { r.Header.Set("X-Amz-Other", "x") }, "must be a 'SignedHeader'"},
		"a false claim": {w.admin, "logs", "us-east-1", "Logs_20140328.PutLogEvents", now, 8 << 20,
			func(r *http.Request) {
				r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("0", 64))
				r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";x-amz-date",
					";x-amz-content-sha256;x-amz-date", 1))
			}, "does not match"},
		"a body too large": {w.admin, "logs", "us-east-1", "Logs_20140328.PutLogEvents", now, 8<<20 + 1,
			nil, "RequestEntityTooLargeException"},
		"too large for its operation": {w.admin, "logs", "us-east-1", "Logs_20140328.DescribeLogGroups", now,
			256<<10 + 1, nil, "RequestEntityTooLargeException"},
		"too large for its service": {w.admin, "kms", "us-east-1", "TrentService.Encrypt", now, 256<<10 + 1, nil,
			"RequestEntityTooLargeException"},
		"PutLogEvents of another's API": {w.admin, "kms", "us-east-1", "TrentService.PutLogEvents", now, 8 << 20, nil,
			"RequestEntityTooLargeException"},
	} {
		conn := dial(t, address)
		if _, err := conn.Write(head(t, address, c.credentials, c.service, c.region, c.target, c.at, c.length,
			c.change)); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(response.Body)
		if got := response.Header.Get("X-Amzn-Errortype") + " " + string(text); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s %s, want %s", name, response.Status, got, c.want)
		}
		conn.Close()
	}
}

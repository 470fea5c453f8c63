package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/api"
)

type region struct{ err error }

func (r region) Status(context.Context) (*api.Status, error) {
	return &api.Status{Region: "us-east-1", Phase: api.PhaseReady}, r.err
}

func (r region) Metrics(_ context.Context, _, _ string, w io.Writer) error {
	_, err := io.WriteString(w, "tripod_quorum 1\n")
	return err
}

// planted are secrets, and where they are planted: in a file of the data directory, in which %s is the secret.
var planted = []struct{ secret, file, text string }{
	{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "credentials.json", `{"accessKeyId": "AKIAX", "secretAccessKey": "%s"}`},
	{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "logs/up.log", "somebody printed %s here\n"},
	{"0f6c1b7a9d2e4f5081", "control-token", "%s\n"},
	{"0f6c1b7a9d2e4f5081", "zones/us-east-1a/logs/az.log", "the header was %s.\n"},
	{"gatewaypass99", "zones/us-east-1a/agent.json", `{"gateway": {"password": "%s"}, "caFile": "/etc/a"}`},
	{"gatewaypass99", "zones/us-east-1a/logs/etcd-AB.log", "proxy http://a:%s@127.0.0.1:1/\n"},
	{"hunter2x", "zones/us-east-1b/logs/apiserver-AB.log", "password=%s user=x\n"},
	{"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl", "zones/us-east-1b/logs/apiserver-AB.log", "a token %s!\n"},
	{"k8s-aws-v1.aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbQ", "zones/us-east-1b/logs/authenticator.log", `{"token":"%s"}` + "\n"},
	{"aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbQ", "zones/us-east-1b/logs/authenticator.log", "whose body was k8s-aws-v1.%s\n"},
	{"c0ffee00deadbeef", "zones/us-east-1b/logs/aws.log", "Authorization: AWS4-HMAC-SHA256 Credential=AKIAX/20261130, Signature=%s\n"},
	{"c0ffee11deadbeef", "zones/us-east-1b/logs/aws.log", "GET /?X-Amz-Date=1&X-Amz-Signature=%s&x=1\n"},
	{"IQoJb3JpZ2luX2VjEXAMPLE", "zones/us-east-1b/logs/aws.log", "GET /?X-Amz-Security-Token=%s HTTP/1.1\n"},
	{"bearerbearer123", "zones/us-east-1b/logs/aws.log", "Bearer %s\n"},
	{"S3cr3tOfEnv", "zones/us-east-1b/logs/aws.log", `env AWS_SECRET_ACCESS_KEY=%s` + "\n"},
	{"S3cr3tEscaped", "zones/us-east-1b/logs/aws.log", `msg="{\"sessionToken\":\"%s\"}"` + "\n"},
	{"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "zones/us-east-1b/logs/up.log",
		"-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\nafter\n"},
	{"LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVk", "events.jsonl", `{"message": "client-key-data: %s"}` + "\n"},
	{"filesecret1", "zones/us-east-1a/pki/ca.key", "%s"},
	{"podslog123", "zones/us-east-1a/nodes/i-1/root/var/log/pods/x/0.log", "%s"},
}

// plant makes a region's directory with all of the secrets, and with what is none.
func plant(t *testing.T) (dir string) {
	dir = t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range planted {
		write(p.file, fmt.Sprintf(p.text, p.secret))
	}
	write("tripod.json", `{"schema": 1, "region": "us-east-1"}`)
	write("zones/us-east-1b/logs/apiserver-AB.log", "E1130 the token was signed 20m0s ago by arn:aws:iam::1:role/viewer\n")
	write("zones/us-east-1a/etcd.json", `{"token": "0A1B2C3D4E"}`)
	write("zones/us-east-1a/clusters/0A1B2C3D4E/settings.json", `{}`)
	write("zones/us-east-1c/logs/long.log", strings.Repeat("the begin of a long log, which is left out\n", mostLog/40)+"the end\n")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "logs", "link.log")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func unpack(t *testing.T, archive io.Reader) map[string]string {
	compressed, err := gzip.NewReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for all := tar.NewReader(compressed); ; {
		header, err := all.Next()
		if errors.Is(err, io.EOF) {
			return files
		} else if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(all)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(header.Name, "/")
		files[name] = string(text)
	}
}

func TestABundleHasNoSecret(t *testing.T) {
	dir := plant(t)
	var archive bytes.Buffer
	told, err := Write(t.Context(), &archive, Source{DataDir: dir, Region: region{}, Version: "1", Now: time.Now()}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	files := unpack(t, &archive)
	for _, p := range planted {
		for name, text := range files {
			if strings.Contains(text, p.secret) {
				t.Errorf("%s has the secret %s that was planted in %s", name, p.secret, p.file)
			}
		}
	}
	if told.Removed < 14 || len(told.Missing) != 0 || len(told.Parts) != len(files) {
		t.Errorf("%+v", told)
	}
	for name, want := range map[string]string{
		"zones/us-east-1b/logs/apiserver-AB.log": "the token was signed 20m0s ago by arn:aws:iam::1:role/viewer", "status.json": `"us-east-1"`,
		"metrics.txt": "tripod_quorum 1", "zones/us-east-1b/logs/up.log": "after\n",
		"files.txt":                      "zones/us-east-1a/clusters/0A1B2C3D4E/settings.json",
		"zones/us-east-1c/logs/long.log": "the end\n", "README.txt": "Read it before you send it", "machine.txt": "tripod 1",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s lacks %q: %.300s", name, want, files[name])
		}
	}
	if long := files["zones/us-east-1c/logs/long.log"]; len(long) > mostLog || !strings.HasPrefix(long, "the begin") {
		t.Errorf("of the long log there are %d bytes", len(long))
	}
	for _, name := range []string{"logs/link.log", "credentials.json", "control-token"} {
		if _, there := files[name]; there {
			t.Errorf("%s is in the bundle", name)
		}
	}
}

// TestSecretsAreKnownWhateverTheyBeginWith has a secret that begins like a path, a path of a file that there is, and secrets that begin
// with each other.
func TestSecretsAreKnownWhateverTheyBeginWith(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "settings.json")
	text := fmt.Sprintf(`{"secrets": ["/b9Kq/xTzq4mS0dWvQ==", "/plainbase64slash"], "tokenFile": %q, "password": ["12345678", "123456789abc",
		"123456789abcdef", "12345678xyz"]}`, path)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 20 { // maps have another order each time
		scrub, err := newScrubber(dir)
		if err != nil {
			t.Fatal(err)
		}
		line := "a /b9Kq/xTzq4mS0dWvQ== b /plainbase64slash c 123456789abcdef d 12345678xyz e 123456789abc f 12345678 g " + path + "\n"
		if got, want := scrub.line(line), "a REMOVED b REMOVED c REMOVED d REMOVED e REMOVED f REMOVED g "+path+"\n"; got != want {
			t.Fatalf("got  %swant %s", got, want)
		}
	}
}

func TestABundleOfARegionThatDoesNotRunSaysSo(t *testing.T) {
	var archive bytes.Buffer
	told, err := Write(t.Context(), &archive, Source{DataDir: plant(t), Region: region{errors.New("no region is running")}, Now: time.Now()},
		func(string) {})
	if err != nil || len(told.Missing) != 1 || slices.Contains(told.Parts, "status.json") || !slices.Contains(told.Parts, "events.jsonl") {
		t.Errorf("%+v, %v", told, err)
	}
	if readme := unpack(t, &archive)["README.txt"]; !strings.Contains(readme, "Missing: status.json and metrics.txt: no region is running") {
		t.Error(readme)
	}
}

func BenchmarkScrub(b *testing.B) {
	scrub, err := newScrubber(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	line := `E1130 05:12:41.123456 1 reflector.go:158] "Unhandled Error" err="failed to list *v1.Pod: Get https://127.0.0.1:1/api/v1/pods"`
	log := strings.Repeat(line+"\n", 1000)
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		if err := scrub.copy(io.Discard, strings.NewReader(log)); err != nil {
			b.Fatal(err)
		}
	}
}

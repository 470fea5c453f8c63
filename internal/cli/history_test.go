package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tripod/awsapi/history"
)

var historyStart = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// historyLine is a line of a zone's file, so many seconds after the start.
func historyLine(zone string, seconds int, service, name string, change func(*history.Record)) string {
	record := history.Record{EventSource: service + ".amazonaws.com", EventName: name, ReadOnly: history.ReadOnly(name),
		UserIdentity: history.Identity{Type: "IAMUser", UserName: "admin"},
		Additional:   history.Additional{Zone: zone, Status: 200}}
	record.SetTime(historyStart.Add(time.Duration(seconds) * time.Second))
	if change != nil {
		change(&record)
	}
	line, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	return string(line) + "\n"
}

func historyDir(t *testing.T, dataDir, zone string) string {
	t.Helper()
	dir := filepath.Join(dataDir, "zones", zone)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, history.FileName)
}

func runHistory(t *testing.T, dataDir string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	a := &app{IO: IO{Stdout: &out, Stderr: &out}, dataDir: dataDir}
	cmd := a.historyCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestHistoryMergesTheZonesByTime(t *testing.T) {
	dataDir := t.TempDir()
	a, b := historyDir(t, dataDir, "us-east-1a"), historyDir(t, dataDir, "us-east-1b")
	historyDir(t, dataDir, "us-east-1c") // it has answered nothing yet
	write(t, history.Older(a, 2), historyLine("us-east-1a", 1, "eks", "CreateCluster", nil))
	write(t, history.Older(a, 1), historyLine("us-east-1a", 3, "sts", "GetCallerIdentity", nil)+"{half\n")
	write(t, a, historyLine("us-east-1a", 5, "eks", "DescribeCluster", func(r *history.Record) {
		r.ErrorCode, r.ErrorMessage = "ResourceNotFoundException", "No cluster."
	})+`{"eventN`)
	write(t, b, historyLine("us-east-1b", 2, "eks", "ListClusters", nil)+historyLine("us-east-1b", 4, "iam", "CreateUser",
		nil))
	for _, c := range []struct{ args, want string }{
		{"", "CreateCluster ListClusters GetCallerIdentity CreateUser DescribeCluster"},
		{"-n 2", "CreateUser DescribeCluster"},
		{"-n 0", ""},
		{"-n -1 --service eks", "CreateCluster ListClusters DescribeCluster"},
		{"--service EKS -n 1", "DescribeCluster"},
		{"--errors", "DescribeCluster"},
		{"--mutating", "CreateCluster CreateUser"},
		{"--mutating --service sts", ""},
	} {
		out, err := runHistory(t, dataDir, append(strings.Fields(c.args), "-o", "json")...)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for line := range strings.Lines(out) {
			var record history.Record
			if err := json.Unmarshal([]byte(line), &record); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			names = append(names, record.EventName)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("history %s: got %s, want %s", c.args, got, c.want)
		}
	}
	for _, args := range []string{"-o xml", "-n -2", "extra"} {
		if _, err := runHistory(t, dataDir, strings.Fields(args)...); err == nil || Report(&bytes.Buffer{}, err) != 2 {
			t.Errorf("history %s: got %v", args, err)
		}
	}
	if _, err := runHistory(t, t.TempDir()); err == nil || !strings.Contains(err.Error(), "no region has run there") {
		t.Errorf("got %v", err)
	}
}

func TestHistoryFitsATerminal(t *testing.T) {
	dataDir := t.TempDir()
	const evil = "\x1b[2J\u202e\u009b"
	long := strings.Repeat("word ", 200)
	write(t, historyDir(t, dataDir, "us-east-1a"),
		historyLine("us-east-1a", 1, "eks", "CreateCluster", func(r *history.Record) {
			r.RequestParameters, r.Additional.Notes = json.RawMessage(`{"name":"demo"}`),
				[]string{"Role with arn: hello, " + evil + long}
		})+
			historyLine("us-east-1a", 2, "eks"+evil, "Describe"+evil+long, func(r *history.Record) {
				r.ErrorCode, r.ErrorMessage, r.UserIdentity.UserName = evil+long, evil+long+strings.Repeat("x", 200), evil+long
			})+
			historyLine("us-east-1a", 3, "tripod", "HistoryRecordsLost", func(r *history.Record) { r.Additional.Lost = 7 }))
	out, err := runHistory(t, dataDir)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if strings.ContainsAny(out, evil[:1]+"\u202e\u009b") {
		t.Errorf("got %q", out)
	}
	for _, want := range []string{"eks:CreateCluster", "OK demo",
		"taken all the same: Role with arn: hello", "(7 calls are missing here)", "2026-03-04", `\x1b[2J`} {
		if !strings.Contains(out, want) {
			t.Errorf("got %s, want %q in it", out, want)
		}
	}
	if out, err = runHistory(t, dataDir, "-o", "json"); err != nil || strings.ContainsAny(out, evil[:1]+"\u202e\u009b") {
		t.Errorf("json: %v %q", err, out)
	}
}

func TestHistoryNamesWhatACallWasAbout(t *testing.T) {
	for params, want := range map[string]string{
		`{"clusterName":"demo"}`: "demo",
		`{"clusterName":"demo","principalArn":"arn:aws:iam::111122223333:role/team/viewer"}`: "viewer",
		`{"clusterName":"demo","principalArn":"arn:aws:iam::111122223333:root"}`:             "root",
		`{"resourceArn":"arn:aws:logs:us-east-1:111122223333:log-group:/aws/eks/demo:*"}`:    "demo:*",
		`{"maxResults":1}`: "",
		``:                 "",
	} {
		if got := aboutOf(json.RawMessage(params)); got != want {
			t.Errorf("%s: got %q, want %q", params, got, want)
		}
	}
}

func TestHistoryFollowsAllZonesThroughRotation(t *testing.T) {
	dataDir := t.TempDir()
	a := historyDir(t, dataDir, "us-east-1a")
	write(t, a, historyLine("us-east-1a", 0, "eks", "Op0", nil))
	var out syncBuffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	follower := &app{IO: IO{Stdout: &out}, dataDir: dataDir}
	go func() {
		done <- follower.history(ctx, historyOptions{follow: true, last: 10, output: "json"}, time.Millisecond)
	}()
	wait := func(name string) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); !strings.Contains(out.String(), name); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not shown: %s", name, out.String())
			}
		}
	}
	wait("Op0")
	b := historyDir(t, dataDir, "us-east-1b")
	for i := 1; i <= 3; i++ {
		name := fmt.Sprintf("Op%d", i)
		write(t, b+".new", historyLine("us-east-1b", i, "eks", name, nil)) // a file appears whole, as after a rotation
		os.Rename(b, history.Older(b, 1))
		if err := os.Rename(b+".new", b); err != nil {
			t.Fatal(err)
		}
		wait(name)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 4 {
		t.Errorf("got %d lines: %s", got, out.String())
	}
}

package history_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod/awsapi/history"
)

func open(t *testing.T, config history.Config) *history.Log {
	t.Helper()
	log, err := history.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func records(t *testing.T, path string) []history.Record {
	t.Helper()
	var out []history.Record
	for line := range strings.Lines(read(t, path)) {
		var record history.Record
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		out = append(out, record)
	}
	return out
}

func TestCloseWritesWhatIsWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), history.FileName)
	if err := os.WriteFile(path, []byte(`{"half`), 0o600); err != nil {
		t.Fatal(err)
	}
	log := open(t, history.Config{Path: path})
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for j := range 100 {
				log.Append(history.Record{EventName: fmt.Sprintf("Op%d", 100*i+j)})
			}
		})
	}
	wait.Wait()
	log.Close()
	log.Close()
	log.Append(history.Record{}) // lost, and no panic
	first, rest, _ := strings.Cut(read(t, path), "\n")
	if first != `{"half` || strings.Count(rest, "\n") != 400 || !strings.Contains(rest, `"eventVersion":"1.11"`) {
		t.Errorf("got %q and %d lines", first, strings.Count(rest, "\n"))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	var none *history.Log
	none.Append(history.Record{})
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

func TestARecordIsInTheFileWithinASecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), history.FileName)
	open(t, history.Config{Path: path}).Append(history.Record{EventName: "ListClusters"})
	for deadline := time.Now().Add(time.Second); !strings.Contains(read(t, path),
		"ListClusters"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not")
		}
	}
}

func TestTwoOlderFilesAreKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, history.FileName)
	for i := range 5 { // each opening flushes, so each line comes alone
		log := open(t, history.Config{Path: path, Limit: 300})
		log.Append(history.Record{EventName: fmt.Sprintf("Op%d", i)})
		log.Close()
	}
	files := history.Files(dir)
	var got []string
	for _, file := range files {
		got = append(got, filepath.Base(file)+" "+records(t, file)[0].EventName)
	}
	if want := "[history.jsonl.2 Op2 history.jsonl.1 Op3 history.jsonl Op4]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestLostRecordsAreToldInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), history.FileName)
	log := open(t, history.Config{Path: path, Queue: 1, Zone: "us-east-1a"})
	const all = 20000
	for range all {
		log.Append(history.Record{EventName: "Op"})
	}
	log.Close()
	var kept, lost uint64
	for _, record := range records(t, path) {
		if kept++; record.EventName == "HistoryRecordsLost" {
			kept--
			lost += record.Additional.Lost
		}
	}
	if kept+lost != all {
		t.Errorf("%d kept and %d told as lost, of %d", kept, lost, all)
	}
}

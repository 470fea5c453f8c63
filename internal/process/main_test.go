package process

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// childEnv makes the test binary play one of the children below.
const childEnv = "TRIPOD_TEST_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

// play is what a child does; the reports say when it is far enough.
func play(role string) int {
	ctx, line, err := Attach(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	switch role {
	case "serve": // ends in order, or as an orphan
		line.Report(map[string]int{"pid": os.Getpid()})
		<-ctx.Done()
		if context.Cause(ctx) == ErrOrphaned {
			return 1
		}
		fmt.Println("goodbye:", context.Cause(ctx))
	case "fail":
		fmt.Println("first line")
		fmt.Fprintln(os.Stderr, "tripod: the disk is full")
		return 3
	case "panic":
		fmt.Println("before")
		panic("out of ideas")
	case "chatty": // reports more than a pipe holds, one line of it too long, and ends at once
		line.Report(strings.Repeat("x", 2<<20))
		line.Report("after")
	case "last words":
		for i := range 100 {
			line.Report(i)
		}
	case "directory":
		dir, _, err := Directory(os.Getenv("TRIPOD_TEST_DIR") + "/own")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		line.Report(dir)
		select {}
	case "talker": // fills more logs than are kept, by both of its outputs, and has numbered its lines
		path := os.Getenv("TRIPOD_TEST_DIR") + "/child.log"
		go tendLog(path, time.Millisecond)
		for i := 0; ; i++ {
			fmt.Fprintf([]*os.File{os.Stdout, os.Stderr}[i%2], "%09d %s\n", i, strings.Repeat("x", 4<<10))
			if len(LogFiles(path)) == 1+asideMost && i >= 8*LogMost/(4<<10) {
				line.Report(i)
				select {}
			}
		}
	case "deaf": // does not end when it is asked to, nor as an orphan
		line.Report(map[string]int{"pid": os.Getpid()})
		select {}
	case "parent", "parent of the deaf":
		dir, role := os.Getenv("TRIPOD_TEST_DIR"), map[string]string{"parent": "serve", "parent of the deaf": "deaf"}[role]
		_, err := Start(Spec{Name: "grandchild", Path: os.Args[0], Env: []string{childEnv + "=" + role},
			Log:    filepath.Join(dir, "grandchild.log"),
			Leader: os.Getenv("TRIPOD_TEST_LEADER") != "", OnReport: func(report json.RawMessage) { line.Report(report) }})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		select {} // deaf too
	}
	return 0
}

// run starts a child that plays the role; reports are what it says. It is killed at the end of the test.
func run(t *testing.T, role string, edit func(*Spec)) (child *Child, reports <-chan json.RawMessage) {
	t.Helper()
	dir := t.TempDir()
	said := make(chan json.RawMessage, 200)
	spec := Spec{Name: "etcd/a", Path: os.Args[0], Log: filepath.Join(dir, "child.log"),
		Env:      []string{childEnv + "=" + role, "TRIPOD_TEST_DIR=" + dir},
		OnReport: func(report json.RawMessage) { said <- report }}
	if edit != nil {
		edit(&spec)
	}
	child, err := Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(child.Kill)
	return child, said
}

// leader makes the child lead a process group.
func leader(s *Spec) { s.Leader = true }

func next(t *testing.T, reports <-chan json.RawMessage) json.RawMessage {
	t.Helper()
	select {
	case report := <-reports:
		return report
	case <-time.After(10 * time.Second):
		t.Fatal("the child says nothing")
		return nil
	}
}

// pidOf waits for a report with a process' number.
func pidOf(t *testing.T, reports <-chan json.RawMessage) int {
	t.Helper()
	var report struct{ PID int }
	if err := json.Unmarshal(next(t, reports), &report); err != nil || report.PID == 0 {
		t.Fatalf("the child's report has no pid: %v", err)
	}
	return report.PID
}

func identify(t *testing.T, pid int) Identity {
	t.Helper()
	id, err := Identify(pid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// eventually polls until what holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

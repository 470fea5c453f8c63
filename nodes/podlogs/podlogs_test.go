package podlogs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var began = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func web(run int32) Name {
	return Name{Namespace: "default", Pod: "web-1", UID: "11-22", Container: "app", ContainerID: "containerd://" + id, Run: run}
}

func lines(from, to int) (all []Line) {
	for i := from; i < to; i++ {
		all = append(all, Line{At: began.Add(time.Duration(i) * time.Millisecond), Stderr: i%3 == 2, Text: fmt.Sprint("line ", i)})
	}
	return all
}

func write(t *testing.T, n *Node, name Name, all []Line) {
	t.Helper()
	if err := n.Write(name, all); err != nil {
		t.Fatal(err)
	}
}

func rest(t *testing.T, r *Reader) (all []Line) {
	t.Helper()
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
}

func names(t *testing.T, dir string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func TestFilesLieAsOnANode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	n := NewNode(dir, DefaultLimits, nil)
	long := strings.Repeat("x", longestPart)
	write(t, n, web(2), []Line{{At: began, Text: "hello"}, {At: began.Add(time.Nanosecond), Stderr: true}, {At: began, Text: long + "y"}})
	path := filepath.Join(dir, "var/log/pods/default_web-1_11-22/app/2.log")
	text, err := os.ReadFile(path)
	want := "2026-11-29T08:00:00.000000000Z stdout F hello\n2026-11-29T08:00:00.000000001Z stderr F \n" +
		"2026-11-29T08:00:00.000000000Z stdout P " + long + "\n2026-11-29T08:00:00.000000000Z stdout F y\n"
	if err != nil || string(text) != want {
		t.Errorf("%v: %.300q", err, text)
	}
	link := filepath.Join(dir, "var/log/containers/web-1_default_app-"+id+".log")
	if to, err := os.Readlink(link); err != nil || to != "../pods/default_web-1_11-22/app/2.log" {
		t.Errorf("the link leads to %q (%v)", to, err)
	}
	if through, err := os.ReadFile(link); err != nil || string(through) != want {
		t.Errorf("by its link it reads %.100q (%v)", through, err)
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if info, _ := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
		return nil
	})
}

func TestNamesLeadNowhereElse(t *testing.T) {
	n := NewNode(t.TempDir(), DefaultLimits, nil)
	for _, change := range []func(*Name){
		func(n *Name) { n.Namespace = ".." }, func(n *Name) { n.Namespace = "" }, func(n *Name) { n.Pod = "../../x" },
		func(n *Name) { n.Pod = "a_b" }, func(n *Name) { n.Container = "." }, func(n *Name) { n.Container = "a/b" },
		func(n *Name) { n.UID = "../1" }, func(n *Name) { n.UID = "" }, func(n *Name) { n.ContainerID = "containerd://../../x" },
		func(n *Name) { n.Run = -1 }, func(n *Name) { n.Pod = strings.Repeat("a", 254) },
	} {
		name := web(0)
		change(&name)
		if err := n.Write(name, lines(0, 1)); err == nil {
			t.Errorf("%+v is written", name)
		}
		if _, err := n.Reader(name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v is read: %v", name, err)
		}
	}
	// Whoever may write into the node's own files, as a command with a hostPath volume may, leads nobody out of them.
	for _, at := range []string{"var", "var/log", "var/log/pods", "var/log/pods/default_web-1_11-22"} {
		dir, outside := t.TempDir(), t.TempDir()
		link := filepath.Join(dir, at)
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o700), os.Symlink(outside, link)); err != nil {
			t.Fatal(err)
		}
		n := NewNode(dir, DefaultLimits, nil)
		if err := n.Write(web(0), lines(0, 1)); err == nil {
			t.Errorf("it writes through the link %s", at)
		}
		if got := names(t, outside); len(got) > 0 {
			t.Errorf("behind the link %s there is %v", at, got)
		}
	}
}

func TestALogIsSetAsideAsAKubeletDoes(t *testing.T) {
	now := began
	dir := t.TempDir()
	n := NewNode(dir, Limits{Size: 4000, Files: 5, Budget: 1 << 20}, func() time.Time { return now })
	for i := range 800 {
		write(t, n, web(0), lines(i, i+1))
		now = now.Add(time.Second)
	}
	pod := filepath.Join(dir, web(0).PodDir(), "app")
	got := names(t, pod)
	if len(got) != 5 || got[0] != "0.log" || strings.HasSuffix(got[4], compressed) {
		t.Fatalf("got %v", got)
	}
	var all []Line
	for _, name := range append(got[1:], got[0]) {
		file, err := os.Open(filepath.Join(pod, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		from := io.Reader(file)
		if strings.HasSuffix(name, compressed) {
			if from, err = gzip.NewReader(file); err != nil {
				t.Fatal(err)
			}
		}
		text, err := io.ReadAll(from)
		if err != nil || len(text) > 4100 {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
		for line := range strings.Lines(string(text)) {
			parsed, part, ok := ParseLine([]byte(strings.TrimSuffix(line, "\n")))
			if !ok || part {
				t.Fatalf("%s has %q", name, line)
			}
			all = append(all, parsed)
		}
	}
	if want := lines(800-len(all), 800); !slices.Equal(all, want) {
		t.Errorf("%d lines, the first %v, the last %v", len(all), all[0], all[len(all)-1])
	}
}

func TestANodeKeepsToItsBudget(t *testing.T) {
	now, dir := began, t.TempDir()
	n := NewNode(dir, Limits{Size: 10_000, Files: 5, Budget: 60_000}, func() time.Time { return now })
	var last Name
	for i := range 300 {
		last = web(0)
		last.UID, last.Pod = fmt.Sprint("uid-", i%20), fmt.Sprint("web-", i%20)
		write(t, n, last, lines(0, 50))
		now = now.Add(time.Second)
		if i%50 == 49 { // another process goes on
			n = NewNode(dir, n.limits, n.now)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		if used := sizeBelow(root, "."); used > n.limits.Budget {
			t.Fatalf("after %d writes %d bytes are used", i+1, used)
		}
		root.Close()
	}
	r, err := n.Reader(last)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := rest(t, r); len(got) < 50 {
		t.Errorf("the log that was written last has %d lines", len(got))
	}
}

func TestAPodsLogsGoWithIt(t *testing.T) {
	dir := t.TempDir()
	n := NewNode(dir, DefaultLimits, nil)
	other := web(0)
	other.UID, other.Pod = "33", "web-11"
	write(t, n, other, lines(0, 1))
	for run := range int32(3) {
		write(t, n, web(run), lines(0, 1))
	}
	if got := names(t, filepath.Join(dir, web(0).containerDir())); !slices.Equal(got, []string{"1.log", "2.log"}) {
		t.Errorf("after two restarts there are %v", got)
	}
	if got, err := n.Pods(); err != nil || !slices.Equal(got, []string{"33", "11-22"}) {
		t.Errorf("pods %v, %v", got, err)
	}
	for range 2 { // the second time there is nothing
		if err := n.Remove("11-22"); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, filepath.Join(dir, PodsDir)); !slices.Equal(got, []string{"default_web-11_33"}) {
		t.Errorf("there are %v", got)
	}
	if got := names(t, filepath.Join(dir, ContainersDir)); !slices.Equal(got, []string{filepath.Base(other.Link())}) {
		t.Errorf("links %v", got)
	}
	if err := NewNode(filepath.Join(dir, "none"), DefaultLimits, nil).Remove("x"); err != nil {
		t.Error(err)
	}
}

func TestAnotherProcessGoesOn(t *testing.T) {
	base := t.TempDir()
	long := Line{At: began.Add(time.Second), Text: strings.Repeat("0123456789", 5000)}
	all := append(lines(0, 3), long, Line{At: long.At, Text: "same time"})
	var whole []byte
	for _, line := range all {
		whole = line.appendTo(whole)
	}
	for cut := len(whole); cut >= 0; cut -= 1 + cut/40 {
		dir, name := filepath.Join(base, fmt.Sprint(cut)), web(0)
		n := NewNode(dir, DefaultLimits, nil)
		path := filepath.Join(dir, name.File())
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, whole[:cut], 0o600)); err != nil {
			t.Fatal(err)
		}
		at, same, err := n.Last(name)
		if err != nil {
			t.Fatal(err)
		}
		var missing []Line
		for _, line := range all {
			if line.At.Equal(at) && same > 0 {
				same--
			} else if !line.At.Before(at) {
				missing = append(missing, line)
			}
		}
		if len(missing) > 0 {
			write(t, n, name, missing)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != string(whole) {
			t.Fatalf("cut at %d of %d: %v, %d bytes", cut, len(whole), err, len(got))
		}
	}
}

func TestReadersFollowOverFilesThatAreSetAside(t *testing.T) {
	now := began
	n := NewNode(t.TempDir(), Limits{Size: 1000, Files: 2, Budget: 1 << 20}, func() time.Time { now = now.Add(time.Second); return now })
	if _, err := n.Reader(web(0)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a log that is not there: %v", err)
	}
	write(t, n, web(0), lines(0, 5))
	r, err := n.Reader(web(0))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Tail(2); err != nil {
		t.Fatal(err)
	}
	got := rest(t, r)
	for i := 5; i < 100; i += 5 {
		write(t, n, web(0), lines(i, i+5))
		got = append(got, rest(t, r)...)
		if step, err := r.Follow(); step == Gone || err != nil {
			t.Fatal(step, err)
		}
		got = append(got, rest(t, r)...)
	}
	if want := lines(3, 100); !slices.Equal(got, want) {
		t.Errorf("got %d lines, want %d", len(got), len(want))
	}
	if err := n.Remove(web(0).UID); err != nil {
		t.Fatal(err)
	}
	if step, err := r.Follow(); step != Gone || err != nil {
		t.Errorf("of a pod that has gone: %v %v", step, err)
	}
}

func TestTheLastLinesAreWholeLines(t *testing.T) {
	n := NewNode(t.TempDir(), DefaultLimits, nil)
	all := append(lines(0, 3000), Line{At: began, Text: strings.Repeat("long ", 30_000)}, Line{At: began, Text: "end"})
	write(t, n, web(0), all)
	r, err := n.Reader(web(0))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, tail := range []int{0, 1, 2, 3, 1000, 3002, 9999} {
		if err := r.Tail(tail); err != nil {
			t.Fatal(err)
		}
		if got, want := rest(t, r), all[max(0, len(all)-tail):]; !slices.Equal(got, want) {
			t.Errorf("of the last %d lines there are %d", tail, len(got))
		}
	}
}

// Whoever tails by positions alone, with a new Tail each time, reads each line once, over files that are set aside and compressed.
func TestTailsGoOnByTheirPosition(t *testing.T) {
	now := began
	n := NewNode(t.TempDir(), Limits{Size: 1000, Files: 10, Budget: 1 << 20}, func() time.Time { now = now.Add(time.Second); return now })
	var want, got []Line
	var at Position
	read := func(most int) {
		tail := n.NewTail(web(0), at)
		defer tail.Close()
		for range most {
			line, err := tail.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, at = append(got, line), tail.Position()
		}
	}
	read(1)
	for i := range 60 {
		line := Line{At: began.Add(time.Duration(i/25) * time.Millisecond), Text: fmt.Sprint(i)} // many of one time
		write(t, n, web(0), []Line{line, line, line})
		want = append(want, line, line, line)
		if i%7 == 0 {
			read(11)
		}
	}
	read(1000)
	if !slices.Equal(got, want) {
		t.Errorf("got %d lines, want %d", len(got), len(want))
	}
	// One that stays open loses nothing either, also of a pod that has gone meanwhile.
	tail := n.NewTail(web(0), at)
	defer tail.Close()
	if err := tail.Open(); err != nil {
		t.Fatal(err)
	}
	write(t, n, web(0), lines(100, 105))
	if err := n.Remove(web(0).UID); err != nil {
		t.Fatal(err)
	}
	for i, want := range lines(100, 105) {
		if line, err := tail.Next(); err != nil || line != want {
			t.Errorf("line %d: %v %v", i, line, err)
		}
	}
}

// Logs may be held open for a minute until they are read, and be many.
func TestATailHasABufferOnlyWhileItReads(t *testing.T) {
	n := NewNode(t.TempDir(), Limits{Size: 1 << 20, Files: 5, Budget: 1 << 30}, nil)
	write(t, n, web(0), lines(0, 2))
	tail := n.NewTail(web(0), Position{})
	defer tail.Close()
	if err := tail.Open(); err != nil || tail.from.buffer != nil {
		t.Errorf("opened: %v, %v", err, tail.from)
	}
	for i := range 2 {
		if _, err := tail.Next(); err != nil || tail.from.buffer == nil {
			t.Errorf("line %d: %v", i, err)
		}
	}
	if _, err := tail.Next(); !errors.Is(err, io.EOF) || tail.from.buffer != nil {
		t.Errorf("at the end: %v, %v", err, tail.from)
	}
	write(t, n, web(0), lines(2, 3))
	if line, err := tail.Next(); err != nil || line.Text != "line 2" {
		t.Errorf("%v, %v", line, err)
	}
}

func TestOnlyLogsThatAreThereAreRemembered(t *testing.T) {
	now := began
	n := NewNode(t.TempDir(), Limits{Size: 1000, Files: 2, Budget: 1 << 20}, func() time.Time { now = now.Add(time.Second); return now })
	other := web(0)
	other.UID = "33"
	read := map[string]Position{web(0).File(): {Same: 1}, web(1).File(): {Same: 2}, other.File(): {Same: 3}}
	write(t, n, web(0), lines(0, 100)) // it is set aside more than once
	write(t, n, other, lines(0, 1))
	if err := n.DropGone(read); err != nil || len(read) != 2 || read[web(0).File()].Same != 1 || read[other.File()].Same != 3 {
		t.Errorf("%v, %v", read, err)
	}
	if err := n.Remove("33"); err != nil {
		t.Fatal(err)
	}
	if err := n.DropGone(read); err != nil || len(read) != 1 {
		t.Errorf("without the pod: %v, %v", read, err)
	}
	if err := NewNode(filepath.Join(t.TempDir(), "none"), DefaultLimits, nil).DropGone(read); err != nil || len(read) > 0 {
		t.Errorf("without the node: %v, %v", read, err)
	}
}

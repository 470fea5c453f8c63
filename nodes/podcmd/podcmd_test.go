package podcmd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

// play runs argv for a time and writes its lines as "SECONDS text", then "exit CODE at SECONDS".
func play(t *testing.T, until time.Duration, argv ...string) string {
	t.Helper()
	command, err := Parse(argv)
	if err != nil {
		return err.Error()
	}
	got, err := command.Play(Scene{Start: start, Until: start.Add(until), Env: []string{"NAME=web", "TWO=a  b"},
		Hostname: "web-0", File: func(name string, _ time.Time) (File, bool) {
			file, found := map[string]File{
				"/etc/hosts":       {Content: "1.2.3.4 a\n"},
				"/etc/hostname":    {Content: "web-0\n", Mode: 0o644},
				"/etc/resolv.conf": {Content: "search a.b c\nnameserver 10.0.0.2\noptions ndots:5\n"},
				"/data":            {Mode: fs.ModeDir | 0o777},
			}[name]
			return file, found
		}})
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, l := range got.Lines {
		mark := ""
		if l.Stderr {
			mark = "!"
		}
		lines = append(lines, fmt.Sprintf("%g %s%s", l.At.Sub(start).Seconds(), mark, l.Text))
	}
	if got.Ended {
		lines = append(lines, fmt.Sprintf("exit %d at %g", got.ExitCode, got.At.Sub(start).Seconds()))
	} else if got.At.Sub(start) < 1e6*time.Hour {
		lines = append(lines, fmt.Sprintf("next at %g", got.At.Sub(start).Seconds()))
	}
	return strings.Join(lines, "; ")
}

func TestPlainCommands(t *testing.T) {
	sh := func(script string) []string { return []string{"sh", "-c", script} }
	tests := []struct {
		argv []string
		want string
	}{
		{[]string{"true"}, "exit 0 at 0"},
		{[]string{"/bin/false"}, "exit 1 at 0"},
		{[]string{"echo", "Hello,", "a  b"}, "0 Hello, a  b; exit 0 at 0"},
		{[]string{"sleep", "5"}, "exit 0 at 5"},
		{[]string{"sleep", "1.5m", "1s"}, "next at 91"},
		{[]string{"sleep", "infinity"}, ""},
		{[]string{"tail", "-f", "/dev/null"}, ""},
		{[]string{"sleep", "x"}, "0 !sleep: invalid time interval 'x'; exit 1 at 0"},
		{[]string{"printenv", "NAME"}, "0 web; exit 0 at 0"},
		{[]string{"cat", "/etc/hostname", "/x"}, "0 web-0; 0 !cat: /x: No such file or directory; exit 1 at 0"},
		{[]string{"cat", "/data"}, "0 !cat: /data: Is a directory; exit 1 at 0"},
		{sh("id; id -u; whoami"), "0 uid=0(root) gid=0(root) groups=0(root); 0 0; 0 root; exit 0 at 0"},
		{sh("echo start; sleep 3; exit 42"), "0 start; exit 42 at 3"},
		{sh("sleep 1 && echo ok || echo no"), "1 ok; exit 0 at 1"},
		{sh("false && echo ok || echo no; exit"), "0 no; exit 0 at 0"},
		{sh("exit 300"), "exit 44 at 0"},
		{sh(`for i in 3 2 1 ; do echo $i ; sleep 1; done`), "0 3; 1 2; 2 1; exit 0 at 3"},
		{sh("for i in $(seq 2); do printf '%s:%d\\n' $NAME $i; done"), "0 web:1; 0 web:2; exit 0 at 0"},
		{sh(`echo "$TWO" $TWO '$TWO' x$TWO`), "0 a  b a b $TWO xa b; exit 0 at 0"},
		{sh("echo a | cat; printf 'b\\na\\nb\\n' | sort | uniq -c | sort -rn | head -1"), "0 a; 0       2 b; exit 0 at 0"},
		{sh("cat /etc/hosts | grep -v '^\\s*$' | wc -l; echo x | grep -q y || echo none"), "0 1; 0 none; exit 0 at 0"},
		{sh("cat /x 2>/dev/null; cat /x 2>&1 | grep -o 'No.*'; ! false && test $? -ne 1 && [ -f /etc/hosts ] && echo yes"),
			"0 No such file or directory; 0 yes; exit 0 at 0"},
		{sh("cat /etc/resolv.conf | tail -n +2 | tail -1"), "0 options ndots:5; exit 0 at 0"},
		{sh("curl http://web"), "not a plain command: curl speaks over a network"},
		{sh("echo failed >&2; exit 1"), "0 !failed; exit 1 at 0"},
		{sh("echo gone > /dev/null; echo a 2>&1"), "0 a; exit 0 at 0"},
		{[]string{"/bin/sh", "-ec", "false; echo never"}, "exit 1 at 0"},
		{[]string{"bash", "-c", "set -euo pipefail\nfalse || true\necho reached # comment"}, "0 reached; exit 0 at 0"},
		{sh("echo -n a; echo -e 'b\\nc'"), "0 ab; 0 c; exit 0 at 0"},
		{sh(`(sleep 2; echo in) && { echo out; }`), "2 in; 2 out; exit 0 at 2"},
		{sh("date +%s; date -u -Iseconds; date"), "0 1795939200; 0 2026-11-29T08:00:00+00:00; 0 Sun Nov 29 08:00:00 UTC 2026; " +
			"exit 0 at 0"},
		{sh(`i=0; while true; do echo "$i: $(date +%T)"; i=$((i+1)); sleep 30; done`),
			"0 0: 08:00:00; 30 1: 08:00:30; 60 2: 08:01:00; next at 90"},
		{sh("echo $(hostname) $?; exec sleep 1; echo never"), "0 web-0 0; exit 0 at 1"},
		{sh("while true; do :; done"), "the command does more than is simulated"},
		{sh(`x=a; while true; do x="$x$x"; done`), "the command does more than is simulated"},
		{sh(""), "exit 0 at 0"},
	}
	for _, test := range tests {
		if got := play(t, 60*time.Second, test.argv...); got != test.want {
			t.Errorf("%q:\n got %s\nwant %s", test.argv, got, test.want)
		}
	}
}

func TestWhatIsNotPlainIsUnreadable(t *testing.T) {
	for _, argv := range [][]string{nil, {"nginx", "-g", "daemon off;"}, {"sh"}, {"sh", "script.sh"}, {"sh", "-c"}} {
		if _, err := Parse(argv); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q: got %v", argv, err)
		}
	}
	for _, script := range []string{"ssh x", "echo a | sed s/a/b/", "echo a > /file", "if true; then exit 1; fi", "sleep 1 & wait",
		"while [ -f x ]; do sleep 1; done", "echo `date`", "echo *", "$CMD", "echo $1", "echo ${A:-b}", "echo 'a", `echo "a`,
		"for i in 1; echo", "while true; do echo", "(echo", "echo a; done", "echo $(", "a() { echo; }", "echo )", "&&",
		strings.Repeat("(", 1000), strings.Repeat("echo;", 5000), "echo $(echo $(echo))"} {
		if _, err := Parse([]string{"sh", "-c", script}); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%.40q: got %v", script, err)
		}
	}
}

// A counter that has run for a year is read as fast as a new one.
func TestEndlessLoopsAreNotDoneTurnByTurn(t *testing.T) {
	command, err := Parse([]string{"sh", "-c", `i=0; while true; do echo "$i $(date +%T)"; i=$((i+2)); sleep 0.5; done`})
	if err != nil {
		t.Fatal(err)
	}
	now := start.Add(365 * 24 * time.Hour)
	began := time.Now()
	got, err := command.Play(Scene{Start: start, From: now.Add(-time.Second), Until: now})
	if err != nil || len(got.Lines) != 3 {
		t.Fatalf("got %v, %v", got, err)
	}
	if want := "126144000 08:00:00"; got.Lines[2].Text != want {
		t.Errorf("got %q, want %q", got.Lines[2].Text, want)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v", took)
	}
}

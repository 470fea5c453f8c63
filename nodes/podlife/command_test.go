package podlife

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestScriptsAreRead(t *testing.T) {
	const forever, unread = -1, -2
	for script, want := range map[string]struct {
		after  time.Duration
		code   int32
		output string
	}{
		"exit 3":              {0, 3, ""},
		"true; false":         {0, 1, ""},
		"false || exit 4":     {0, 4, ""},
		"true && exit 5":      {0, 5, ""},
		"false && exit 5":     {0, 1, ""},
		"false && exit 5; :":  {0, 0, ""},
		"set -e; false; true": {0, 1, ""},
		"echo a b; sleep 2\necho 'c  d'; exec sleep 1m":               {62 * time.Second, 0, "a b\nc  d"},
		"trap 'exit 0' TERM; sleep 1h":                                {time.Hour, 0, ""},
		"while true; do echo x; sleep 5; done":                        {forever, 0, ""},
		"while :; do sleep 1; done":                                   {forever, 0, ""},
		"until false; do sleep 1; done":                               {forever, 0, ""},
		"for i in 1 2 3; do echo n$i; sleep 1; done":                  {3 * time.Second, 0, "n1\nn2\nn3"},
		"for i in $(seq 1 3); do sleep $i; done; exit 7":              {6 * time.Second, 7, ""},
		"sleep 1 && echo \"hi $NAME\"":                                {time.Second, 0, "hi ada"},
		"if [ \"$NAME\" = ada ]; then exit 9; else exit 8; fi":        {0, 9, ""},
		"if [ $NAME = bob ]; then exit 9; elif true; then exit 6; fi": {0, 6, ""},
		"sleep $WAIT":                      {2 * time.Second, 0, ""},
		"sleep $UNKNOWN":                   {unread, 0, ""},
		"exit $(( 7 - 2 * 2 ))":            {0, 3, ""},
		"echo `date`; exit 1":              {unread, 0, ""},
		"echo $(date); exit 1":             {0, 1, ""},
		"curl -sf http://a | jq .":         {unread, 0, ""},
		"./app & wait":                     {unread, 0, ""},
		"sleep 10 & exit 1":                {0, 1, ""},
		"sleep 10 & sleep 2; wait; exit 4": {10 * time.Second, 4, ""},
		"sleep inf & wait":                 {forever, 0, ""},
		"if [ $(expr ${WAIT} % 2) -ne 0 ]; then exit 1; else exit 5; fi": {0, 5, ""},
		"I=3; exit $((I+1))":                             {0, 4, ""},
		"exit $((UNSET+1))":                              {unread, 0, ""},
		"python -c 'print(1)'":                           {unread, 0, ""},
		"(exit 3); exit $?":                              {0, 3, ""},
		"{ sleep 1; exit 2; }":                           {time.Second, 2, ""},
		"timeout 5 sleep 100":                            {5 * time.Second, 124, ""},
		"tail -f /dev/null":                              {forever, 0, ""},
		"grep A /proc/self/status | cut -f2 && sleep 1d": {24 * time.Hour, 0, ""},
		"echo a | sort | head -1; exit 3":                {0, 3, ""},
		"false && echo a | cut -c1; exit 3":              {0, 3, ""},
		"echo a | grep b && exit 3":                      {unread, 0, ""},
		"./app | tee /log; exit 3":                       {unread, 0, ""},
		"# nothing\nsleep 3 # s":                         {3 * time.Second, 0, ""},
		"cat <<EOF\nhi\nEOF":                             {unread, 0, ""},
		"echo x > /dev/null; exit 1":                     {0, 1, ""},
		"echo 'oops' >&2; exit 1":                        {0, 1, "oops"},
		"touch /a; test -f /a && exit 2":                 {0, 2, ""},
		"test -f /b || exit 1":                           {unread, 0, ""},
		"! false && exit 3":                              {0, 3, ""},
		"X=4; exit $X":                                   {0, 4, ""},
	} {
		env := []corev1.EnvVar{{Name: "NAME", Value: "ada"}, {Name: "WAIT", Value: "2"}}
		p := Read([]string{"/bin/sh", "-c"}, []string{script}, env, "")
		got := p.After
		switch {
		case !p.Known:
			got = unread
		case !p.Ends:
			got = forever
		}
		if got != want.after || p.Code != want.code {
			t.Errorf("%s: %v, code %d; want %v, code %d", script, got, p.Code, want.after, want.code)
		}
		var lines []string
		for _, line := range p.Output {
			lines = append(lines, line.Text)
		}
		if out := strings.Join(lines, "\n"); want.output != "" && out != want.output {
			t.Errorf("%s: prints %q, want %q", script, out, want.output)
		}
	}
}

func TestTerminationMessageIsRead(t *testing.T) {
	p := Read([]string{"sh", "-c", "echo -n DONE > /dev/termination-log; exit 1"}, nil, nil, "/dev/termination-log")
	if p.Message != "DONE" || p.Code != 1 {
		t.Errorf("program %+v", p)
	}
	w := newWorld(t, command("sh", "-c", "echo failed: disk; exit 1"), policy(corev1.RestartPolicyNever), container(func(c *corev1.Container) {
		c.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	}))
	w.look()
	if end := w.status("c").State.Terminated; end.Message != "failed: disk\n" {
		t.Errorf("message %q", end.Message)
	}
	if p := Read([]string{"sh", "-c", "/bin/echo -n DONE; /bin/false"}, nil, nil, ""); p.tail != "DONE" || p.Code != 1 {
		t.Errorf("program %+v", p)
	}
}

func TestArgumentsAreACommandWhereTheyReadAsOne(t *testing.T) {
	for _, c := range []struct {
		container corev1.Container
		known     bool
		ends      bool
	}{
		{corev1.Container{Image: "busybox", Args: []string{"sleep", "5"}}, true, true},
		{corev1.Container{Image: "busybox", Args: []string{"/bin/sh", "-c", "exit 1"}}, true, true},
		{corev1.Container{Image: "app", Args: []string{"--port=80"}}, false, false},
		{corev1.Container{Command: []string{"sleep", "$(WAIT)"}, Env: []corev1.EnvVar{{Name: "WAIT", Value: "3"}}}, true, true},
	} {
		if p := ReadContainer(&c.container); p.Known != c.known || p.Ends != c.ends {
			t.Errorf("%+v: %+v", c.container, p)
		}
	}
}

func TestKnownServersServe(t *testing.T) {
	for _, c := range []struct {
		container corev1.Container
		serves    bool
	}{
		{corev1.Container{Image: "registry.k8s.io/e2e-test-images/agnhost:2.56", Args: []string{"netexec"}}, true},
		{corev1.Container{Image: "agnhost", Command: []string{"/agnhost", "pause"}}, true},
		{corev1.Container{Image: "agnhost", Args: []string{"entrypoint-tester"}}, false},
		{corev1.Container{Image: "nginx:1.27"}, true},
		{corev1.Container{Image: "nginx:1.27", Args: []string{"nginx", "-t"}}, false},
		{corev1.Container{Image: "app", Command: []string{"/pause"}}, true},
	} {
		if got := serves(&c.container); got != c.serves {
			t.Errorf("%+v: %v", c.container, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, script := range []string{"exit 3", "while true; do sleep 1; done", "if [ a = b ]; then :; fi", `echo "a $B" 'c' > d && (e)`, "for i in $(seq 1 3); do sleep $i; done"} {
		f.Add(script)
	}
	f.Fuzz(func(_ *testing.T, script string) {
		Read([]string{"sh", "-c", script}, nil, nil, "/dev/termination-log")
	})
}

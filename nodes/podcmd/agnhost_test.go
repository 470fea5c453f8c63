package podcmd

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAgnhostSaysWhatItsSubcommandsSay(t *testing.T) {
	const log = "2026/11/29 08:00:00 "
	tests := []struct {
		argv, want string
	}{
		{"/agnhost pause", "0 Paused; 0 Signals registered"},
		{"/agnhost netexec", "0 !" + log + "Started HTTP server on port 8080; 0 !" + log + "Started UDP server on port  8081"},
		{"/agnhost netexec --http-port=80 --udp-port -1 --tls-cert-file=/localhost.crt", "0 !" + log + "Started HTTP server on port 80"},
		{"/agnhost serve-hostname --port 9377", "0 !" + log + "Serving on port 9377."},
		{"/agnhost grpc-health-checking", "0 !" + log + "Http server starting to listen on :8080; 0 !" + log +
			"gRPC server starting to listen on :5000"},
		{"/agnhost guestbook --http-port 6379", ""},
		{"/agnhost-2 entrypoint-tester a -c", "0 [/agnhost-2 entrypoint-tester a -c]; exit 0 at 0"},
		{"/agnhost mounttest --file_content=/etc/hostname --file_mode=/etc/hostname", "0 mode of file \"/etc/hostname\": -rw-r--r--; " +
			"0 content of file \"/etc/hostname\": web-0; 0 ; exit 0 at 0"},
		{"/agnhost mounttest --file_perm=/data --file_owner=/data --fs_type=/data", "0 mount type of \"/data\": 1481003842; " +
			"0 perms of file \"/data\": -rwxrwxrwx; 0 owner UID of \"/data\": 0; 0 owner GID of \"/data\": 0; exit 0 at 0"},
		{"/agnhost mounttest --file_mode=/x --file_content=/x --file_owner=/x",
			"0 error from Stat(\"/x\"): stat /x: no such file or directory; " +
				"0 error from stat(\"/x\"): no such file or directory; " +
				"0 error reading file content for \"/x\": open /x: no such file or directory; exit 1 at 0"},
		{"/agnhost logs-generator", "0 !F1129 08:00:00.000000       1 logs_generator.go:64] Invalid total number of lines: 0; exit 255 at 0"},
		{"/agnhost mounttest --new_file_0644=/data/f", "not a plain command: /agnhost mounttest --new_file_0644=/data/f writes files"},
		{"/agnhost netexec --no-such-flag", "not a plain command: agnhost netexec: unknown flag: --no-such-flag"},
		{"/agnhost etc-hosts", "0 1.2.3.4 a; 0 ; exit 0 at 0"},
		{"/agnhost dns-suffix", "0 a.b,c; exit 0 at 0"},
		{"/agnhost dns-server-list", "0 10.0.0.2; exit 0 at 0"},
		{"/agnhost connect", "not a plain command: agnhost speaks over a network"},
	}
	for _, test := range tests {
		if got := play(t, time.Minute, strings.Fields(test.argv)...); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.argv, got, test.want)
		}
	}
}

func TestGeneratedLogIsTheSameAtEveryLook(t *testing.T) {
	argv := []string{"sh", "-c", "/agnhost logs-generator --log-lines-total 10 --run-duration 5s && /agnhost pause"}
	early, late := play(t, 2*time.Second, argv...), play(t, time.Minute, argv...)
	early, _, _ = strings.Cut(early, "; next")
	if !strings.HasPrefix(late, early) || !strings.HasPrefix(late, "0 !I1129 08:00:00.000000       1 logs_generator.go:76] 0 ") {
		t.Errorf("got %s, and then %s", early, late)
	}
	lines := strings.Split(late, "; ")
	if len(lines) != 12 || !strings.HasPrefix(lines[9], "4.5 !I1129 08:00:04.5") || lines[10] != "5 Paused" {
		t.Errorf("%d lines: %s", len(lines), late)
	}
}

// What a loop of mounttest prints is what the file is at each turn.
func TestMounttestsLoopFollowsTheFile(t *testing.T) {
	file := func(_ string, at time.Time) (File, bool) {
		return File{Content: at.Format("05")}, at.Sub(start) > time.Second
	}
	run := func(args ...string) []string {
		command, err := Parse(append([]string{"agnhost", "mounttest"}, args...))
		if err != nil {
			t.Fatal(err)
		}
		got, err := command.Play(Scene{Start: start, Until: start.Add(time.Minute), File: file})
		if err != nil || !got.Ended || got.ExitCode != 0 || got.At != start.Add(4*time.Second) {
			t.Errorf("got %+v, %v", got, err)
		}
		var lines []string
		for _, l := range got.Lines {
			lines = append(lines, l.Text)
		}
		return lines
	}
	want := "Error reading file /v/f: open /v/f: no such file or directory, retrying|content of file \"/v/f\": 02"
	if got := strings.Join(run("--file_content_in_loop=/v/f", "--retry_time=4", "--break_on_expected_content=false"), "|"); got != want {
		t.Errorf("got %s", got)
	}
	want += "|Unexpected content. Expected: mount-tester new file|. Retrying"
	if got := strings.Join(run("--file_content_in_loop=/v/f", "--retry_time=4"), "|"); got != want {
		t.Errorf("got %s", got)
	}
	absent := []string{"agnhost", "mounttest", "--file_content_in_loop=/none", "--retry_time=3"}
	if got := play(t, time.Minute, absent...); !strings.HasSuffix(got, "exit 1 at 4") {
		t.Errorf("a file that never comes: %s", got)
	}
}

func TestArgumentsGoToTheImagesEntryPoint(t *testing.T) {
	for _, c := range []struct{ image, command, args, want string }{
		{"registry.k8s.io/e2e-test-images/agnhost:2.66.1@sha256:0", "", "mounttest --file_content=/x", "/agnhost mounttest --file_content=/x"},
		{"registry.k8s.io/e2e-test-images/agnhost:2.66.1", "", "", "/agnhost pause"},
		{"agnhost", "/agnhost-2", "pause", "/agnhost-2 pause"},
		{"nautilus:1.9", "", "", "/agnhost test-webserver"},
		{"busybox", "", "sleep 5", "sleep 5"},
		{"nginx:1.27", "", "", ""},
	} {
		if got := strings.Join(Argv(c.image, strings.Fields(c.command), strings.Fields(c.args)), " "); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestImagesOfWhichItIsKnownRunAsRoot(t *testing.T) {
	for image, want := range map[string]bool{
		"registry.k8s.io/e2e-test-images/busybox:1.37": true, "nginx": true, "public.ecr.aws/docker/library/alpine:3@sha256:0": true,
		"bitnami/nginx:1": false, "cgr.dev/chainguard/nginx": false, "app:1": false, "nginxinc/nginx-unprivileged": false,
	} {
		if got := RunsAsRoot(image); got != want {
			t.Errorf("%s: %v", image, got)
		}
	}
}

func TestServersListenWhereTheirOptionsSay(t *testing.T) {
	for argv, want := range map[string][]int{
		"/agnhost netexec --http-port=80": {80}, "agnhost test-webserver": {80}, "agnhost serve-hostname --port 1": {1},
		"agnhost grpc-health-checking": {5000, 8080}, "agnhost liveness": {8080}, "agnhost pause": nil, "nginx": nil,
	} {
		if got := Listens(strings.Fields(argv)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", argv, got)
		}
	}
}

func TestNetexecGoesOnForAWhileAfterItWasTold(t *testing.T) {
	for argv, want := range map[string]time.Duration{
		"/agnhost netexec --http-port 80 --delay-shutdown=600": 10 * time.Minute, "/agnhost netexec": 0, "/agnhost pause": 0, "": 0,
	} {
		if got := StopDelay(strings.Fields(argv)); got != want {
			t.Errorf("%s: %v", argv, got)
		}
	}
}

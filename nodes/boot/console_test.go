package boot

import (
	"strings"
	"testing"
	"time"
)

func TestConsoleTellsOfTheBoot(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	_, lines, err := Parse([]byte(NodeadmUserData(managed)), AL2023)
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts{
		Family: AL2023, Architecture: "x86_64", InstanceID: "i-0123456789abcdef0", InstanceType: "m5.large",
		HostName: "ip-10-0-0-1.ec2.internal", Address: "10.0.0.1", Started: start, Boot: lines, BootAt: start.Add(11 * time.Second),
		Events: []ConsoleEvent{
			{start.Add(20 * time.Second), KubeletStarted, "v1.36.1"}, {start.Add(50 * time.Second), TimedOut, "10.0.0.9:443"},
			{start.Add(55 * time.Second), Unauthorized, "10.0.0.9:443"}, {start.Add(60 * time.Second), UnknownCA, "10.0.0.9:443"},
			{start.Add(70 * time.Second), Registered, "ip-10-0-0-1.ec2.internal"},
		},
	}
	text := ConsoleOutput(facts)
	at := 0
	for _, want := range []string{
		"Linux version 6.12", "Hostname set to <ip-10-0-0-1.ec2.internal>", "InstanceId: i-0123456789abcdef0",
		"[   11.000000] nodeadm: info init/init.go:50 Checking user is root..", "Configured daemon",
		`[   20.000000] kubelet[1846]: I server.go:530] "Kubelet version" kubeletVersion="v1.36.1"`, "dial tcp 10.0.0.9:443: i/o timeout",
		`err="Unauthorized"`, "x509: certificate signed by unknown authority", `"Successfully registered node"`,
	} {
		i := strings.Index(text[at:], want)
		if i < 0 {
			t.Fatalf("%q is not in the console, or too early:\n%s", want, text)
		}
		at += i
	}
	for range 2000 {
		facts.Events = append(facts.Events, ConsoleEvent{start.Add(time.Hour), TimedOut, "10.0.0.9:443"})
	}
	if text := ConsoleOutput(facts); len(text) != maxConsole || !strings.HasSuffix(text, "\n") {
		t.Errorf("the console of a long trouble has %d bytes", len(text))
	}
}

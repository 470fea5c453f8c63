package boot

import (
	"fmt"
	"strings"
	"time"
)

// maxConsole is how much of a console EC2 shows: the most recent 64 KiB.
const maxConsole = 64 << 10

// Facts are what an instance's console is made of.
type Facts struct {
	Family       Family
	Architecture string // x86_64 or arm64
	InstanceID   string
	InstanceType string
	HostName     string // the private DNS name
	Address      string // the primary IPv4 address
	// Started is when the machine began to run.
	Started time.Time
	// Boot are the lines that Parse gave, at the time BootAt.
	Boot   []string
	BootAt time.Time
	// Events are what happened then, in order.
	Events []ConsoleEvent
}

// ConsoleEvent is something that happened on an instance.
type ConsoleEvent struct {
	At   time.Time
	Kind EventKind
	// Detail is what the kind says.
	Detail string
}

// EventKind is a kind of events on an instance.
type EventKind string

// The kinds of events. Detail is, in this order: the kubelet's version; the node's name; the API server's address, host and
// port; the kubelet's own sentence; nothing.
const (
	KubeletStarted EventKind = "kubelet started"
	Registered     EventKind = "registered"
	TimedOut       EventKind = "timed out"
	Refused        EventKind = "refused"
	Unauthorized   EventKind = "unauthorized"
	UnknownCA      EventKind = "unknown CA"
	KubeletFailed  EventKind = "kubelet failed"
	ShuttingDown   EventKind = "shutting down"
)

// ConsoleOutput is what GetConsoleOutput shows of an instance: the kernel's first lines, cloud-init, what the user data
// made of it, and what became of its kubelet; of much, the most recent 64 KiB.
func ConsoleOutput(f Facts) string {
	var out strings.Builder
	line := func(at time.Time, program, format string, args ...any) {
		since := max(0, at.Sub(f.Started).Seconds())
		if program != "" {
			program += ": "
		}
		fmt.Fprintf(&out, "[%12.6f] %s%s\n", since, program, fmt.Sprintf(format, args...))
	}
	for _, text := range kernel(f) {
		line(f.Started, "", "%s", text)
	}
	f.cloudInit(line)
	for _, text := range f.Boot {
		program, rest, named := strings.Cut(text, ": ")
		if !named || strings.ContainsAny(program, " !") {
			program, rest = "cloud-init[1423]", text
		}
		for one := range strings.SplitSeq(rest, "\n") {
			line(f.BootAt, program, "%s", one)
		}
	}
	for _, e := range f.Events {
		for _, text := range f.told(e) {
			line(e.At, "kubelet[1846]", "%s", text)
		}
	}
	if text := out.String(); len(text) > maxConsole {
		return text[len(text)-maxConsole:]
	}
	return out.String()
}

// kernel are the first lines of Linux.
func kernel(f Facts) []string {
	version, image := "6.12.63-84.121.amzn2023."+machineOf(f.Architecture), "Amazon Linux 2023"
	switch f.Family {
	case AL2:
		version, image = "5.10.245-243.979.amzn2."+machineOf(f.Architecture), "Amazon Linux 2"
	case Bottlerocket:
		version, image = "6.12.63", "Bottlerocket OS"
	}
	maker := "Amazon EC2 " + f.InstanceType + "/, BIOS 1.0 10/16/2017"
	return []string{
		"Linux version " + version + " (mockbuild@ip-10-0-0-1) (gcc (GCC)) #1 SMP",
		"Command line: BOOT_IMAGE=(hd0,gpt1)/boot/vmlinuz root=UUID=00000000-0000-0000-0000-000000000000 ro console=tty0 " +
			"console=ttyS0,115200n8 nvme_core.io_timeout=4294967295",
		"DMI: " + maker, "systemd[1]: Detected virtualization amazon.", "systemd[1]: Detected architecture " +
			map[bool]string{true: "arm64", false: "x86-64"}[f.Architecture == "arm64"] + ".",
		"systemd[1]: Hostname set to <" + f.HostName + ">.", "Welcome to " + image + "!",
	}
}

func machineOf(architecture string) string {
	if architecture == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}

// cloudInit are its lines; Bottlerocket has none.
func (f Facts) cloudInit(line func(at time.Time, program, format string, args ...any)) {
	if f.Family == Bottlerocket || f.BootAt.IsZero() {
		return
	}
	line(f.BootAt, "cloud-init[1423]", "Cloud-init v. 22.2.2 running 'init' at %s. Up %.2f seconds.",
		f.BootAt.UTC().Format(time.RFC1123Z), f.BootAt.Sub(f.Started).Seconds())
	line(f.BootAt, "cloud-init[1423]", "ci-info: |  ens5  | True | %s | 255.255.240.0 | global |", f.Address)
	line(f.BootAt, "cloud-init[1423]", "Datasource DataSourceEc2.  InstanceId: %s", f.InstanceID)
}

// told are the lines of what happened.
func (f Facts) told(e ConsoleEvent) []string {
	list := func(reason string) []string {
		return []string{
			fmt.Sprintf(`E kubelet_node_status.go:107] "Unable to register node with API server" err="Post \"https://%s/api/v1/nodes\": %s" `+
				`node="%s"`, e.Detail, reason, f.HostName),
		}
	}
	switch e.Kind {
	case KubeletStarted:
		return []string{`I server.go:530] "Kubelet version" kubeletVersion="` + e.Detail + `"`, `I server.go:878] "Started kubelet"`}
	case Registered:
		return []string{`I kubelet_node_status.go:75] "Attempting to register node" node="` + e.Detail + `"`,
			`I kubelet_node_status.go:78] "Successfully registered node" node="` + e.Detail + `"`}
	case TimedOut:
		return list("dial tcp " + e.Detail + ": i/o timeout")
	case Refused:
		return list("dial tcp " + e.Detail + ": connect: connection refused")
	case UnknownCA:
		return list("tls: failed to verify certificate: x509: certificate signed by unknown authority")
	case Unauthorized:
		return []string{`E kubelet_node_status.go:107] "Unable to register node with API server" err="Unauthorized" node="` + f.HostName + `"`}
	case KubeletFailed:
		return append([]string{`E run.go:72] "command failed" err="` + strings.ReplaceAll(e.Detail, "\n", " ") + `"`},
			"systemd[1]: kubelet.service: Main process exited, code=exited, status=1/FAILURE")
	case ShuttingDown:
		return []string{"systemd[1]: Stopping Kubernetes Kubelet...", "systemd-shutdown[1]: Powering off."}
	}
	return []string{e.Detail}
}

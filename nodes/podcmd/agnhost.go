package podcmd

import (
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// The subcommands of agnhost, 2.66, as far as they are plain: those that end, and those that serve until they are
// stopped, with what they print when they start (k8s.io/kubernetes/test/images/agnhost).
var (
	agnhostTools = map[string]func(s *shell, to streams, argv []string) (int, error){
		"mounttest": (*shell).mounttest, "logs-generator": (*shell).logsGenerator, "entrypoint-tester": (*shell).entrypointTester,
		"connect": (*shell).agnhostConnect, "etc-hosts": (*shell).etcHosts,
		"dns-suffix": (*shell).resolvConf, "dns-server-list": (*shell).resolvConf,
	}
	agnhostServers = map[string]func(flags *pflag.FlagSet, args []string) (lines []string, err error){
		"netexec":              netexec,
		"serve-hostname":       serveHostname,
		"grpc-health-checking": grpcHealthChecking,
		"h2c-server":           h2cServer,
		"tcp-reset":            tcpReset,
	}
	// quietServers print nothing before the first request.
	quietServers = []string{"guestbook", "liveness", "porter", "test-webserver"}
)

// agnhost runs one of its subcommands; others are not plain.
func (s *shell) agnhost(to streams, argv []string) (int, error) {
	if len(argv) < 2 {
		return 1, unreadable("agnhost without a subcommand")
	}
	name := argv[1]
	if tool := agnhostTools[name]; tool != nil {
		return tool(s, to, argv)
	}
	if serve := agnhostServers[name]; serve != nil {
		lines, err := serve(newFlags(), argv[2:])
		if err != nil {
			return 1, unreadable("agnhost %s: %v", name, err)
		}
		for _, line := range lines { // by Go's log, which writes to stderr
			stamp := s.host.Now().UTC().Format("2006/01/02 15:04:05 ")
			if err := s.print(streams{stderr: true, silent: to.silent}, stamp+line+"\n"); err != nil {
				return 1, err
			}
		}
		return 0, s.host.Sleep(forever)
	}
	if name == "pause" {
		if err := s.print(to, "Paused\nSignals registered\n"); err != nil {
			return 1, err
		}
		return 0, s.host.Sleep(forever)
	}
	if slices.Contains(quietServers, name) {
		return 0, s.host.Sleep(forever)
	}
	return 1, unreadable("agnhost %s is not known", name)
}

// newFlags are a subcommand's, which take the options of every program with Kubernetes' logs, too.
func newFlags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("agnhost", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringP("v", "v", "", "")
	flags.String("vmodule", "", "")
	return flags
}

func netexec(flags *pflag.FlagSet, args []string) ([]string, error) {
	httpPort := flags.Int("http-port", 8080, "")
	udpPort := flags.Int("udp-port", 8081, "")
	sctpPort := flags.Int("sctp-port", -1, "")
	addresses := flags.String("udp-listen-addresses", "", "")
	for _, name := range []string{"tls-cert-file", "tls-private-key-file", "http-override"} {
		flags.String(name, "", "")
	}
	flags.Int("delay-shutdown", 0, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	lines := []string{fmt.Sprintf("Started HTTP server on port %d", *httpPort)}
	if *udpPort != -1 {
		for address := range strings.SplitSeq(*addresses, ",") {
			lines = append(lines, fmt.Sprintf("Started UDP server on port %s %d", address, *udpPort))
		}
	}
	if *sctpPort != -1 {
		lines = append(lines, "Started SCTP server")
	}
	return lines, nil
}

func serveHostname(flags *pflag.FlagSet, args []string) ([]string, error) {
	port := flags.Int("port", 9376, "")
	for _, name := range []string{"tcp", "udp", "http", "close"} {
		flags.Bool(name, false, "")
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("Serving on port %d.", *port)}, nil
}

func grpcHealthChecking(flags *pflag.FlagSet, args []string) ([]string, error) {
	health, httpPort, err := grpcFlags(flags, args)
	return []string{fmt.Sprintf("Http server starting to listen on :%d", httpPort),
		fmt.Sprintf("gRPC server starting to listen on :%d", health.GRPCPort)}, err
}

func grpcFlags(flags *pflag.FlagSet, args []string) (h Health, httpPort int, err error) {
	flags.IntVar(&h.GRPCPort, "port", 5000, "")
	flags.IntVar(&httpPort, "http-port", 8080, "")
	delay := flags.Int("delay-unhealthy-sec", -1, "")
	flags.String("service", "", "")
	flags.String("tls-cert-file", "", "")
	flags.String("tls-private-key-file", "", "")
	err = flags.Parse(args)
	if h.For = time.Duration(*delay) * time.Second; *delay < 0 {
		h.For = forever
	}
	return h, httpPort, err
}

// Health is what a server of agnhost says of itself: that it is well, for a time from its start on.
type Health struct {
	For      time.Duration
	GRPCPort int // where it says so by gRPC; 0: by HTTP, at /healthz
}

// HealthOf is that of what a command starts; false: it says nothing.
func HealthOf(argv []string) (Health, bool) {
	if len(argv) < 2 || commandName(argv[0]) != "agnhost" {
		return Health{}, false
	}
	switch argv[1] {
	case "liveness":
		return Health{For: 10 * time.Second}, true
	case "grpc-health-checking":
		h, _, err := grpcFlags(newFlags(), argv[2:])
		return h, err == nil
	}
	return Health{}, false
}

// Listens is on which TCP ports a command of agnhost serves; nil: it is not known.
func Listens(argv []string) []int {
	if len(argv) < 2 || commandName(argv[0]) != "agnhost" {
		return nil
	}
	flags := newFlags()
	flags.ParseErrorsAllowlist.UnknownFlags = true
	port := func(name string, usual int) []int {
		n := flags.Int(name, usual, "")
		if flags.Parse(argv[2:]) != nil {
			return nil
		}
		return []int{*n}
	}
	switch argv[1] {
	case "netexec":
		return port("http-port", 8080)
	case "test-webserver", "h2c-server":
		return port("port", 80)
	case "serve-hostname":
		return port("port", 9376)
	case "liveness":
		return []int{8080}
	case "grpc-health-checking":
		if h, http, err := grpcFlags(flags, argv[2:]); err == nil {
			return []int{h.GRPCPort, http}
		}
	}
	return nil
}

// StopDelay is for how long a command goes on after SIGTERM: agnhost netexec --delay-shutdown.
func StopDelay(argv []string) time.Duration {
	if len(argv) < 2 || commandName(argv[0]) != "agnhost" || argv[1] != "netexec" {
		return 0
	}
	flags := newFlags()
	flags.ParseErrorsAllowlist.UnknownFlags = true
	delay := flags.Int("delay-shutdown", 0, "")
	if flags.Parse(argv[2:]) != nil {
		return 0
	}
	return time.Duration(*delay) * time.Second
}

func h2cServer(flags *pflag.FlagSet, args []string) ([]string, error) {
	port := flags.Int("port", 80, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("Serving h2c on port %d.", *port)}, nil
}

func tcpReset(flags *pflag.FlagSet, args []string) ([]string, error) {
	port := flags.Int("port", 8080, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("Serving on port %d.", *port)}, nil
}

func (s *shell) entrypointTester(to streams, argv []string) (int, error) {
	return 0, s.print(to, fmt.Sprintf("%v\n", argv))
}

func (s *shell) etcHosts(to streams, _ []string) (int, error) {
	hosts, _ := s.host.File("/etc/hosts")
	return 0, s.print(to, hosts.Content+"\n")
}

// resolvConf prints the first line of /etc/resolv.conf with search domains, or with servers, with commas between them.
func (s *shell) resolvConf(to streams, argv []string) (int, error) {
	file, _ := s.host.File("/etc/resolv.conf")
	for line := range strings.SplitSeq(file.Content, "\n") {
		words := strings.Fields(line)
		if len(words) > 0 && words[0] == map[string]string{"dns-suffix": "search", "dns-server-list": "nameserver"}[argv[1]] {
			return 0, s.print(to, strings.Join(words[1:], ",")+"\n")
		}
	}
	return 2, nil // it panics
}

// mostGenerated bounds what a run of logs-generator prints.
const mostGenerated = 20_000

// logsGenerator prints made-up lines of an API server's log, as klog does, evenly over a time. They follow from the
// host's name, so that they are the same at every look.
func (s *shell) logsGenerator(to streams, argv []string) (int, error) {
	flags := newFlags()
	total, duration := flags.IntP("log-lines-total", "t", 0, ""), flags.DurationP("run-duration", "d", 0, "")
	if err := flags.Parse(argv[2:]); err != nil || *total > mostGenerated {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	to.stderr = true
	line := func(level byte, source, text string) error {
		stamp := s.host.Now().UTC().Format("0102 15:04:05.000000")
		return s.print(to, fmt.Sprintf("%c%s %7d %s] %s\n", level, stamp, 1, source, text))
	}
	switch { // klog.Fatalf
	case *total <= 0:
		return 255, line('F', "logs_generator.go:64", fmt.Sprintf("Invalid total number of lines: %d", *total))
	case *duration <= 0:
		return 255, line('F', "logs_generator.go:68", fmt.Sprintf("Invalid duration: %v", *duration))
	}
	h := fnv.New64a()
	io.WriteString(h, s.host.Hostname())
	random := rand.New(rand.NewPCG(h.Sum64(), uint64(*total)))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	for id := range *total {
		const letters = "bcdfghjklmnpqrstvwxz2456789" // of k8s.io/apimachinery/pkg/util/rand
		method, namespace := pick("GET", "POST", "PUT"), pick("kube-system", "default", "ns")
		var pod strings.Builder
		for range 3 + random.IntN(2) {
			pod.WriteByte(letters[random.IntN(len(letters))])
		}
		text := fmt.Sprintf("%d %s /api/v1/namespaces/%s/pods/%s %d", id, method, namespace, pod.String(), 200+random.IntN(400))
		if err := line('I', "logs_generator.go:76", text); err != nil {
			return 1, err
		}
		if err := s.host.Sleep(*duration / time.Duration(*total)); err != nil {
			return 1, err
		}
	}
	return 0, nil
}

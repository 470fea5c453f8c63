package cli

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod/awsapi/quota"
	"tripod/awsapi/upstream"
	"tripod/iam"
	"tripod/internal/datadir"
	"tripod/internal/options"
	"tripod/internal/ports"
	"tripod/internal/version"
)

// upFlags are the flags of `tripod up`: the options, and the texts of which complete makes some of them.
type upFlags struct {
	options.Up
	detach                               bool
	pace, timers, references, localPorts string
	issuers, quotas, shipLogs            []string
}

// The values of --pace, and those of --timers.
const fast, real, calm, likeAWS = "fast", "real", "calm", "aws"

// The values of --references.
const strict, lenient = "strict", "lenient"

// upstreamEnv is --upstream where that flag is not given; it may hold credentials, as only this user can read a
// process' environment.
const upstreamEnv = "TRIPOD_UPSTREAM"

var clusterName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

func (f *upFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVarP(&f.detach, "detach", "d", false, "return when the region is ready, and leave it running")
	flags.IntVar(&f.Port, "port", 4566, "port of the AWS endpoint; 0 picks one")
	flags.StringVar(&f.Cluster, "cluster", "demo", "name of the cluster to make, or none")
	flags.StringVar(&f.KubernetesVersion, "kubernetes-version", version.DefaultKubernetes,
		"the cluster's version: "+strings.Join(version.KubernetesMinors(), ", "))
	flags.IntVar(&f.Nodes, "nodes", 3, "how many simulated nodes the cluster has")
	flags.BoolVar(&f.Heal, "heal", false, "start a zone again that was killed from outside")
	flags.DurationVar(&f.SleepAfter, "sleep-after", 0, "let the region fall asleep when nobody has spoken with it for "+
		"that long, "+
		"such as 10m; the first connection wakes it")
	flags.DurationVar(&f.DownAfter, "down-after", 0, "stop the region when nobody has spoken with it for that long, as after a run of "+
		"tests")
	flags.StringVar(&f.Region, "region", "us-east-1", "name of the AWS region")
	flags.StringVar(&f.MetricsAddress, "metrics-address", "",
		"serve Prometheus metrics on this loopback address, such as 127.0.0.1:9090")
	flags.StringVar(&f.ControlAddress, "control-address", "", "serve the control API on this loopback address too, such as "+
		"127.0.0.1:4580, for those who show the token of the data directory's file control-token")
	_ = cmd.RegisterFlagCompletionFunc("kubernetes-version",
		cobra.FixedCompletions(version.KubernetesMinors(), cobra.ShellCompDirectiveNoFileComp))
	f.registerAgent(cmd)
}

// registerAgent has the flags of what the zones' agents follow.
func (f *upFlags) registerAgent(cmd *cobra.Command) {
	f.pace, f.timers, f.references = fast, calm, strict
	flags := cmd.Flags()
	flags.BoolVar(&f.Throttle, "throttle", false, "refuse calls beyond AWS's rates, as AWS does")
	flags.StringArrayVar(&f.quotas, "quota", nil, "how many of a thing an account or cluster may have, where not AWS's "+
		"default, "+
		"such as users=20000; may be repeated: "+strings.Join(quota.Names(), ", "))
	flags.StringVar(&f.Upstream, "upstream", "", "emulator that answers the AWS calls that Tripod does not have: "+
		"aws-emulator, "+
		"which is AWS's own (aws-emulator:PORT where several run), or a URL such as http://127.0.0.1:5000 "+
		"(TRIPOD_UPSTREAM, where credentials may stand before the host: KEY:SECRET@)")
	flags.BoolVar(&f.RemoteUpstream, "allow-remote-upstream", false, "let --upstream be on another machine")
	flags.StringArrayVar(&f.issuers, "oidc-issuer", nil, "OIDC issuer on another machine that is asked for its keys, "+
		"such as https://token.actions.githubusercontent.com; may be repeated")
	flags.StringVar(&f.ClientAddress, "client-address", "",
		"IP address that clients are said to have: publicAccessCidrs and aws:SourceIp see it")
	flags.StringVar(&f.localPorts, "local-ports", "", "ports of this machine to which pods may lead webhooks' calls by "+
		"their annotation "+
		"tripod.internal/local-address, such as 8000-8999,9090; none otherwise")
	flags.BoolVar(&f.NodeLogs, "node-logs", false, "keep the logs of containers as files, as nodes have them, for collectors: "+
		"'tripod logs --paths' says where")
	flags.StringArrayVar(&f.shipLogs, "ship-logs", nil, "have each node's log router send what containers say, as on EKS by Fluent Bit: "+
		"to "+options.LogOutputs+"; may be repeated")
	flags.StringVar(&f.pace, "pace", f.pace, "fast, or real: clusters are CREATING, UPDATING and DELETING for as many "+
		"minutes as in EKS; "+
		"not so the first one")
	flags.StringVar(&f.timers, "timers", f.timers, "calm: elections and leases as in EKS, and balancers are told who is dead; "+
		"fast: they take for dead what is silent for a fraction of a second; or aws: balancers know only what a Network Load "+
		"Balancer's health checks find, each 30s, 2 until a zone is out and 5 until it is in again")
	flags.StringVar(&f.references, "references", f.references,
		"strict: EKS's calls are refused that name roles, launch templates, keys "+
			"or instance types that are not there; or lenient: they are taken, and 'tripod history' tells")
}

// complete checks what was typed and makes the options of it. env reads the environment.
func (f *upFlags) complete(cmd *cobra.Command, env func(string) string) error {
	for _, check := range []func(*cobra.Command) error{f.completeWords, f.checkValues, f.completeQuotas,
		f.completeIssuers, f.completeLogs} {
		if err := check(cmd); err != nil {
			return err
		}
	}
	if err := f.completeUpstream(cmd, env); err != nil {
		return err
	}
	if f.localPorts == "" {
		return nil
	}
	var err error
	if f.LocalPorts, err = ports.Parse(f.localPorts); err != nil {
		return usage(cmd, "--local-ports: %v", err)
	}
	return nil
}

func (f *upFlags) completeWords(cmd *cobra.Command) error {
	f.PortSet = cmd.Flags().Changed("port")
	if f.pace != fast && f.pace != real {
		return usage(cmd, "--pace %q is neither fast nor real", f.pace)
	}
	if f.timers != fast && f.timers != calm && f.timers != likeAWS {
		return usage(cmd, "--timers %q is none of calm, fast and aws", f.timers)
	}
	if f.references != strict && f.references != lenient {
		return usage(cmd, "--references %q is neither strict nor lenient", f.references)
	}
	f.RealPace, f.FastTimers, f.LenientReferences = f.pace == real, f.timers == fast, f.references == lenient
	f.AWSHealthChecks = f.timers == likeAWS
	return nil
}

func (f *upFlags) checkValues(cmd *cobra.Command) error {
	f.KubernetesVersion = strings.TrimPrefix(f.KubernetesVersion, "v")
	minors := version.KubernetesMinors()
	switch {
	case f.Port < 0 || f.Port > 65535:
		return usage(cmd, "--port %d is not a port: use 1 to 65535, or 0 to have one picked", f.Port)
	case !clusterName.MatchString(f.Cluster):
		return usage(cmd, "--cluster %q is not a cluster's name: use letters, digits, - and _, at most 100, the first a "+
			"letter or digit", f.Cluster)
	case !slices.Contains(minors, f.KubernetesVersion):
		return usage(cmd, "there is no Kubernetes version %q here: use one of %s", f.KubernetesVersion,
			strings.Join(minors, ", "))
	case f.Nodes < 0 || f.Nodes > 10000:
		return usage(cmd, "--nodes %d is out of range: use 0 to 10000", f.Nodes)
	case f.SleepAfter < 0 || f.SleepAfter > 0 && f.SleepAfter < time.Second:
		return usage(cmd, "--sleep-after %s is too short: use at least 1s, or 0 for never", f.SleepAfter)
	case f.DownAfter < 0 || f.DownAfter > 0 && f.DownAfter < time.Second:
		return usage(cmd, "--down-after %s is too short: use at least 1s, or 0 for never", f.DownAfter)
	case !datadir.RegionName.MatchString(f.Region):
		return usage(cmd, "--region %q is not a region's name: write it as us-east-1", f.Region)
	}
	if _, err := netip.ParseAddr(f.ClientAddress); err != nil && f.ClientAddress != "" {
		return usage(cmd, "--client-address %q is not an IP address: write it as 203.0.113.7", f.ClientAddress)
	}
	if address, err := netip.ParseAddrPort(f.ControlAddress); f.ControlAddress != "" && (err != nil || !address.Addr().IsLoopback()) {
		return usage(cmd, "--control-address %q is no loopback address: write it as 127.0.0.1:4580", f.ControlAddress)
	}
	return nil
}

func (f *upFlags) completeQuotas(cmd *cobra.Command) (err error) {
	if f.Quotas, err = quota.Parse(f.quotas); err != nil {
		return usage(cmd, "--quota: %v", err)
	}
	return nil
}

func (f *upFlags) completeLogs(cmd *cobra.Command) error {
	for _, text := range f.shipLogs {
		output, err := options.ParseLogOutput(text)
		if err != nil {
			return usage(cmd, "--ship-logs: %v", err)
		}
		f.ShipLogs, f.NodeLogs = append(f.ShipLogs, output), true // a router reads files
	}
	return nil
}

func (f *upFlags) completeIssuers(cmd *cobra.Command) error {
	for _, issuer := range f.issuers {
		host, err := iam.ParseIssuerHost(issuer)
		if err != nil {
			return usage(cmd, "%v", err)
		}
		if name, _, _ := net.SplitHostPort(host); name == "tripod.internal" || strings.HasSuffix(name, ".tripod.internal") {
			return usage(cmd, "--oidc-issuer %s is a name of the region's own, which no DNS is asked for", issuer)
		}
		f.OIDCIssuers = append(f.OIDCIssuers, host)
	}
	return nil
}

func (f *upFlags) completeUpstream(cmd *cobra.Command, env func(string) string) error {
	typed := cmd.Flags().Changed("upstream")
	if !typed {
		f.Upstream = env(upstreamEnv) // no default of the flag's: help would show it
	}
	if f.Upstream == "" {
		return nil
	}
	if upstream.IsAWSEmulator(f.Upstream) {
		found, err := upstream.FindAWSEmulator(cmd.Context(), f.Upstream, env("HOME"))
		if err != nil {
			return err
		}
		f.Upstream, f.AccountID = found.String(), upstream.AWSEmulatorAccount
		return nil
	}
	base, err := upstream.ParseUpstream(f.Upstream, f.RemoteUpstream)
	if err != nil {
		return usage(cmd, "%v", err)
	}
	if base.User != nil && typed {
		return usage(cmd, "--upstream holds a secret, which everybody on this machine could read in the list of processes: "+
			"set %s to the URL instead of the flag", upstreamEnv)
	}
	return nil
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/awsapi/quota"
	"tripod/awsapi/upstream"
	"tripod/client"
	"tripod/iam"
	"tripod/internal/datadir"
	"tripod/internal/ports"
)

// UpOptions are what `tripod up` was asked for.
type UpOptions struct {
	DataDir string // absolute
	Region  string // such as us-east-1
	// Port is that of the AWS endpoint; 0 picks one. PortSet says that it was typed and is not the default.
	Port    int
	PortSet bool
	// Cluster is the name of the cluster to make; "none" makes none.
	Cluster           string
	KubernetesVersion string        // "1.36"
	Nodes             int           // simulated nodes, over all zones
	Throttle          bool          // calls of the AWS endpoint are limited as in AWS
	Quotas            quota.Quotas  // those that differ from AWS's defaults
	LenientReferences bool          // calls may name roles and the like that are not there
	AccountID         string        // of a new region; empty means that of AWS's documentation
	Upstream          string        // URL of an emulator for what Tripod does not have; empty means none
	RemoteUpstream    bool          // it may be on another machine
	OIDCIssuers       []string      // hosts, as host:port, that may be asked for OpenID Connect issuers' keys beside this machine
	ClientAddress     string        // the IP address that clients are said to have; empty means one that is allowed everywhere
	LocalPorts        ports.Ranges  // ports of this machine to which pods' addresses may lead
	RealPace          bool          // states of clusters last as long as in EKS
	FastTimers        bool          // elections, leases and health checks guess at deaths after fractions of a second
	SleepAfter        time.Duration // for how long nobody speaks with the region until it falls asleep; 0: it never does by itself
	Heal              bool          // a zone killed from outside is started again
	MetricsAddress    string        // host:port; empty means the control socket only
	Executable        string        // to start the children with
	Logger            *slog.Logger
	// OnEvent is told of every event. It may be called from any goroutine and does not block for long.
	OnEvent func(api.Event)
}

// Region is a region that `tripod up` runs.
type Region interface {
	// Start returns when the region serves, or has undone its own work and says why.
	Start(ctx context.Context) error
	// Stop stops it in order and keeps its data.
	Stop(ctx context.Context) error
	// Kill ends all of its processes at once. It may be called while Start or Stop is under way.
	Kill()
	// Done is closed when the region has been stopped by somebody else: by `tripod down`.
	Done() <-chan struct{}
}

// versions are the Kubernetes versions that a cluster can have.
var versions = []string{"1.34", "1.35", "1.36", "1.37"}

// The values of --pace, and those of --timers.
const fast, real, calm = "fast", "real", "calm"

// The values of --references.
const strict, lenient = "strict", "lenient"

var clusterName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

func (a *app) upCommand() *cobra.Command {
	options := UpOptions{}
	detach, pace, timers, references := false, fast, calm, strict
	var issuers, quotas []string
	var localPorts string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the region: three zones and a cluster",
		Long: "Start the region: three zones and, unless told otherwise, a cluster named demo. A region that ran here before comes back as it was.\n\n" +
			"Without --detach, Ctrl-C stops everything in order, and a second Ctrl-C at once.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.DataDir = a.dataDir
			options.PortSet = cmd.Flags().Changed("port")
			if pace != fast && pace != real {
				return usage(cmd, "--pace %q is neither fast nor real", pace)
			}
			if timers != fast && timers != calm {
				return usage(cmd, "--timers %q is neither calm nor fast", timers)
			}
			if references != strict && references != lenient {
				return usage(cmd, "--references %q is neither strict nor lenient", references)
			}
			options.LenientReferences = references == lenient
			options.RealPace, options.FastTimers = pace == real, timers == fast
			if !cmd.Flags().Changed("upstream") {
				options.Upstream = a.getenv(upstreamEnv) // no default of the flag's: help would show it
			}
			if err := checkUp(cmd, &options, issuers, quotas, a.getenv("HOME")); err != nil {
				return err
			}
			if localPorts != "" {
				var err error
				if options.LocalPorts, err = ports.Parse(localPorts); err != nil {
					return usage(cmd, "--local-ports: %v", err)
				}
			}
			return a.up(cmd, options, detach)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&detach, "detach", "d", false, "return when the region is ready, and leave it running")
	flags.IntVar(&options.Port, "port", 4566, "port of the AWS endpoint; 0 picks one")
	flags.StringVar(&options.Cluster, "cluster", "demo", "name of the cluster to make, or none")
	flags.StringVar(&options.KubernetesVersion, "kubernetes-version", "1.36", "the cluster's version: "+strings.Join(versions, ", "))
	flags.IntVar(&options.Nodes, "nodes", 3, "how many simulated nodes the cluster has")
	flags.BoolVar(&options.Heal, "heal", false, "start a zone again that was killed from outside")
	flags.BoolVar(&options.Throttle, "throttle", false, "refuse calls beyond AWS's rates, as AWS does")
	flags.StringArrayVar(&quotas, "quota", nil, "how many of a thing an account or cluster may have, where not AWS's default, such as users=20000; may be repeated: "+strings.Join(quota.Names(), ", "))
	flags.StringVar(&options.Upstream, "upstream", "", "emulator that answers the AWS calls that Tripod does not have: aws-emulator, which is AWS's own "+
		"(aws-emulator:PORT where several run), or a URL such as http://127.0.0.1:5000 (TRIPOD_UPSTREAM, where credentials may stand before the host: KEY:SECRET@)")
	flags.BoolVar(&options.RemoteUpstream, "allow-remote-upstream", false, "let --upstream be on another machine")
	flags.StringArrayVar(&issuers, "oidc-issuer", nil, "OIDC issuer on another machine that is asked for its keys, such as https://token.actions.githubusercontent.com; may be repeated")
	flags.StringVar(&options.ClientAddress, "client-address", "", "IP address that clients are said to have: publicAccessCidrs and aws:SourceIp see it")
	flags.StringVar(&localPorts, "local-ports", "", "ports of this machine to which pods may lead webhooks' calls by their annotation "+
		"tripod.internal/local-address, such as 8000-8999,9090; none otherwise")
	flags.StringVar(&pace, "pace", pace, "fast, or real: clusters are CREATING, UPDATING and DELETING for as many minutes as in EKS; not so the first one")
	flags.DurationVar(&options.SleepAfter, "sleep-after", 0, "let the region fall asleep when nobody has spoken with it for that long, such as 10m; the first connection wakes it")
	flags.StringVar(&timers, "timers", timers, "calm: elections, leases and health checks as in EKS; or fast: they take for dead what is silent for a fraction of a second")
	flags.StringVar(&references, "references", references, "strict: EKS's calls are refused that name roles, launch templates, keys or instance types that are not there; or lenient: they are taken, and 'tripod history' tells")
	flags.StringVar(&options.Region, "region", "us-east-1", "name of the AWS region")
	flags.StringVar(&options.MetricsAddress, "metrics-address", "", "serve Prometheus metrics on this loopback address, such as 127.0.0.1:9090")
	_ = cmd.RegisterFlagCompletionFunc("kubernetes-version", cobra.FixedCompletions(versions, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// upstreamEnv is --upstream where that flag is not given; it may hold credentials, as only this user can read a process' environment.
const upstreamEnv = "TRIPOD_UPSTREAM"

// checkUp also completes the options: issuers are the URLs of --oidc-issuer, quotas what --quota says, home is the user's home directory.
func checkUp(cmd *cobra.Command, options *UpOptions, issuers, quotas []string, home string) error {
	options.KubernetesVersion = strings.TrimPrefix(options.KubernetesVersion, "v")
	switch {
	case options.Port < 0 || options.Port > 65535:
		return usage(cmd, "--port %d is not a port: use 1 to 65535, or 0 to have one picked", options.Port)
	case !clusterName.MatchString(options.Cluster):
		return usage(cmd, "--cluster %q is not a cluster's name: use letters, digits, - and _, at most 100, the first a letter or digit", options.Cluster)
	case !slices.Contains(versions, options.KubernetesVersion):
		return usage(cmd, "there is no Kubernetes version %q here: use one of %s", options.KubernetesVersion, strings.Join(versions, ", "))
	case options.Nodes < 0 || options.Nodes > 10000:
		return usage(cmd, "--nodes %d is out of range: use 0 to 10000", options.Nodes)
	case options.SleepAfter < 0 || options.SleepAfter > 0 && options.SleepAfter < time.Second:
		return usage(cmd, "--sleep-after %s is too short: use at least 1s, or 0 for never", options.SleepAfter)
	case !datadir.RegionName.MatchString(options.Region):
		return usage(cmd, "--region %q is not a region's name: write it as us-east-1", options.Region)
	}
	if _, err := netip.ParseAddr(options.ClientAddress); err != nil && options.ClientAddress != "" {
		return usage(cmd, "--client-address %q is not an IP address: write it as 203.0.113.7", options.ClientAddress)
	}
	var err error
	if options.Quotas, err = quota.Parse(quotas); err != nil {
		return usage(cmd, "--quota: %v", err)
	}
	for _, issuer := range issuers {
		host, err := iam.ParseIssuerHost(issuer)
		if err != nil {
			return usage(cmd, "%v", err)
		}
		if name, _, _ := net.SplitHostPort(host); name == "tripod.internal" || strings.HasSuffix(name, ".tripod.internal") {
			return usage(cmd, "--oidc-issuer %s is a name of the region's own, which no DNS is asked for", issuer)
		}
		options.OIDCIssuers = append(options.OIDCIssuers, host)
	}
	if upstream.IsAWSEmulator(options.Upstream) {
		found, err := upstream.FindAWSEmulator(cmd.Context(), options.Upstream, home)
		if err != nil {
			return err
		}
		options.Upstream, options.AccountID = found.String(), upstream.AWSEmulatorAccount
	} else if options.Upstream != "" {
		base, err := upstream.ParseUpstream(options.Upstream, options.RemoteUpstream)
		if err != nil {
			return usage(cmd, "%v", err)
		}
		if base.User != nil && cmd.Flags().Changed("upstream") {
			return usage(cmd, "--upstream holds a secret, which everybody on this machine could read in the list of processes: set %s to the URL instead of the flag",
				upstreamEnv)
		}
	}
	return nil
}

func (a *app) up(cmd *cobra.Command, options UpOptions, detach bool) error {
	if a.programs.Up == nil {
		return missing("region")
	}
	status, err := a.client().Status(cmd.Context())
	if err == nil {
		return fmt.Errorf("a region already runs in %s (pid %d): '%s' shows it, '%s' stops it", a.dataDir, status.PID, a.command("status"), a.command("down"))
	}
	if !errors.Is(err, client.ErrNotRunning) {
		return err
	}
	a.sweepPods()
	if options.Executable, err = os.Executable(); err != nil {
		return fmt.Errorf("cannot tell which program this is: %w", err)
	}
	signals := make(chan os.Signal, 2)
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) { // nohup, or the background job of a script
			signal.Notify(signals, sig)
		}
	}
	defer signal.Stop(signals)
	progress := a.newProgress()
	defer progress.Close()
	if detach {
		return a.upDetached(cmd, options, progress, signals)
	}
	log := &upLog{dataDir: options.DataDir}
	defer log.Close()
	options.Logger = slog.New(slog.NewTextHandler(log, nil))
	options.OnEvent = progress.Event
	region, err := a.programs.Up(options)
	if err != nil {
		return err
	}
	return a.serve(cmd.Context(), region, options, progress, signals)
}

// serve starts the region, keeps it until a signal, `tripod down` or the end of ctx, and stops it in order. A second signal ends it at once.
func (a *app) serve(ctx context.Context, region Region, options UpOptions, progress *progress, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	interrupted, err := a.start(ctx, region, progress, signals)
	if err != nil {
		return err
	}
	if !interrupted {
		progress.Settle()
		a.printNext(ctx, options)
		select {
		case <-region.Done():
			fmt.Fprintln(a.Stdout, "The region has stopped; its data stays.")
			return nil
		case <-signals:
			progress.Say("stopping in order (Ctrl-C again: at once)")
		case <-ctx.Done():
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- region.Stop(context.WithoutCancel(ctx)) }()
	select {
	case err := <-stopped:
		if err != nil {
			return fmt.Errorf("the region did not stop cleanly: %w", err)
		}
	case <-signals:
		region.Kill()
		return &exitError{code: 130, sentence: a.killedText()}
	}
	progress.Say("The region has stopped; its data stays.")
	if interrupted {
		return &exitError{code: 130}
	}
	return nil
}

// start returns when Start has. A first signal cancels it, which undoes what was started.
func (a *app) start(ctx context.Context, region Region, progress *progress, signals <-chan os.Signal) (interrupted bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	started := make(chan error, 1)
	go func() { started <- region.Start(ctx) }()
	for {
		select {
		case err := <-started:
			if err != nil || interrupted {
				cancel()
			} else {
				// Start's context may be the region's own: it ends with serve's.
				context.AfterFunc(ctx, cancel)
			}
			if err != nil && interrupted {
				return true, &exitError{code: 130, sentence: a.cutShortText()}
			}
			return interrupted, err
		case <-signals:
			if interrupted {
				region.Kill()
				cancel()
				return true, &exitError{code: 130, sentence: a.killedText()}
			}
			interrupted = true
			progress.Settle()
			progress.Say("stopping in order (Ctrl-C again: at once)")
			cancel()
		}
	}
}

func (a *app) killedText() string {
	return "everything was killed; the data stays, and '" + a.command("up") + "' goes on with it"
}

func (a *app) cutShortText() string {
	return "stopped before the region was ready; '" + a.command("up") + "' goes on from there"
}

// printNext prints what to type next; the last command kills a zone, since surviving that is what Tripod is for.
func (a *app) printNext(ctx context.Context, options UpOptions) {
	summary := "The region " + options.Region + " is ready"
	cluster := options.Cluster != "none"
	note := ""
	if status, err := a.client().Status(ctx); err == nil {
		summary = fmt.Sprintf("The region %s is ready: %d zones, AWS endpoint %s", status.Region, len(status.Zones), status.AWSEndpoint)
		cluster = len(status.Clusters) > 0
		for _, c := range status.Clusters {
			summary += fmt.Sprintf(",\ncluster %s (Kubernetes %s) at %s", c.Name, c.Version, c.Endpoint)
		}
		if options.AccountID != "" && options.AccountID != status.AccountID {
			note = fmt.Sprintf("The region keeps its account %s, but ARNs of what AWS Emulator answers have %s: a new --data-dir has that, too.\n",
				status.AccountID, options.AccountID)
		}
	}
	fmt.Fprintf(a.Stdout, "\n%s.\n%sNext, in another terminal or after this command:\n\n", summary, note)
	next := [][2]string{{"eval \"$(" + a.command("env") + ")\"", ""}}
	if cluster {
		next = append(next, [2]string{"kubectl get nodes", "or: " + a.command("kubectl get nodes")},
			[2]string{a.command("kubectl create deployment web --image=nginx --replicas=3"), ""})
	}
	next = append(next, [2]string{a.command("watch"), "the region, live"},
		[2]string{a.command("kill az/b"), "lose a zone: everything goes on"})
	for _, line := range next {
		if line[1] != "" {
			line[0] = pad(line[0], max(30, len(line[0]))) + "  # " + line[1]
		}
		fmt.Fprintln(a.Stdout, "  "+line[0])
	}
	fmt.Fprintln(a.Stdout)
}

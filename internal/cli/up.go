package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"tripod/client"
	"tripod/internal/options"
)

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

func (a *app) upCommand() *cobra.Command {
	flags := &upFlags{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the region: three zones and a cluster",
		Long: "Start the region: three zones and, unless told otherwise, a cluster named demo. A region that ran here " +
			"before comes back as it was.\n\n" +
			"Without --detach, Ctrl-C stops everything in order, and a second Ctrl-C at once.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			flags.DataDir = a.dataDir
			if err := flags.complete(cmd, a.getenv); err != nil {
				return err
			}
			return a.up(cmd, flags.Up, flags.detach)
		},
	}
	flags.register(cmd)
	return cmd
}

func (a *app) up(cmd *cobra.Command, options options.Up, detach bool) error {
	if a.programs.Up == nil {
		return missing("region")
	}
	status, err := a.client().Status(cmd.Context())
	if err == nil {
		return fmt.Errorf("a region already runs in %s (pid %d): '%s' shows it, '%s' stops it", a.dataDir, status.PID,
			a.command("status"), a.command("down"))
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
	options.LogLevel = &slog.LevelVar{}
	options.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: options.LogLevel}))
	options.OnEvent = progress.Event
	region, err := a.programs.Up(options)
	if err != nil {
		return err
	}
	return a.serve(cmd.Context(), region, options, progress, signals)
}

// serve starts the region, keeps it until a signal, `tripod down` or the end of ctx, and stops it in order. A second
// signal ends it at once.
func (a *app) serve(ctx context.Context, region Region, options options.Up, progress *progress,
	signals <-chan os.Signal) error {
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
func (a *app) start(ctx context.Context, region Region, progress *progress, signals <-chan os.Signal) (interrupted bool,
	err error) {
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
func (a *app) printNext(ctx context.Context, options options.Up) {
	summary := "The region " + options.Region + " is ready"
	cluster := options.HasCluster()
	note := ""
	if status, err := a.client().Status(ctx); err == nil {
		summary = fmt.Sprintf("The region %s is ready: %d zones, AWS endpoint %s", status.Region, len(status.Zones),
			status.AWSEndpoint)
		cluster = len(status.Clusters) > 0
		for _, c := range status.Clusters {
			summary += fmt.Sprintf(",\ncluster %s (Kubernetes %s) at %s", c.Name, c.Version, c.Endpoint)
		}
		if options.AccountID != "" && options.AccountID != status.AccountID {
			note = fmt.Sprintf("The region keeps its account %s, but ARNs of what AWS Emulator answers have %s: "+
				"a new --data-dir has that, too.\n", status.AccountID, options.AccountID)
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

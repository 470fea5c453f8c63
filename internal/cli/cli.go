// Package cli is Tripod's command line: everything of `tripod` that needs no Kubernetes. What does need it, and the
// region itself, are given to it as Programs, so that the commands and their tests link fast.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tripod/api"
	"tripod/client"
	"tripod/internal/datadir"
	"tripod/internal/options"
	"tripod/snapshot"
)

// IO is what a run of the program reads and writes.
type IO struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Environ is the environment as os.Environ has it.
	Environ []string
}

// Programs are the parts of the program that this package does not link. A nil field makes its command answer that
// this build lacks it.
type Programs struct {
	// Up makes a region that is not started yet.
	Up func(options.Up) (Region, error)
	// Kubectl runs kubectl with the arguments after its name and returns its exit code, or exits the process by
	// itself as kubectl does. An empty kubeconfig leaves the choice to kubectl.
	Kubectl func(args []string, kubeconfig string) int
	// Token makes a bearer token for a cluster and returns it as the JSON of an ExecCredential.
	Token func(ctx context.Context, request TokenRequest) ([]byte, error)
	// PodExec runs a local command as a pod and returns its exit code; an error means that it did not run. PodEnter is
	// its child, which becomes the command.
	PodExec  func(ctx context.Context, request PodExecRequest) (int, error)
	PodEnter func(args []string) error
	// SaveSnapshot saves the region in dataDir, which does not run, and RestoreSnapshot makes a data directory of a
	// snapshot. Both call each for their progress.
	SaveSnapshot func(ctx context.Context, dataDir string, request api.SnapshotRequest,
		each func(api.SnapshotProgress)) (*api.Snapshot, error)
	RestoreSnapshot func(ctx context.Context, request snapshot.RestoreRequest,
		each func(api.SnapshotProgress)) (*api.Snapshot, error)
	// Zone, Etcd, APIServer and Controllers are the children of a region: they run until ctx ends (SIGTERM or SIGINT).
	Zone, Etcd, APIServer, Controllers func(ctx context.Context, args []string) error
}

// Main runs the command that args, with the program's name first, ask for. Report turns its error into an exit code.
func Main(ctx context.Context, args []string, streams IO, programs Programs) error {
	a := &app{IO: streams, programs: programs, name: "tripod"}
	if len(args) > 0 {
		a.name, args = args[0], args[1:]
	}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	return root.ExecuteContext(ctx)
}

// Report writes what there is to say about a command's error and returns the exit code: 0 done, 1 failed, 2 wrong
// usage, or the one that the error carries.
func Report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	code := 1
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
	}
	if text := err.Error(); text != "" {
		// Joined errors stand in lines of their own: here they are one.
		fmt.Fprintf(stderr, "tripod: %s\n", strings.ReplaceAll(text, "\n", "; "))
	}
	return code
}

// exitError is an error with an exit code of its own; with an empty sentence nothing is printed.
type exitError struct {
	code     int
	sentence string
}

func (e *exitError) Error() string { return e.sentence }

// usage is an error of the person who typed the command.
func usage(cmd *cobra.Command, format string, args ...any) error {
	return &exitError{code: 2, sentence: fmt.Sprintf(format, args...) + " (see '" + cmd.CommandPath() + " --help')"}
}

// app is one run of the program.
type app struct {
	IO
	programs Programs
	name     string // as typed, such as bin/tripod
	dataDir  string // absolute once flags are parsed
	// dataDirFlag says that --data-dir was typed, so that commands which are suggested need it too.
	dataDirFlag bool
}

func (a *app) root() *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "tripod",
		Short: "A local Amazon EKS that survives losing a zone",
		Long: "Tripod runs a small AWS region on this machine: three availability zones, each with a real Kubernetes\n" +
			"control plane, behind one endpoint per cluster. Begin with 'tripod up'.",
		SilenceErrors:    true,
		SilenceUsage:     true,
		TraverseChildren: true, // so that `tripod --data-dir X kubectl get` gives kubectl only what is its own
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := ""
			if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
				hint = ", did you mean '" + like[0] + "'?"
			}
			return usage(cmd, "there is no command %q%s", args[0], hint)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return a.printVersion()
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.resolveDataDir(cmd)
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.Flags().BoolVar(&version, "version", false, "print the version")
	// Cobra shows the process' global flags as every command's; Kubernetes' libraries put some there that mean nothing
	// here.
	pflag.CommandLine.VisitAll(func(flag *pflag.Flag) { flag.Hidden = true })
	dataDir := a.getenv("TRIPOD_DATA_DIR")
	if dataDir == "" {
		dataDir = datadir.Default()
	}
	root.PersistentFlags().StringVar(&a.dataDir, "data-dir", dataDir, "the region's directory (TRIPOD_DATA_DIR)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, "%v", err) })
	root.AddGroup(&cobra.Group{ID: "region", Title: "The region:"}, &cobra.Group{ID: "look", Title: "Look at it:"},
		&cobra.Group{ID: "fault", Title: "Break it and mend it:"}, &cobra.Group{ID: "use", Title: "Use it:"})
	a.add(root, "region", a.upCommand(), a.downCommand(), a.waitCommand(), a.sleepCommand(), a.wakeCommand(),
		a.snapshotCommand(), a.supportBundleCommand())
	a.add(root, "look", a.statusCommand(), a.watchCommand(), a.lbCommand(), a.eventsCommand(), a.logsCommand(),
		a.historyCommand(), a.metricsCommand(), a.prometheusCommand(), a.logLevelCommand())
	a.add(root, "fault", append(append(a.verbCommands(), a.linkCommands()...), a.faultCommand(), a.chaosCommand())...)
	a.add(root, "use", a.envCommand(), a.kubectlCommand(), a.podCommand(), a.tokenCommand(), a.whoamiCommand(),
		a.canICommand(), a.canReachCommand(), a.proxyCommand())
	root.AddCommand(a.versionCommand(), a.internalCommand())
	return root
}

func (a *app) add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, command := range commands {
		command.GroupID = group
		root.AddCommand(command)
	}
}

func (a *app) resolveDataDir(cmd *cobra.Command) error {
	if a.dataDir == "" {
		return usage(cmd, "--data-dir is empty: name the region's directory")
	}
	abs, err := filepath.Abs(a.dataDir)
	if err != nil {
		return fmt.Errorf("cannot tell the full path of %s: %w", a.dataDir, err)
	}
	a.dataDir = abs
	a.dataDirFlag = cmd.Root().PersistentFlags().Changed("data-dir")
	return nil
}

func (a *app) client() *client.Client { return client.New(a.dataDir) }

func (a *app) getenv(name string) string {
	value := ""
	for _, entry := range a.Environ {
		if n, v, _ := strings.Cut(entry, "="); n == name {
			value = v
		}
	}
	return value
}

// command is how a person types one of the program's commands for the same region.
func (a *app) command(rest string) string {
	if a.dataDirFlag {
		return shellQuote(a.name) + " --data-dir " + shellQuote(a.dataDir) + " " + rest
	}
	return shellQuote(a.name) + " " + rest
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd, "'%s' takes no arguments, but there is %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func oneTarget(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(cmd, "'%s' takes one target, such as az/b or etcd/b", cmd.CommandPath())
	}
	return nil
}

// missing is the error of a command whose program this build does not hold.
func missing(name string) error {
	return fmt.Errorf("this build of tripod has no %s: build it with 'make'", name)
}

// completeTargets completes a target's name from the region's status, quickly or not at all.
func (a *app) completeTargets(extra ...string) func(*cobra.Command, []string, string) ([]string,
	cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 500*time.Millisecond)
		defer cancel()
		names := append([]string(nil), extra...)
		if status, err := a.client().Status(ctx); err == nil {
			for _, zone := range status.Zones {
				for _, kind := range api.TargetKinds {
					names = append(names, kind+"/"+status.Letter(zone.Name))
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

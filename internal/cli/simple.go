package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/internal/version"
)

func (a *app) metricsCommand() *cobra.Command {
	cluster := ""
	cmd := &cobra.Command{
		Use:   "metrics [TARGET]",
		Short: "Print the metrics of the region, or of one instance",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneTarget(cmd, args)
		},
		ValidArgsFunction: a.completeTargets(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.client().Metrics(cmd.Context(), "", "", a.Stdout)
			}
			_, zone, err := api.SplitTarget(args[0])
			if err != nil {
				return usage(cmd, "%v", err)
			}
			err = a.client().Metrics(cmd.Context(), args[0], cluster, a.Stdout)
			return a.explain(cmd.Context(), err, zone, cluster)
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster, where there are several")
	return cmd
}

func (a *app) kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl ...",
		Short:              "Run the built-in kubectl against the region's cluster",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if a.programs.Kubectl == nil {
				return missing("kubectl")
			}
			kubeconfig := ""
			if !has(args, "--kubeconfig") {
				kubeconfig = filepath.Join(a.dataDir, "kubeconfig")
			}
			if _, err := os.Stat(kubeconfig); kubeconfig != "" && errors.Is(err, fs.ErrNotExist) && !offline(args) {
				return fmt.Errorf("there is no cluster in %s yet: make one with '%s'", a.dataDir, a.command("up"))
			}
			if code := a.programs.Kubectl(args, kubeconfig); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}

// has says whether a flag stands among kubectl's own arguments, those before "--".
func has(args []string, flags ...string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		for _, flag := range flags {
			if arg == flag || strings.HasPrefix(arg, flag+"=") {
				return true
			}
		}
	}
	return false
}

// offline says whether kubectl can do this without a cluster.
func offline(args []string) bool {
	if len(args) == 0 || has(args, "--help", "-h", "--client") {
		return true
	}
	switch args[0] {
	case "help", "options", "completion", "kustomize", "plugin", "__complete", "__completeNoDesc":
		return true
	}
	return false
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of Tripod and of what it is made of",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	text := "tripod (no build information)"
	if info, ok := debug.ReadBuildInfo(); ok {
		text = versionText(info)
	}
	_, err := fmt.Fprintln(a.Stdout, text)
	return err
}

func versionText(info *debug.BuildInfo) string {
	text := "tripod " + version.Of(info) + " (" + info.GoVersion
	names := []string{"k8s.io/kubernetes", "Kubernetes", "go.etcd.io/etcd/server/v3", "etcd", "github.com/hashicorp/raft", "raft", "sigs.k8s.io/kwok", "KWOK"}
	for i := 0; i < len(names); i += 2 {
		for _, module := range info.Deps {
			if module.Path == names[i] {
				text += ", " + names[i+1] + " " + strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return text + ")"
}

// noCommand is the exit code of a command that could not be run, as env and nohup have it.
const noCommand = 127

// internalCommand holds the region's children. Their flags are their own.
func (a *app) internalCommand() *cobra.Command {
	parent := &cobra.Command{
		Use: "internal", Hidden: true, Short: "Programs of the region's children",
		RunE: func(cmd *cobra.Command, args []string) error { return usage(cmd, "name a program") },
	}
	programs := []struct {
		name string
		run  func(context.Context, []string) error
	}{{"zone", a.programs.Zone}, {"etcd", a.programs.Etcd}, {"apiserver", a.programs.APIServer}, {"controllers", a.programs.Controllers}}
	parent.AddCommand(a.manCommand(), &cobra.Command{
		Use: "pod", DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if a.programs.PodEnter == nil {
				return missing("pod exec")
			}
			return &exitError{code: noCommand, sentence: a.programs.PodEnter(args).Error()}
		},
	})
	for _, program := range programs {
		parent.AddCommand(&cobra.Command{
			Use:                program.name,
			DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				if program.run == nil {
					return missing(program.name)
				}
				ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
				defer stop()
				return program.run(ctx, args)
			},
		})
	}
	return parent
}

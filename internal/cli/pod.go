package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tripod/client"
	"tripod/internal/datadir"
	"tripod/internal/process"
)

// PodExecRequest is a command that is to run as a pod.
type PodExecRequest struct {
	Kubeconfig, Cluster       string // Cluster may be empty: the kubeconfig's current one
	Namespace, Pod, Container string // Container may be empty: the first
	Command                   []string
	NoMounts                  bool
	// Env are the names of the pod's variables that are taken though they may change what runs; "all" and "none" are
	// what they say.
	Env                          []string
	Region, Endpoint             string
	AccessKeyID, SecretAccessKey string
	// Directory is one of this user's and this region's for the pods' files while commands run.
	Directory string
	// DataDir is the region's data directory, in which volumes are directories.
	DataDir string
	// Executable and Args run this program's `internal pod`.
	Executable string
	Args       []string
	IO
}

func (a *app) podCommand() *cobra.Command {
	pod := &cobra.Command{
		Use: "pod", Short: "Be a pod of the cluster on this machine",
		RunE: func(cmd *cobra.Command, _ []string) error { return usage(cmd, "name what to do: exec") },
	}
	request := PodExecRequest{}
	run := &cobra.Command{
		Use:   "exec NAMESPACE/POD -- COMMAND [ARGUMENT]...",
		Short: "Run a local command with a pod's identity: its token, its environment, its AWS role",
		Long: "Run a local command with a pod's identity.\n\n" +
			"It gets the pod's environment, a KUBECONFIG and KUBERNETES_SERVICE_HOST that lead to the cluster as its service " +
			"account, the files that\n" +
			"the pod has under /var/run/secrets (on Linux, for the command alone), and the AWS credentials of IRSA or EKS " +
			"Pod Identity. Tokens are\n" +
			"renewed while it runs. Its exit code is the command's, and signals are passed on.\n\n" +
			"The command runs on this machine as you, and the pod's variables are its author's. Those that change what a " +
			"program loads, runs or trusts\n" +
			"(LD_PRELOAD, PATH, PYTHONPATH, HTTPS_PROXY, KUBECONFIG and their kind) are withheld, and named on stderr. --env " +
			"NAME or --env 'APP_*' takes\n" +
			"what you know, --env all takes everything, and --env none only the pod's identity.\n\n" +
			"On macOS it is always as with --no-mounts: a client finds its token by KUBECONFIG, which controller-runtime and " +
			"kubectl read, and not by\n" +
			"client-go's rest.InClusterConfig.",
		Example: "  tripod pod exec default/shop -- aws sts get-caller-identity\n" +
			"  tripod pod exec kube-system/controller -- go run ./cmd/controller",
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return usage(cmd, "'%s' takes one NAMESPACE/POD and, after --, a command", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			namespace, name, ok := strings.Cut(args[0], "/")
			if !ok || namespace == "" || name == "" {
				return usage(cmd, "%q is not a pod's NAMESPACE/POD", args[0])
			}
			request.Namespace, request.Pod, request.Command = namespace, name, args[1:]
			return a.podExec(cmd.Context(), request)
		},
	}
	run.Flags().StringVarP(&request.Container, "container", "c", "",
		"the container whose environment and mounts count (the first)")
	run.Flags().StringVar(&request.Cluster, "cluster", "", "the cluster, where there are several")
	run.Flags().BoolVar(&request.NoMounts, "no-mounts", false,
		"leave /var/run/secrets alone: KUBECONFIG and the AWS variables lead to the pod's files")
	run.Flags().StringSliceVar(&request.Env, "env", nil,
		"variables of the pod that are taken though they may change what runs here: `NAME`s, beginnings with *, all, or none")
	pod.AddCommand(run)
	return pod
}

func (a *app) podExec(ctx context.Context, request PodExecRequest) error {
	if a.programs.PodExec == nil {
		return missing("pod exec")
	}
	env, err := client.ReadEnvironment(a.dataDir, a.Environ)
	if err != nil {
		return err
	}
	marker, credentials, err := datadir.Load(a.dataDir)
	if err != nil {
		return err
	}
	if request.Executable, err = os.Executable(); err != nil {
		return err
	}
	if _, err := datadir.RuntimeDir(); err != nil {
		return err
	}
	request.Directory, request.DataDir = a.podDirectory(), a.dataDir
	request.Kubeconfig, request.Args = filepath.Join(a.dataDir, "kubeconfig"), []string{"internal", "pod"}
	request.Region, request.Endpoint = marker.Region, marker.Endpoint()
	request.AccessKeyID, request.SecretAccessKey = credentials.AccessKeyID, credentials.SecretAccessKey
	request.IO = a.IO
	request.Environ = env.Apply(a.Environ)
	code, err := a.programs.PodExec(ctx, request)
	if err != nil {
		return fmt.Errorf("pod %s/%s: %w", request.Namespace, request.Pod, err)
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// podDirectory is on the machine where the command runs, which is not the region's when that one is in a container.
func (a *app) podDirectory() string {
	return filepath.Join(filepath.Dir(datadir.SocketPath(a.dataDir)), "pods")
}

// sweepPods removes what commands that were killed have left of their pods. A failure is no reason not to start or stop
// a region.
func (a *app) sweepPods() {
	_ = process.SweepDirectories(a.podDirectory())
}

// Package podexec runs a command of this machine as a pod of a cluster: with its service account's tokens, its
// environment and its AWS identity. So a controller runs on a laptop with exactly the identity that it will have.
//
// A persistent volume of the pod's is a directory of this machine, as are its emptyDir and what its hostPath volumes see of the
// node: the command has a variable for each and, on Linux, sees it where the container does, if nothing of this machine is there
// (claims.go, own.go, filesystem.go).
//
// What the pod has below /var/run/secrets lies in a private directory for as long as the command runs; tokens are
// renewed as the kubelet does. A lock says that the directory's process lives: what one that was killed has left is
// removed by the next, and by the region's up and down. On Linux the directory lies over /var/run/secrets, for the
// command alone, by a mount namespace. EKS Pod Identity's agent is a server on loopback that lives as long.
//
// The environment is the one that a kubelet makes, but for the variables of services: those of `kubernetes` lead to the
// cluster's endpoint, and others are not there, since their addresses lead nowhere from this machine, or in its own
// networks to somebody else. Variables of the pod's that change what a program loads or runs are withheld: see
// withheld.go.
//
// Who trusts whom: the command is the operator's and runs as the operator; the pod is its author's, who need not be
// trusted with the operator's machine. The pod's tokens are the pod's, and the command has them. What the author writes
// into the pod's ConfigMaps and Secrets is data to the command.
package podexec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"tripod/internal/process"
	"tripod/internal/sleep"
)

// What Options.Env may name beside variables.
const EnvAll, EnvNone = "all", "none"

// Options say which pod and which command.
type Options struct {
	// Kubeconfig is a file whose contexts are clusters' ARNs; Cluster is a cluster's name, and empty for the current
	// context's.
	Kubeconfig, Cluster string
	Namespace, Pod      string
	// Container is one of the pod's; empty means its first.
	Container string
	Command   []string
	// NoMounts leaves /var/run/secrets as it is: the environment and KUBECONFIG lead to the pod's files where they are.
	NoMounts bool
	// Env are names of the pod's variables, or beginnings of names with an asterisk, that the command gets though they may
	// change what it loads or runs. EnvAll takes every variable, EnvNone those of the identity alone.
	Env []string

	// Region and Endpoint are those of AWS; the keys sign the calls of EKS Auth, as a node's role does in AWS.
	Region, Endpoint             string
	AccessKeyID, SecretAccessKey string

	// Directory is one of this user's in which the pod's files lie while the command runs. What a killed process left
	// there is removed.
	Directory string
	// DataDir is the region's data directory, in which volumes are directories.
	DataDir string
	// Environ is what the command gets beside the pod's own. Executable is this program, Args those that make it Enter.
	Environ        []string
	Executable     string
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run runs the command to its end and returns its exit code, 128 and the signal's number for one that a signal ended,
// or that one was to end before it began. An error means that it did not run.
func Run(ctx context.Context, o Options) (code int, err error) {
	o.NoMounts = o.NoMounts || !mountable
	signals := make(chan os.Signal, 8) // from here on none ends this process and leaves its directory behind
	signal.Notify(signals, process.PassedOn...)
	defer signal.Stop(signals)
	preparing, stop := signal.NotifyContext(ctx, process.PassedOn...)
	defer stop()
	p, err := find(preparing, o)
	if err != nil {
		return ended(signals, err)
	}
	dir, release, err := process.Directory(o.Directory)
	if err != nil {
		return 0, err
	}
	defer release()
	p.dir = dir
	agent, err := startAgent(o, p.cluster)
	if err != nil {
		return 0, err
	}
	defer agent.stop()
	env, err := p.prepare(preparing, agent.url)
	if err != nil || preparing.Err() != nil {
		return ended(signals, err)
	}
	stop()
	running, cancel := context.WithCancel(ctx)
	defer p.wait.Wait() // for the renewals, which cancel ends
	defer cancel()
	p.renewTokens(running)
	return run(o, env, filepath.Join(dir, "secrets"), signals)
}

// ended is what Run returns when the preparation failed, be it of a signal.
func ended(signals <-chan os.Signal, err error) (int, error) {
	select {
	case s := <-signals:
		return 128 + int(s.(syscall.Signal)), nil
	default:
		return 0, err
	}
}

// prepare makes the pod's files and the command's environment. agent is where credentials of EKS Pod Identity are.
func (p *pod) prepare(ctx context.Context, agent string) ([]string, error) {
	env, err := p.environ(ctx, agent)
	if err != nil {
		return nil, err
	}
	if err := p.writeFiles(ctx); err != nil {
		return nil, err
	}
	volumes, err := p.layVolumes(ctx)
	if err != nil {
		return nil, err
	}
	return append(env, volumes...), p.writeKubeconfig()
}

// find reads the pod.
func find(ctx context.Context, o Options) (*pod, error) {
	overrides := &clientcmd.ConfigOverrides{}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{
		ExplicitPath: o.Kubeconfig}, overrides)
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.Kubeconfig, err)
	}
	name := raw.CurrentContext
	if o.Cluster != "" {
		name = ""
		for context := range raw.Contexts {
			if strings.HasSuffix(context, ":cluster/"+o.Cluster) {
				name = context
			}
		}
	}
	if raw.Contexts[name] == nil {
		return nil, fmt.Errorf("there is no cluster %q in %s", o.Cluster, o.Kubeconfig)
	}
	overrides.CurrentContext = name
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{
		ExplicitPath: o.Kubeconfig}, overrides).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Timeout = -1, 10*time.Second
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	p := &pod{options: o, client: client, server: config.Host, ca: config.CAData,
		cluster: name[strings.LastIndexByte(name, '/')+1:]}
	err = again(ctx, func() (err error) {
		p.object, err = client.CoreV1().Pods(o.Namespace).Get(ctx, o.Pod, metav1.GetOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, p.choose(o.Container)
}

// choose picks the container whose environment and mounts count.
func (p *pod) choose(name string) error {
	if name == "" {
		name = p.object.Annotations["kubectl.kubernetes.io/default-container"]
	}
	if p.container = p.containerNamed(name); p.container != nil {
		return nil
	}
	var names []string
	for _, list := range p.containers() {
		for _, c := range list {
			names = append(names, c.Name)
		}
	}
	return fmt.Errorf("it has no container %q, but %s", name, strings.Join(names, ", "))
}

// containerNamed is the pod's container of a name, or its first for an empty one.
func (p *pod) containerNamed(name string) *corev1.Container {
	for _, list := range p.containers() {
		for i := range list {
			if name == "" || list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

func (p *pod) containers() [2][]corev1.Container {
	return [2][]corev1.Container{p.object.Spec.Containers, p.object.Spec.InitContainers}
}

const (
	attempts = 4
	pause    = 250 * time.Millisecond
)

// again does what may meet a zone that is being lost, some times over.
func again(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || attempt == attempts || !passing(err) || ctx.Err() != nil {
			return err
		}
		sleep.For(ctx, time.Duration(attempt)*pause)
	}
}

// passing is true of errors without an answer, or with one that says that a server is going or coming.
func passing(err error) bool {
	var status interface{ Status() metav1.Status }
	if errors.As(err, &status) {
		return status.Status().Code >= 500 || status.Status().Code == 429
	}
	return true
}

// Package podexec runs a command of this machine as a pod of a cluster: with its service account's tokens, its environment and its AWS
// identity. So a controller runs on a laptop with exactly the identity that it will have.
//
// The pod's tokens, authority and namespace lie in a private directory for as long as the command runs; tokens are renewed as the kubelet does.
// On Linux the directory lies over /var/run/secrets, for the command alone, by a mount namespace. EKS Pod Identity's agent is a server on loopback that
// lives as long.
package podexec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options say which pod and which command.
type Options struct {
	// Kubeconfig is a file whose contexts are clusters' ARNs; Cluster is a cluster's name, and empty for the current context's.
	Kubeconfig, Cluster string
	Namespace, Pod      string
	// Container is one of the pod's; empty means its first.
	Container string
	Command   []string
	// NoMounts leaves /var/run/secrets as it is: the environment and KUBECONFIG lead to the pod's files where they are.
	NoMounts bool

	// Region and Endpoint are those of AWS; the keys sign the calls of EKS Auth, as a node's role does in AWS.
	Region, Endpoint             string
	AccessKeyID, SecretAccessKey string

	// Environ is what the command gets beside the pod's own. Executable is this program, Args those that make it Enter.
	Environ        []string
	Executable     string
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run runs the command to its end and returns its exit code, 128 and the signal's number for one that a signal ended. An error means that
// it did not run.
func Run(ctx context.Context, o Options) (code int, err error) {
	p, err := find(ctx, o)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "tripod-pod-") // of mode 0700
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	p.dir = dir
	running, cancel := context.WithCancel(ctx)
	defer p.wait.Wait() // for the renewals, which cancel ends
	defer cancel()
	if err := p.writeFiles(running); err != nil {
		return 0, fmt.Errorf("the pod's files: %w", err)
	}
	agent, err := startAgent(o, p.cluster)
	if err != nil {
		return 0, err
	}
	defer agent.stop()
	env, err := p.environ(running, agent.url)
	if err != nil {
		return 0, err
	}
	if err := p.writeKubeconfig(); err != nil {
		return 0, err
	}
	return run(o, env, filepath.Join(dir, "secrets"))
}

// find reads the pod.
func find(ctx context.Context, o Options) (*pod, error) {
	overrides := &clientcmd.ConfigOverrides{}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: o.Kubeconfig}, overrides)
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
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(&clientcmd.ClientConfigLoadingRules{ExplicitPath: o.Kubeconfig}, overrides).ClientConfig()
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
	p := &pod{options: o, client: client, server: config.Host, ca: config.CAData, cluster: name[strings.LastIndexByte(name, '/')+1:]}
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
	var names []string
	for _, list := range [][]corev1.Container{p.object.Spec.Containers, p.object.Spec.InitContainers} {
		for i := range list {
			if name == "" || list[i].Name == name {
				p.container = &list[i]
				return nil
			}
			names = append(names, list[i].Name)
		}
	}
	return fmt.Errorf("pod %s/%s has no container %q, but %s", p.object.Namespace, p.object.Name, name, strings.Join(names, ", "))
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
		select {
		case <-time.After(time.Duration(attempt) * pause):
		case <-ctx.Done():
		}
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

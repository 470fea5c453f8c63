package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"tripod/internal/datadir"
)

// Options say how Start starts a region. Binary and DataDir are needed.
type Options struct {
	Binary            string // path of the program tripod
	DataDir           string // made when it is not there
	Port              int    // of the AWS endpoint; 0 picks a free one, or keeps the data directory's
	Cluster           string // name of the first cluster; empty means demo, "none" means none
	KubernetesVersion string // such as "1.36"; empty means the default
	Nodes             int    // simulated nodes; 0 means the default, -1 means none
	// Snapshot is the name or the file of a snapshot that the region is made of, when there is none in DataDir yet. It has
	// the ports of the region that was saved: only one of its copies runs at a time.
	Snapshot string
	Args     []string  // further flags of `tripod up`
	Output   io.Writer // where the progress goes; nil means nowhere
}

// Region is a running region of a test or a tool. It is a Client as well.
type Region struct {
	*Client
	binary string
}

// Start starts a region in the background and returns when it is ready. The caller ends it with Close.
// The error is the one sentence that `tripod up` said.
func Start(ctx context.Context, options Options) (*Region, error) {
	region := &Region{Client: New(options.DataDir), binary: options.Binary}
	args := []string{"up", "--detach", "--data-dir", options.DataDir}
	_, err := datadir.ReadMarker(options.DataDir)
	if errors.Is(err, fs.ErrNotExist) && options.Snapshot != "" {
		err = region.run(ctx, options.Output, "snapshot", "restore", options.Snapshot, "--data-dir", options.DataDir)
		if err != nil {
			return nil, err
		}
	}
	if options.Port != 0 {
		args = append(args, "--port", strconv.Itoa(options.Port))
	} else if err != nil {
		args = append(args, "--port", "0")
	}
	if options.Cluster != "" {
		args = append(args, "--cluster", options.Cluster)
	}
	if options.KubernetesVersion != "" {
		args = append(args, "--kubernetes-version", options.KubernetesVersion)
	}
	if options.Nodes != 0 {
		args = append(args, "--nodes", strconv.Itoa(max(options.Nodes, 0)))
	}
	if err := region.run(ctx, options.Output, append(args, options.Args...)...); err != nil {
		return nil, err
	}
	return region, nil
}

// Kubeconfig is the path of a kubeconfig for the region's clusters.
func (r *Region) Kubeconfig() string { return filepath.Join(r.DataDir(), "kubeconfig") }

// Env is this process' environment, changed so that AWS and Kubernetes clients started with it use the region.
func (r *Region) Env() ([]string, error) {
	env, err := ReadEnvironment(r.DataDir(), os.Environ())
	if err != nil {
		return nil, err
	}
	return env.Apply(os.Environ()), nil
}

// Kill kills a target such as "az/b" with SIGKILL and returns when its processes are gone.
func (r *Region) Kill(ctx context.Context, target string) error { return r.Do(ctx, target, "kill", "") }

// Pause freezes a target's processes.
func (r *Region) Pause(ctx context.Context, target string) error {
	return r.Do(ctx, target, "pause", "")
}

// Resume lets a paused target's processes go on.
func (r *Region) Resume(ctx context.Context, target string) error {
	return r.Do(ctx, target, "resume", "")
}

// StopTarget stops a target gracefully; it stays stopped until StartTarget or Reset.
func (r *Region) StopTarget(ctx context.Context, target string) error {
	return r.Do(ctx, target, "stop", "")
}

// StartTarget starts a target that was stopped or killed.
func (r *Region) StartTarget(ctx context.Context, target string) error {
	return r.Do(ctx, target, "start", "")
}

// Close stops the region; its data stays. A region that does not run is no error.
func (r *Region) Close(ctx context.Context) error {
	return r.run(ctx, nil, "down", "--data-dir", r.DataDir())
}

// Purge stops the region and deletes its data.
func (r *Region) Purge(ctx context.Context) error {
	return r.run(ctx, nil, "down", "--purge", "--data-dir", r.DataDir())
}

func (r *Region) run(ctx context.Context, output io.Writer, args ...string) error {
	var said bytes.Buffer
	command := exec.CommandContext(ctx, r.binary, args...)
	// Interrupt and not the default, SIGKILL: `tripod up` then stops what it has started.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.Stdout, command.Stderr = output, &said
	err := command.Run()
	if sentence := strings.TrimPrefix(strings.TrimSpace(said.String()), "tripod: "); err != nil && sentence != "" {
		return errors.New(sentence)
	}
	if err != nil {
		return fmt.Errorf("tripod %s: %w", args[0], err)
	}
	return nil
}

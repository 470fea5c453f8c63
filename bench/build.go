package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// kubeVersion is the version in go.mod, which the binaries report.
const kubeVersion = "v1.37.2"

// ldflags are the Makefile's, so that kwokctl runs what Tripod links.
const ldflags = "-s -w -X k8s.io/component-base/version.gitVersion=" + kubeVersion +
	" -X k8s.io/client-go/pkg/version.gitVersion=" + kubeVersion

// built maps a program's name to its package. The Kubernetes and etcd ones come from Tripod's own go.mod, which has
// the replace lines that `go install` refuses.
var built = []struct{ name, module, path string }{
	{"kube-apiserver", ".", "k8s.io/kubernetes/cmd/kube-apiserver"},
	{"kube-controller-manager", ".", "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{"kube-scheduler", ".", "k8s.io/kubernetes/cmd/kube-scheduler"},
	{"kubectl", ".", "k8s.io/kubernetes/cmd/kubectl"},
	{"etcd", ".", "go.etcd.io/etcd/server/v3"},
	{"kwok", "bench/kwok", "sigs.k8s.io/kwok/cmd/kwok"},
	{"kwokctl", "bench/kwok", "sigs.k8s.io/kwok/cmd/kwokctl"},
}

// buildAll builds what is missing in dir. The settings are the Makefile's too: others would compile all of Kubernetes
// again.
func buildAll(ctx context.Context, dir string, log io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, b := range built {
		path := filepath.Join(dir, b.name)
		if _, err := os.Stat(path); err == nil {
			continue
		}
		fmt.Fprintf(log, "building %s (once)\n", path)
		command := exec.CommandContext(ctx, "go", "build", "-ldflags", ldflags, "-o", path, b.path)
		command.Dir = b.module
		command.Env = append(os.Environ(), "CGO_ENABLED=0")
		command.Stdout, command.Stderr = log, log
		if err := command.Run(); err != nil {
			return fmt.Errorf("build %s (run this from the repository's root): %w", b.path, err)
		}
	}
	return nil
}

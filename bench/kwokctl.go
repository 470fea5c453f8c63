package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// kwokCluster is one cluster of kwokctl's binary runtime: one etcd, API server, controller-manager, scheduler and kwok.
type kwokCluster struct {
	build string // where the binaries are
	home  string // HOME and everything that it writes
	port  int
}

func (k *kwokCluster) dir(parts ...string) string {
	return filepath.Join(append([]string{k.home, "clusters", "bench"}, parts...)...)
}

// run runs kwokctl in an environment of its own, in which the only kubectl is the one built here and nothing is
// downloaded.
func (k *kwokCluster) run(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(k.build, "kwokctl"), args...)
	command.Env = []string{"HOME=" + k.home, "KWOK_WORKDIR=" + k.home, "KWOK_KUBE_VERSION=" + kubeVersion,
		"KUBECONFIG=" + filepath.Join(k.home, "kubeconfig"), "PATH=" + k.build + ":/usr/bin:/bin", "NO_PROXY=*"}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kwokctl %s: %w: %s", args[0], err, output)
	}
	return nil
}

func (k *kwokCluster) create(ctx context.Context, flags ...string) error {
	args := append([]string{"create", "cluster", "--name=bench", "--runtime=binary", "--kubeconfig=" +
		filepath.Join(k.home, "kubeconfig"),
		"--kube-apiserver-port=" + strconv.Itoa(k.port), "--kwok-controller-binary=" + filepath.Join(k.build, "kwok")}, flags...)
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"} {
		args = append(args, "--"+name+"-binary="+filepath.Join(k.build, name))
	}
	return k.run(ctx, args...)
}

// pids of the components that run.
func (k *kwokCluster) pids() ([]int, error) {
	files, err := filepath.Glob(k.dir("pids", "*.pid"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("kwokctl left no process ids in %s", k.dir("pids"))
	}
	var roots []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		roots = append(roots, pid)
	}
	return family(roots...)
}

// probe waits until kwokctl has made the certificates.
func (k *kwokCluster) probe(ctx context.Context, failed <-chan error) (*probe, error) {
	var p *probe
	_, err := until(ctx, time.Minute, "kwokctl's certificates", func() error {
		ca, err := os.ReadFile(k.dir("pki", "ca.crt"))
		if err != nil {
			select {
			case end := <-failed:
				return fmt.Errorf("%w: %w", err, end)
			default:
				return err
			}
		}
		certificate, err := tls.LoadX509KeyPair(k.dir("pki", "admin.crt"), k.dir("pki", "admin.key"))
		if err != nil {
			return err
		}
		p, err = newProbe(fmt.Sprintf("https://127.0.0.1:%d", k.port), ca, &certificate, nil, 2*time.Second)
		return err
	})
	return p, err
}

// runKwokctl is one cold start of kwokctl with what is measured on it. It has no part that is restarted or rejoins.
func (b *bench) runKwokctl(ctx context.Context, i int) error {
	if !b.kwokctl || !b.anyOf("start", "idle", "rejoin", "restart") {
		return nil
	}
	k := &kwokCluster{build: b.build, home: filepath.Join(b.scratch, fmt.Sprintf("kwok-%d", i))}
	if err := os.MkdirAll(k.home, 0o700); err != nil {
		return err
	}
	var err error
	if k.port, err = freePort(); err != nil {
		return err
	}
	begun := time.Now()
	created := make(chan error, 1)
	go func() { created <- k.create(ctx) }()
	defer k.end(ctx, b)
	p, err := k.probe(ctx, created)
	if err != nil {
		return err
	}
	var times [3]float64
	for n, path := range []string{anyRequest, ready, serviceAccount} {
		at, err := p.answers(ctx, path)
		if err != nil {
			return err
		}
		times[n] = at.Sub(begun).Seconds()
	}
	if err := <-created; err != nil {
		return err
	}
	b.say("kwokctl: first request %.2f s, ready %.2f s, default ServiceAccount %.2f s", times[0], times[1], times[2])
	b.report.addKwokctl(firstRequest, times[0])
	b.report.addKwokctl(threeZones, times[1])
	b.report.addKwokctl(defaultSA, times[2])
	pids, err := k.pids()
	if err != nil {
		return err
	}
	b.noteStart(b.report.addKwokctl, "kwokctl", pids)
	if b.wants("idle") {
		return b.idle(ctx, b.report.addKwokctl, k.pids)
	}
	return nil
}

// end deletes the cluster. Its processes are nobody's children and outlive kwokctl: deleting is the only way to end them.
func (k *kwokCluster) end(ctx context.Context, b *bench) {
	if err := k.run(context.WithoutCancel(ctx), "delete", "cluster", "--name=bench"); err != nil {
		b.say("%v", err)
	}
	os.RemoveAll(k.home)
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/iam"
	"tripod/internal/datadir"
)

// zoneNames are the targets of a region's zones.
var zoneNames = []string{"az/a", "az/b", "az/c"}

// region is one `tripod up` in the foreground, a child of this process.
type region struct {
	*client.Client
	binary  string
	command *exec.Cmd
	begun   time.Time // when the program was started
	output  *os.File
	done    chan struct{} // closed once the process is reaped
}

// upRegion starts a region and does not wait for it.
func (b *bench) upRegion(dataDir string, flags ...string) (*region, error) {
	output, err := os.CreateTemp(b.scratch, "up-*.log")
	if err != nil {
		return nil, err
	}
	args := append([]string{"up", "--data-dir", dataDir}, flags...)
	if _, err := os.Stat(dataDir); err != nil {
		args = append(args, "--port", "0")
	}
	r := &region{Client: client.New(dataDir), binary: b.binary, command: exec.Command(b.binary, args...), output: output,
		done: make(chan struct{})}
	r.command.Stdout, r.command.Stderr = output, output
	r.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is this program's: it stops the region in order
	r.begun = time.Now()
	if err := r.command.Start(); err != nil {
		return nil, errors.Join(err, output.Close())
	}
	go func() {
		defer close(r.done)
		_ = r.command.Wait() // how it ended is in its output
	}()
	return r, nil
}

// withRegion has do measure a new region of that name, started with those flags, once its zones are ready, and deletes
// it.
func (b *bench) withRegion(ctx context.Context, name string, do func(*region) error, flags ...string) error {
	dataDir := filepath.Join(b.scratch, "region-"+name)
	r, err := b.upRegion(dataDir, flags...)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dataDir)
	defer r.close()
	if _, err := r.readyAt(ctx); err != nil {
		return err
	}
	return do(r)
}

// close stops the region in order and returns when its process has ended.
func (r *region) close() {
	_ = r.command.Process.Signal(os.Interrupt)
	select {
	case <-r.done:
	case <-time.After(30 * time.Second):
		_ = r.command.Process.Signal(os.Interrupt) // the second is "at once"
		<-r.done
	}
	r.output.Close()
}

// alive is an error with what the region's process said, once it has ended.
func (r *region) alive() error {
	select {
	case <-r.done:
		text, _ := os.ReadFile(r.output.Name())
		return fmt.Errorf("tripod up ended: %s", text[max(0, len(text)-1000):])
	default:
		return nil
	}
}

// kubeconfig is the part of a region's kubeconfig, which is JSON, that a probe needs.
type kubeconfig struct {
	Clusters []struct {
		Cluster struct {
			Server string
			CA     []byte `json:"certificate-authority-data"`
		}
	}
}

// probe waits for the region's kubeconfig and returns a probe with the default user's tokens.
func (r *region) probe(ctx context.Context, timeout time.Duration) (*probe, error) {
	var config kubeconfig
	_, err := until(ctx, 2*time.Minute, "kubeconfig", func() error {
		text, err := os.ReadFile(filepath.Join(r.DataDir(), "kubeconfig"))
		if err != nil {
			return errors.Join(err, r.alive())
		}
		if err := json.Unmarshal(text, &config); err != nil {
			return err
		}
		if len(config.Clusters) == 0 {
			return errors.New("it has no cluster yet")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	marker, err := datadir.ReadMarker(r.DataDir())
	if err != nil {
		return nil, err
	}
	credentials, err := client.ReadCredentials(r.DataDir())
	if err != nil {
		return nil, err
	}
	token := tokens(func() (string, error) {
		keys := iam.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey}
		return iam.Token(ctx, keys, marker.Region, marker.Endpoint(), "demo", time.Now())
	})
	cluster := config.Clusters[0].Cluster
	return newProbe(cluster.Server, cluster.CA, nil, token, timeout)
}

// tokens keeps a token for some minutes, as clients do. A token that cannot be made is empty, and refused.
func tokens(make func() (string, error)) func() string {
	var mu sync.Mutex
	var token string
	var made time.Time
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(made) > 10*time.Minute {
			token, _ = make()
			made = time.Now()
		}
		return token
	}
}

// readyAt returns when the region said that it was ready for the first time in this run of it.
func (r *region) readyAt(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	var at time.Time
	for {
		err := r.Events(ctx, 0, true, func(event api.Event) error {
			if event.Type == "RegionReady" && event.Time.After(r.begun) {
				at = event.Time
				return io.EOF
			}
			return nil
		})
		if !at.IsZero() {
			return at, nil
		}
		if died := r.alive(); died != nil || ctx.Err() != nil {
			return at, errors.Join(err, died, ctx.Err())
		}
		time.Sleep(every)
	}
}

// runTripod is one cold start with what is measured on it.
func (b *bench) runTripod(ctx context.Context, i int) error {
	dataDir := filepath.Join(b.scratch, fmt.Sprintf("region-%d", i))
	r, err := b.upRegion(dataDir)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dataDir)
	defer func() { r.close() }()
	if err := b.coldStart(ctx, r); err != nil {
		return err
	}
	if b.wants("idle") {
		if err := b.idle(ctx, b.report.addTripod, func() ([]int,
			error) {
			return family(r.command.Process.Pid)
		}); err != nil {
			return err
		}
	}
	if b.wants("rejoin") {
		if err := b.rejoin(ctx, r, zoneNames[i%len(zoneNames)]); err != nil {
			return err
		}
	}
	if !b.wants("restart") {
		return nil
	}
	r.close()
	again, err := b.upRegion(dataDir)
	if err != nil {
		return err
	}
	r = again
	at, err := r.readyAt(ctx)
	if err != nil {
		return err
	}
	b.say("tripod: warm restart %.2f s", at.Sub(r.begun).Seconds())
	b.report.addTripod(warmRestart, at.Sub(r.begun).Seconds())
	return nil
}

func (b *bench) coldStart(ctx context.Context, r *region) error {
	p, err := r.probe(ctx, 2*time.Second)
	if err != nil {
		return err
	}
	first, err := p.answers(ctx, anyRequest)
	if err != nil {
		return err
	}
	account, err := p.answers(ctx, serviceAccount)
	if err != nil {
		return err
	}
	zones, err := r.readyAt(ctx)
	if err != nil {
		return err
	}
	b.say("tripod: first request %.2f s, three zones %.2f s, default ServiceAccount %.2f s",
		first.Sub(r.begun).Seconds(), zones.Sub(r.begun).Seconds(), account.Sub(r.begun).Seconds())
	b.report.addTripod(firstRequest, first.Sub(r.begun).Seconds())
	b.report.addTripod(threeZones, zones.Sub(r.begun).Seconds())
	b.report.addTripod(defaultSA, account.Sub(r.begun).Seconds())
	pids, err := family(r.command.Process.Pid)
	if err != nil {
		return err
	}
	b.noteStart(b.report.addTripod, "tripod", pids)
	return nil
}

// noteStart notes what the start of those processes has cost.
func (b *bench) noteStart(add func(string, float64), who string, pids []int) {
	used, sum, detail := usage(pids), 0.0, ""
	for _, component := range slices.Sorted(maps.Keys(used)) {
		sum += used[component].cpu.Seconds()
		detail += fmt.Sprintf("; %s %.1f s", component, used[component].cpu.Seconds())
	}
	b.say("%s: %.1f s of processor time until all are ready%s", who, sum, detail)
	add(startCPU, sum)
}

// idle measures what a settled system uses: CPU over the window, memory at its end.
func (b *bench) idle(ctx context.Context, add func(string, float64), processes func() ([]int, error)) error {
	if err := pause(ctx, b.settle); err != nil {
		return err
	}
	pids, err := processes()
	if err != nil {
		return err
	}
	begin, before := time.Now(), usage(pids)
	if err := pause(ctx, b.window); err != nil {
		return err
	}
	if pids, err = processes(); err != nil {
		return err
	}
	window, after := time.Since(begin), usage(pids)
	share, size, woken, detail := 0.0, 0.0, 0.0, ""
	for _, component := range slices.Sorted(maps.Keys(after)) {
		used := 100 * (after[component].cpu - before[component].cpu).Seconds() / window.Seconds()
		wakeUps := float64(after[component].switches-before[component].switches) / window.Seconds()
		detail += fmt.Sprintf("; %s %.1f %%, %.0f MiB, %.0f wake-ups/s", component, used, after[component].mib, wakeUps)
		share += used
		woken += wakeUps
		size += after[component].mib
	}
	b.say("idle: %d processes, %.1f %% of one core, %.0f MiB%s", len(pids), share, size, detail)
	add(memory, size)
	add(idleCPU, share)
	add(idleSwitches, woken)
	return nil
}

func (b *bench) rejoin(ctx context.Context, r *region, zone string) error {
	if err := r.Do(ctx, zone, "kill", ""); err != nil {
		return err
	}
	if err := r.waitFor(ctx, zone, api.StateKilled); err != nil {
		return err
	}
	begin := time.Now()
	if err := r.Do(ctx, zone, "start", ""); err != nil {
		return err
	}
	if err := r.waitFor(ctx, "region", client.ForHealthy); err != nil {
		return err
	}
	b.say("tripod: %s rejoined after %.2f s", zone, time.Since(begin).Seconds())
	b.report.addTripod(rejoin, time.Since(begin).Seconds())
	return nil
}

func (r *region) waitFor(ctx context.Context, target, condition string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return r.Wait(ctx, target, condition)
}

// pause waits for d or ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

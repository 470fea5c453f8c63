package controlplane

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/az/zonetest"
	"tripod/internal/loss"
	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// fakeState is a regional state that this zone leads.
type fakeState struct{ *state.Memory }

func (fakeState) Leader() string { return "us-east-1a" }

// fakeWorkers are nodes of which the test knows the version.
type fakeWorkers struct{ Workers }

func (fakeWorkers) Start(context.Context) error { return nil }
func (fakeWorkers) Set([]machine.Machine) error { return nil }
func (fakeWorkers) Stop(context.Context) error  { return nil }
func (fakeWorkers) Serve(net.Listener) error    { return nil }
func (fakeWorkers) Metrics() http.Handler       { return http.NotFoundHandler() }

// newHost is a region of one zone, which has a cluster of version 1.36.
func newHost(t *testing.T) Host {
	t.Helper()
	zone := zonetest.Plan()
	zone.Peers = zone.Peers[:1]
	zone.Dir, zone.Executable, zone.Peers[0].RunDir = t.TempDir(), os.Args[0], zonetest.ShortDir(t)
	if err := os.MkdirAll(filepath.Join(zone.Dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	record := region.Cluster{
		ID: zonetest.ClusterID, Name: "demo", Status: region.ClusterActive, Version: "1.36",
		EndpointPort: zonetest.FreePort(t),
		ServiceCIDR:  "10.100.0.0/16", Secrets: secretsOnce,
	}
	return Host{
		Plan:  zone,
		State: fakeState{region.NewMemory(func(tx *state.Txn) { region.Clusters.Put(tx, record.ID, record) })},
		Event: func(api.Event) {}, OnLoss: func(loss.Loss) {}, OnChange: func() {}, Logger: quiet(), Now: time.Now,
		Timing: Timing{Patience: time.Minute},
	}
}

// partOf is the part of the cluster as its record is now.
func partOf(t *testing.T, host Host) *Part {
	t.Helper()
	c := New(host, region.Cluster{ID: zonetest.ClusterID})
	record, err := c.present()
	if err != nil {
		t.Fatal(err)
	}
	return New(host, record)
}

// rollingPart is a zone's part of a cluster whose changes the test makes itself.
func rollingPart(t *testing.T) *Part {
	t.Helper()
	c := partOf(t, newHost(t))
	if err := c.writePKI(); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.awsAuth, err = c.newAWSAuth(); err != nil {
		t.Fatal(err)
	}
	for _, i := range c.Instances() {
		go i.Supervise(t.Context())
		t.Cleanup(func() { i.End(context.Background()) })
	}
	ready := func() bool { return c.controllers.Status().State == api.StateReady }
	zonetest.Eventually(t, "its controllers are ready", ready, func() any { return c.controllers.Status() })
	return c
}

// hinder keeps a role's processes of a version from becoming ready; what it returns lets them.
func hinder(t *testing.T, c *Part, role, version string) (help func()) {
	t.Helper()
	file := filepath.Join(c.dir, "unready-"+role+"-"+version)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() { os.Remove(file) }
}

// diary is what the cluster's processes noted.
func diary(c *Part) []string {
	text, _ := os.ReadFile(filepath.Join(c.dir, "diary")) // none: nothing was noted
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func TestFailedStepIsDoneAgain(t *testing.T) {
	c := rollingPart(t)
	c.host.Timing.Patience = 300 * time.Millisecond
	next := region.ControlPlane{Version: "1.37"}
	help := hinder(t, c, "controllers", "1.37")
	for range 2 { // the failure may not have been written down: then the step comes again
		if err := c.become(t.Context(), next, nil); err == nil || !strings.Contains(err.Error(), "was not ready") {
			t.Errorf("got %v", err)
		}
	}
	help()
	c.host.Timing.Patience = time.Minute
	if err := c.become(t.Context(), next, nil); err != nil || c.controllers.Status().State != api.StateReady {
		t.Errorf("got %v, and the controllers are %+v", err, c.controllers.Status())
	}
	starts := len(diary(c))
	if err := c.become(t.Context(), next, nil); err != nil || len(diary(c)) != starts {
		t.Errorf("what was reached is done again: %v, %q", err, diary(c))
	}
}

func TestStepOfAnotherUpdateIsNotNoted(t *testing.T) {
	c := rollingPart(t)
	record, err := c.present()
	if err != nil {
		t.Fatal(err)
	}
	record.Status, record.Rollout = region.ClusterUpdating, &region.Rollout{UpdateID: "another", To: "1.37"}
	if err := c.host.State.Update(t.Context(), func(tx *state.Txn) error {
		region.Clusters.Put(tx, zonetest.ClusterID, record)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.advance(t.Context(), "mine", region.RolloutFails("late")); err != nil {
		t.Fatal(err)
	}
	if now, err := c.newest(); err != nil || now.Rollout == nil || now.Rollout.Failure != "" {
		t.Errorf("got %+v, %v", now.Rollout, err)
	}
}

package az

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az/controlplane"
	"tripod/az/plan"
	"tripod/az/zonetest"
	"tripod/internal/pki"
	"tripod/region"
	"tripod/state"
)

// rollingRegion is three zones with the cluster "demo" of version 1.36, whose processes are the test's.
type rollingRegion struct {
	zones []*testZone
}

func newRollingRegion(t *testing.T) rollingRegion {
	t.Helper()
	r := rollingRegion{newTestZones(t, "us-east-1a", "us-east-1b", "us-east-1c")}
	for _, z := range r.zones {
		if err := z.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.zones[0].found(t)
	for _, z := range r.zones {
		z.await(t, "apiserver/"+plan.Letter(z.config.Zone), api.StateReady)
		z.await(t, "controllers/"+plan.Letter(z.config.Zone), api.StateReady)
	}
	r.await(t, "the cluster is ACTIVE",
		func(c region.Cluster, _ region.Update) bool { return c.Status == region.ClusterActive })
	return r
}

const updateID = "11111111-2222-3333-4444-555555555555"

// begin starts the change to version 1.37.
func (r rollingRegion) begin(t *testing.T) {
	t.Helper()
	r.rollOut(t, region.Rollout{To: "1.37"})
}

func (r rollingRegion) rollOut(t *testing.T, rollout region.Rollout) {
	t.Helper()
	rollout.UpdateID = updateID
	r.edit(t, func(tx *state.Txn, c *region.Cluster) {
		c.Status, c.Rollout = region.ClusterUpdating, &rollout
		region.Updates.Put(tx, updateID,
			region.Update{ID: updateID, ClusterID: c.ID, Type: "VersionUpdate", Status: region.UpdateInProgress})
	})
}

func (r rollingRegion) edit(t *testing.T, edit func(*state.Txn, *region.Cluster)) {
	t.Helper()
	if err := r.zones[0].voter.Update(t.Context(), func(tx *state.Txn) error {
		c, _ := region.Clusters.Get(tx, zonetest.ClusterID)
		edit(tx, &c)
		region.Clusters.Put(tx, c.ID, c)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// await waits until the first zone's copy of the records is so.
func (r rollingRegion) await(t *testing.T, what string,
	holds func(region.Cluster, region.Update) bool) (c region.Cluster, u region.Update) {
	t.Helper()
	zonetest.Eventually(t, what, func() bool {
		r.zones[0].voter.View(func(tx *state.Txn) error {
			c, _ = region.Clusters.Get(tx, zonetest.ClusterID)
			u, _ = region.Updates.Get(tx, updateID)
			return nil
		})
		return holds(c, u)
	}, func() any { return fmt.Sprintf("%s %+v %+v; diaries %q", c.Status, c.Rollout, u, r.diaries()) })
	return c, u
}

// awaitEnd waits until the update has that status and the cluster is ACTIVE.
func (r rollingRegion) awaitEnd(t *testing.T, status region.UpdateStatus) (region.Cluster, region.Update) {
	t.Helper()
	return r.await(t, "the update is "+string(status), func(c region.Cluster, u region.Update) bool {
		return c.Status == region.ClusterActive && u.Status == status
	})
}

func (z *testZone) clusterFile(name string) string {
	return filepath.Join(z.config.Dir, "clusters", zonetest.ClusterID, name)
}

// hinder keeps a role's processes of a version from becoming ready in a zone; what it returns lets them.
func (z *testZone) hinder(t *testing.T, role, version string) (help func()) {
	t.Helper()
	file := z.clusterFile("unready-" + role + "-" + version)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() { os.Remove(file) }
}

// diary is what the zone's processes noted since the cluster's first.
func (z *testZone) diary() []string {
	text, _ := os.ReadFile(z.clusterFile("diary")) // none: nothing was noted
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (r rollingRegion) diaries() (all [][]string) {
	for _, z := range r.zones {
		all = append(all, z.diary())
	}
	return all
}

// runs is the version of the role's process that was started last.
func (z *testZone) runs(role string) string {
	entries := z.diary()
	for i := len(entries) - 1; i >= 0; i-- {
		if version, found := strings.CutPrefix(entries[i], role+" "); found && strings.HasSuffix(version, " starts") {
			return strings.TrimSuffix(version, " starts")
		}
	}
	return ""
}

// wantVersions checks what runs in every zone.
func (r rollingRegion) wantVersions(t *testing.T, version string) {
	t.Helper()
	for _, z := range r.zones {
		for _, role := range []string{"apiserver", "controllers"} {
			if got := z.runs(role); got != version {
				t.Errorf("%s of %s has version %q, want %s; diary %q", role, z.config.Zone, got, version, z.diary())
			}
		}
	}
}

// The stories share a region, which takes seconds to start: each leaves it ACTIVE, and the last with version 1.37.
func TestRollout(t *testing.T) {
	r := newRollingRegion(t)
	t.Run("cancelled in the first zone's turn it goes back", func(t *testing.T) { testCancel(t, r, 0) })
	t.Run("cancelled in the second zone's turn both go back", func(t *testing.T) { testCancel(t, r, 1) })
	t.Run("a fault in the last zone brings all back", func(t *testing.T) { testFaultedRollout(t, r) })
	t.Run("settings reach the components", func(t *testing.T) { testSettings(t, r) })
	t.Run("certificates are of the authority that signs", func(t *testing.T) { testRotation(t, r) })
	t.Run("processes are replaced zone by zone", func(t *testing.T) { testReplacement(t, r) })
}

// testCancel cancels a change while a zone's processes are replaced, and keeps that zone from going back for a while.
func testCancel(t *testing.T, r rollingRegion, turn int) {
	z := r.zones[turn]
	defer z.hinder(t, "apiserver", "1.37")()
	r.begin(t)
	r.await(t, "the zone's turn", func(region.Cluster, region.Update) bool { return z.runs("apiserver") == "1.37" })
	goBack := z.hinder(t, "controllers", "1.36")
	r.edit(t, func(_ *state.Txn, c *region.Cluster) {
		c.Rollout.Failure, c.Rollout.Cancelled = "it was cancelled", true
	})
	c, u := r.await(t, "that zone goes back",
		func(region.Cluster, region.Update) bool { return z.runs("controllers") == "1.36" })
	if c.Status != region.ClusterUpdating || u.Status != region.UpdateInProgress || !c.Rollout.Takes(z.config.Zone) {
		t.Errorf("a zone has not gone back, and the cluster is %s, the update %s: %+v", c.Status, u.Status, c.Rollout)
	}
	if turn > 0 && r.zones[0].runs("apiserver") != "1.37" {
		t.Error("two zones go back at once")
	}
	goBack()
	if c, _ := r.awaitEnd(t, "Cancelled"); c.Version != "1.36" || c.Rollout != nil {
		t.Errorf("got version %s and %+v", c.Version, c.Rollout)
	}
	r.wantVersions(t, "1.36")
}

func testFaultedRollout(t *testing.T, r rollingRegion) {
	if _, err := r.zones[1].agent().Fault(t.Context(), api.FaultVerb, updateOf("demo")); err != nil {
		t.Fatal(err)
	}
	r.begin(t)
	c, u := r.awaitEnd(t, "Failed")
	if c.Version != "1.36" || c.FaultedAt != nil || len(u.Errors) != 1 ||
		!strings.Contains(u.Errors[0].Message, "apiserver/c is unhealthy") {
		t.Errorf("got version %s, a fault since %v and errors %+v", c.Version, c.FaultedAt, u.Errors)
	}
	r.wantVersions(t, "1.36")                         // the update may not end before
	for _, verb := range []string{"fault", "reset"} { // so that the next one goes well
		if _, err := r.zones[1].agent().Fault(t.Context(), verb, updateOf("demo")); err != nil {
			t.Error(err)
		}
	}
}

func testSettings(t *testing.T, r rollingRegion) {
	r.rollOut(t, region.Rollout{To: "1.36", Settings: []byte(`{"tier":"big"}`),
		Components: &region.Components{DatabaseGB: 16, EventTTL: "10m"}})
	c, _ := r.awaitEnd(t, "Successful")
	if c.Components.DatabaseGB != 16 || string(c.Settings) != `{"tier":"big"}` || c.UpgradedAt != nil {
		t.Errorf("got %+v, settings %s, upgraded at %v", c.Components, c.Settings, c.UpgradedAt)
	}
	for _, z := range r.zones {
		for file, want := range map[string]string{"etcd.json": fmt.Sprint(16 << 30), "apiserver.json": "--event-ttl=10m"} {
			if text, err := os.ReadFile(z.clusterFile(file)); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s of %s is without %s: %v", file, z.config.Zone, want, err)
			}
		}
	}
	r.wantVersions(t, "1.36")
}

func testRotation(t *testing.T, r rollingRegion) {
	c, _ := r.await(t, "the cluster is ACTIVE",
		func(c region.Cluster, _ region.Update) bool { return c.Status == region.ClusterActive })
	first := c.CertificateAuthorities()[0]
	cert, key, err := controlplane.NewAuthority(c)
	if err != nil {
		t.Fatal(err)
	}
	second := region.Authority{ID: "second", Cert: cert, Key: key}
	r.edit(t, func(_ *state.Txn, c *region.Cluster) { c.Authorities = []region.Authority{first, second} })
	for _, step := range []struct {
		what    string
		signer  region.Authority
		trusted []string
		bundle  string
	}{
		{"a successor", first, []string{first.ID, second.ID}, first.Cert + second.Cert},
		{"it is activated", second, []string{first.ID, second.ID}, first.Cert + second.Cert},
		{"the first one is deleted", second, []string{second.ID}, second.Cert},
	} {
		r.rollOut(t, region.Rollout{To: "1.36",
			Components: &region.Components{Signer: step.signer.ID, Trusted: step.trusted}})
		r.awaitEnd(t, "Successful")
		signer, err := pki.ParseAuthority(pki.Pair{Cert: []byte(step.signer.Cert), Key: []byte(step.signer.Key)})
		if err != nil {
			t.Fatal(err)
		}
		for _, z := range r.zones {
			for name, want := range map[string]string{launch.CA + ".crt": step.bundle,
				launch.SigningCA + ".crt": step.signer.Cert, launch.SigningCA + ".key": step.signer.Key} {
				if text, err := os.ReadFile(z.clusterFile("pki/" + name)); err != nil || string(text) != want {
					t.Errorf("%s: %s of %s is another's, %v", step.what, name, z.config.Zone, err)
				}
			}
			for _, name := range []string{launch.ServingCert, launch.Administrator, launch.ControllerManage,
				launch.KubeletClient} {
				if pair, err := pki.ReadPair(z.clusterFile("pki"), name); err != nil || !signer.Signed(pair) {
					t.Errorf("%s: %s of %s is signed by another, %v", step.what, name, z.config.Zone, err)
				}
			}
		}
	}
	if c, _ := r.await(t, "the first one is gone",
		func(c region.Cluster, _ region.Update) bool { return len(c.Authorities) == 1 }); c.Authorities[0].ActivatedBy != "CUSTOMER" {
		t.Errorf("got %+v", c.Authorities)
	}
	zonetest.Eventually(t, "clients are told", func() bool {
		clusters := r.zones[0].reportedState().Clusters
		return len(clusters) == 1 && clusters[0].CACert == second.Cert
	}, func() any { return r.zones[0].reportedState().Clusters })
}

func testReplacement(t *testing.T, r rollingRegion) {
	end := time.Now().Add(time.Second) // longer than three fake zones need
	r.edit(t, func(_ *state.Txn, c *region.Cluster) { c.NotBefore = &end })
	r.begin(t)
	c, _ := r.awaitEnd(t, "Successful")
	if time.Now().Before(end) {
		t.Error("it ended before its time")
	}
	if c.Version != "1.37" || c.UpgradedFrom != "1.36" || c.UpgradedAt == nil {
		t.Errorf("got version %s, upgraded from %q at %v", c.Version, c.UpgradedFrom, c.UpgradedAt)
	}
	r.wantVersions(t, "1.37")
	want := []string{"controllers 1.36 ends", "apiserver 1.36 ends", "apiserver 1.37 starts", "controllers 1.37 starts"}
	for _, z := range r.zones {
		if diary := z.diary(); !slices.Equal(diary[len(diary)-4:], want) {
			t.Errorf("in %s happened %q, want at the end %q", z.config.Zone, diary, want)
		}
	}
}

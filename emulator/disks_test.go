package emulator

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/internal/diskfault"
)

// disksOf are those of a region whose zones do not run, and that has the cluster demo.
func disksOf(t *testing.T, dir string) *disks {
	t.Helper()
	l := linksOf(t, dir)
	d := newDisks(l.site, l.life, l.zones)
	d.cluster = func(name string) bool { return name == "demo" }
	d.supported = func() error { return nil }
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *disks) try(t *testing.T, verb, zone string, order api.FaultOrder) error {
	t.Helper()
	order.Target = api.Target{Kind: api.KindDisk, Name: zone}
	_, err := d.order(t.Context(), verb, order)
	return err
}

func (d *disks) must(t *testing.T, verb, zone string, order api.FaultOrder) {
	t.Helper()
	if err := d.try(t, verb, zone, order); err != nil {
		t.Fatal(err)
	}
}

func (d *disks) wantShown(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, f := range d.shown() {
		got = append(got, strings.TrimSpace(f.Target+" "+f.Fault+" "+f.Cluster))
	}
	if !slices.Equal(got, want) {
		t.Errorf("in force: %q, want %q", got, want)
	}
}

func TestDiskHasOneFaultBesideItsSlowness(t *testing.T) {
	dir := t.TempDir()
	d := disksOf(t, dir)
	d.must(t, api.FaultVerb, "b", api.FaultOrder{Fault: api.DiskFull})
	d.must(t, api.FaultVerb, "us-east-1b", api.FaultOrder{Fault: api.DiskFailing})
	d.must(t, api.FaultVerb, "b", api.FaultOrder{Fault: api.Slower(time.Second)})
	d.must(t, api.FaultVerb, "b", api.FaultOrder{Fault: api.DiskReadOnly, Cluster: "demo"})
	d.must(t, api.FaultVerb, "c", api.FaultOrder{Fault: api.DiskFull, For: time.Nanosecond})
	want := []string{"disk/b failing", "disk/b slow: latency 1s", "disk/b read-only demo"}
	if next := d.settle(t.Context()); !next.IsZero() {
		t.Errorf("looked at again at %v", next)
	}
	d.wantShown(t, want...)

	d = disksOf(t, dir) // the region starts again
	d.wantShown(t, want...)
	disk := d.of(d.zones[1])
	if got, want := disk.Of("demo"), (diskfault.Fault{Fails: diskfault.ReadOnly, Latency: time.Second}); got != want {
		t.Errorf("demo's disk is %+v, want %+v", got, want)
	}
	if got, want := disk.Of("other"), (diskfault.Fault{Fails: diskfault.Failing, Latency: time.Second}); got != want {
		t.Errorf("another's disk is %+v, want %+v", got, want)
	}
	if got := d.of(d.zones[0]).Of("demo"); got != (diskfault.Fault{}) {
		t.Errorf("zone a's disk is %+v", got)
	}
	d.must(t, api.Reset, "b", api.FaultOrder{Cluster: "demo"})
	d.wantShown(t, want[:2]...)
	d.must(t, api.Reset, "b", api.FaultOrder{})
	d.must(t, api.Reset, "b", api.FaultOrder{})
	d.wantShown(t)
}

func TestDiskThatCannotBeAtFaultIsRefused(t *testing.T) {
	d := disksOf(t, t.TempDir())
	for _, test := range []struct {
		zone  string
		order api.FaultOrder
		want  string
	}{
		{"d", api.FaultOrder{}, `there is no zone "d" in us-east-1: its zones are a, b, c`},
		{"b", api.FaultOrder{Cluster: "other"}, `there is no cluster "other": 'tripod status' lists them`},
	} {
		test.order.Fault = api.DiskFull
		if err := d.try(t, api.FaultVerb, test.zone, test.order); err == nil || err.Error() != test.want {
			t.Errorf("%s %+v: %v", test.zone, test.order, err)
		}
	}
	d.supported = func() error { return errors.New("faults of disks need Linux") }
	if err := d.try(t, api.FaultVerb, "b", api.FaultOrder{Fault: api.DiskFull}); err == nil || err.Error() != "faults of disks need Linux" {
		t.Error(err)
	}
	d.wantShown(t)
}

package emulator

import (
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/internal/link"
)

// linksOf are those of a region whose zones do not run.
func linksOf(t *testing.T, dir string) *links {
	t.Helper()
	f := frontsOf(t)
	f.site.dir.path = dir
	f.site.options.Region = "us-east-1"
	f.life.setUp()
	var zs zones
	for i := range zoneLetters {
		zs = append(zs, newZone(f.site, f.life, nil, i))
	}
	l := newLinks(f.site, f.life, zs)
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *links) mustOrder(t *testing.T, verb, name string, fault api.LinkFault) {
	t.Helper()
	if err := l.order(t.Context(), api.LinkOrder{Verb: verb, Link: name, LinkFault: fault}); err != nil {
		t.Fatal(err)
	}
}

func (l *links) wantShown(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, f := range l.shown() {
		got = append(got, f.Target+" "+f.Fault)
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("in force: %q, want %q", got, want)
	}
}

func TestFaultsOfLinksAreOnTheirDirections(t *testing.T) {
	dir := t.TempDir()
	l := linksOf(t, dir)
	a, b, c := "us-east-1a", "us-east-1b", "us-east-1c"
	l.mustOrder(t, api.Partition, "a-b", api.LinkFault{OneWay: true})
	if p := l.pair(route{a, b}); len(p.Out) != 1 || !p.Out[0].Drop || len(p.In) != 0 {
		t.Errorf("from a: %+v", p)
	}
	if p := l.of(l.zones[1]); len(p) != 1 || len(p[a].In) != 1 || len(p[a].Out) != 0 {
		t.Errorf("zone b: %+v", p)
	}
	l.mustOrder(t, api.Slow, "us-east-1b-a", api.LinkFault{Latency: time.Second})
	l.mustOrder(t, api.Partition, "c-clients", api.LinkFault{Reject: true})
	l.wantShown(t, "link/a-b cut: one way", "link/a-b slow: latency 1s", "link/c-clients cut: resets connections")
	if !l.cut(l.zones[2]) || l.cut(l.zones[0]) {
		t.Error("clients do not reach zone c alone")
	}

	l = linksOf(t, dir) // the region starts again
	l.wantShown(t, "link/a-b cut: one way", "link/a-b slow: latency 1s", "link/c-clients cut: resets connections")
	l.mustOrder(t, api.Heal, "b-a", api.LinkFault{OneWay: true})
	l.wantShown(t, "link/a-b cut: one way", "link/a-b slow: latency 1s, one way", "link/c-clients cut: resets connections")
	l.mustOrder(t, api.Partition, "c-*", api.LinkFault{})
	if p := l.of(l.zones[2]); !p[a].Cut() || !p[b].Cut() || p[c].Cut() {
		t.Errorf("zone c: %+v", p)
	}
	l.mustOrder(t, api.Heal, "all-c", api.LinkFault{})
	l.mustOrder(t, api.Heal, "clients-c", api.LinkFault{})
	l.wantShown(t, "link/a-b cut: one way", "link/a-b slow: latency 1s, one way")
	if err := l.clear(t.Context()); err != nil {
		t.Error(err)
	}
	l.wantShown(t)
}

func TestLinksThatAreNotThereAreNamed(t *testing.T) {
	l := linksOf(t, t.TempDir())
	for _, name := range []string{"a-d", "a-a", "-", "a-", "clients-clients", "all-all", "../../x-a"} {
		err := l.order(t.Context(), api.LinkOrder{Verb: api.Partition, Link: name})
		if want := "there is no link/" + name + " in us-east-1: write two of a, b, c, clients"; err == nil ||
			!strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.wantShown(t)
}

func TestFaultsOfLinksEndAndFlap(t *testing.T) {
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	until := since.Add(5 * time.Second)
	f := linkFault{Since: since, Until: &until, LinkFault: api.LinkFault{Flap: 2 * time.Second}}
	for at, want := range map[time.Duration]struct {
		acts bool
		next time.Duration
	}{0: {true, 2 * time.Second}, time.Second: {true, 2 * time.Second}, 2 * time.Second: {false, 4 * time.Second},
		4 * time.Second: {true, 5 * time.Second}} {
		if acts, next := f.now(since.Add(at)); acts != want.acts || next.Sub(since) != want.next {
			t.Errorf("after %v: %v until %v", at, acts, next.Sub(since))
		}
	}
	l := linksOf(t, t.TempDir())
	l.mustOrder(t, api.Partition, "a-b", api.LinkFault{For: time.Nanosecond})
	if next := l.settle(t.Context()); !next.IsZero() || !l.own[route{"us-east-1a", "us-east-1b"}].Pair().None() {
		t.Errorf("a fault whose time is over is in force, and looked at again at %v", next)
	}
	l.wantShown(t)
	l.mustOrder(t, api.Slow, "a-b", api.LinkFault{Latency: time.Second, Flap: time.Hour, Loss: 50, Bandwidth: 8000, Share: 10})
	got := l.own[route{"us-east-1a", "us-east-1b"}].Pair().Out
	if want := (link.Effect{Latency: time.Second, Loss: 0.5, Bandwidth: 1000, Share: 0.1}); len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

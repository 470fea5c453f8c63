package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"flag"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"tripod/api"
)

var update = flag.Bool("update", false, "write the golden page anew")

var begun = time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)

func at(seconds float64) time.Time {
	return begun.Add(time.Duration(seconds * float64(time.Second)))
}

// lostZone is an experiment of a minute and a half: a zone dies, another one's link is slow, and a write is lost.
func lostZone() *Report {
	const a, b, c = "us-east-1a", "us-east-1b", "us-east-1c"
	r := &Report{Schema: 1, Name: "lose-a-zone", Title: "Lose a zone", Seed: 7, Pace: 1, Outcome: NotAsExpected,
		Teaches: "A cluster of three zones keeps its API when one of them dies, and its workloads if they are spread.",
		Reason:  "2 of 6 expectations do not hold: the probe writes lost an acknowledged write, and the region took 21.4s to recover.",
		Replay:  "tripod chaos run lose-a-zone --seed 7 --pace 1 --cluster demo",
		Region:  "us-east-1", Cluster: "demo", Version: "v1.35.4-eks-7c5b2a1", Zones: []string{a, b, c}, Started: begun, Ended: at(96.4)}
	r.Phases = []Phase{{PhaseSteady, begun, at(15)}, {PhaseMethod, at(15), at(60.2)}, {PhaseRecovery, at(60.2), at(96.4)}}
	r.Verdicts = []Verdict{
		{"api", "availability", "at least 99 %", "99.64 %", true},
		{"api", "longest time without a success", "at most 1s", "380ms", true},
		{"web", "availability", "at least 95 %", "97.1 %", true},
		{"writes", "lost writes", "none", "1", false},
		{"writes", "longest time without a success", "at most 10s", "6.2s", true},
		{"", "recovery", "within 20s", "21.4s", false}}
	r.Faults = []Fault{
		{Action: "kill az/b", Target: "az/b", Zone: b, From: at(15), To: at(60)},
		{Action: "slow az/c --latency 200ms", Target: "az/c", Zone: c, From: at(30), To: at(45.5)},
		{Action: "pause etcd/c", Target: "etcd/c", Zone: c, From: at(40), To: at(41)},
		{Action: "drain node/ip-10-0-1-7.ec2.internal", Target: "node/ip-10-0-1-7.ec2.internal", Zone: a, From: at(50), To: at(50),
			Error: "the eviction of default/web-2 is refused by its disruption budget"},
		{Action: "throttle eks", Target: "eks", From: at(20), To: at(35)}}
	r.Leaders = []Leader{{begun, "etcd", b}, {at(15), "etcd", ""}, {at(15.9), "etcd", a}, {begun, "controllers", a}, {begun, "scheduler", b},
		{at(15), "scheduler", ""}, {at(17.2), "scheduler", c}, {at(41), "scheduler", a}, {begun, "the regional state", c},
		{at(40), "the regional state", ""}, {at(40.8), "the regional state", a}}
	r.Census = []Census{{begun, 3, 6, 42}, {at(15.1), 2, 6, 42}, {at(55), 2, 4, 42}, {at(56), 2, 4, 28}, {at(58), 2, 4, 36},
		{at(66), 3, 4, 36}, {at(74), 3, 6, 38}, {at(81.6), 3, 6, 42}}
	r.Probes = []Result{
		{Name: "api", Type: "http", What: "GET /api/v1/namespaces/default on a new connection", Attempts: 1628, Failures: 6, Availability: 99.64,
			P50: 3100 * time.Microsecond, P99: 41 * time.Millisecond, Max: 812 * time.Millisecond, Gap: Gap{at(15.02), 380 * time.Millisecond},
			Errors: map[string]int{"connection reset": 4, "unexpected EOF": 2}, Series: series(1, 20, 3100, 40, 15, 15.4)},
		{Name: "web", Type: "http", What: "GET / of the Ingress default/web", Attempts: 1628, Failures: 47, Availability: 97.1,
			P50: 1200 * time.Microsecond, P99: 18 * time.Millisecond, Max: 2 * time.Second, Gap: Gap{at(16.2), 1240 * time.Millisecond},
			Errors: map[string]int{"503": 31, "timeout": 16}, Series: series(2, 20, 1200, 12, 15, 18)},
		{Name: "writes", Type: "write", What: "a ConfigMap a second", Attempts: 81, Failures: 6, Availability: 92.592,
			P50: 12 * time.Millisecond, P99: 310 * time.Millisecond, Max: 1400 * time.Millisecond, Gap: Gap{at(39.8), 6200 * time.Millisecond},
			Errors: map[string]int{"etcdserver: request timed out": 6}, Lost: []string{"ConfigMap default/write-00038, acknowledged at 39.80 s"},
			Series: series(3, 1, 12000, 15, 40, 46)}}
	r.Forecast = []Finding{
		{"deployment", "default/web", "all of its 2 pods are in us-east-1b", "no pod was Ready for 14s"},
		{"quorum", "demo", "with az/b dead, the loss of one more member ends all writes", "writes stopped for 6.2s while etcd/c was paused"},
		{"pdb", "default/web", "it allows no disruption", ""}}
	r.Events = []api.Event{
		{Seq: 91, Time: at(-0.4), Type: api.RegionReady, Message: "the region is ready"},
		{Seq: 92, Time: at(15), Zone: b, Target: "az/b", Type: api.FaultInjected, Message: "kill az/b"},
		{Seq: 93, Time: at(15.03), Zone: b, Type: api.ZoneLost, Message: "us-east-1b has died: killed"},
		{Seq: 94, Time: at(15.9), Zone: a, Cluster: "demo", Type: api.LeaderChanged, Message: "etcd of demo is led from us-east-1a"},
		{Seq: 95, Time: at(60), Zone: b, Type: api.FaultCleared, Message: "start az/b"}}
	return r
}

// series is 1.2 s a point, whose latency wavers by a rule, and whose attempts fail from one second to another.
func series(seed, each int, micros, worst time.Duration, from, to float64) (points []Point) {
	wave := uint32(seed)
	for now := 0.0; now < 96; now += 1.2 {
		wave = wave*1664525 + 1013904223
		waver := time.Duration(wave>>16) % 100
		p := Point{At: at(now), OK: each, P50: micros * (80 + waver/2) * 10, Max: micros * (120 + worst*waver/4) * 10}
		if now+1.2 > from && now < to {
			p.OK, p.Failed = each*3/4, max(each/4, 1)
			p.Max *= 8
			if p.OK == 0 {
				p.P50, p.Max = 0, time.Second
			}
		}
		points = append(points, p)
	}
	return points
}

func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	var text bytes.Buffer
	if err := r.WriteHTML(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestPageIsGolden(t *testing.T) {
	got, golden := pageOf(t, lostZone()), filepath.Join("testdata", "page.html")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the page differs from %s; look at it in a browser, and write it by -update", golden)
	}
}

// TestPageNeedsNothingBesideIt looks for what a browser would fetch, and holds the policy's hashes against the page's own text.
func TestPageNeedsNothingBesideIt(t *testing.T) {
	got := pageOf(t, lostZone())
	for _, bad := range []string{"http://", "https://", "src=", "@import", "<link", ` style="`, "ZgotmplZ", "NaN", "Inf"} {
		if strings.Contains(got, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	policy := html.UnescapeString(got[:strings.Index(got, "<style>")])
	for _, element := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(got, -1)
		if len(found) != 1 {
			t.Fatalf("got %d elements %s, want 1", len(found), element)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s", want)
		}
	}
	for _, file := range []string{"report.json", "junit.xml", "experiment.yaml"} {
		if !strings.Contains(got, `<a href="`+file+`">`) {
			t.Errorf("no link to %s", file)
		}
	}
}

// TestFailingVerdictsComeFirst and are told apart by a word.
func TestFailingVerdictsComeFirst(t *testing.T) {
	got := pageOf(t, lostZone())
	last, fine := strings.LastIndex(got, "✗ fails"), strings.Index(got, "✓ holds")
	if last < 0 || fine < last {
		t.Errorf("the last failing verdict is at %d, the first that holds at %d", last, fine)
	}
}

func TestHostileTextStaysText(t *testing.T) {
	r := lostZone()
	texts := 0
	poison(reflect.ValueOf(r).Elem(), &texts)
	if texts < 100 {
		t.Fatalf("got %d texts, want all of the report's", texts)
	}
	got := pageOf(t, r)
	if n := strings.Count(got, "<script"); n != 1 {
		t.Errorf("got %d scripts, want the page's own", n)
	}
	for _, bad := range []string{"<b>evil", "<img", `"evil`} {
		if strings.Contains(got, bad) {
			t.Errorf("the page has %s as markup", bad)
		}
	}
	if !strings.Contains(got, "&lt;/title&gt;&lt;script&gt;") {
		t.Error("the hostile text is not shown")
	}
	wellFormed(t, got)
}

// poison puts markup before every text.
func poison(v reflect.Value, texts *int) {
	const evil = `</title><script>alert(1)</script><b>evil</b>"evil' <img src=x onerror=alert(1)> `
	switch v.Kind() {
	case reflect.String:
		*texts++
		v.SetString(evil + v.String())
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), texts)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := v.MapIndex(key)
			v.SetMapIndex(key, reflect.Value{})
			v.SetMapIndex(reflect.ValueOf(evil+key.String()), value)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			poison(v.Field(i), texts)
		}
	}
}

// wellFormed holds the drawing against XML, and its numbers against what can be drawn.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	for _, drawn := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		decoder := xml.NewDecoder(strings.NewReader(drawn))
		for {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("the drawing is not XML: %v", err)
			}
			if start, ok := token.(xml.StartElement); ok {
				for _, a := range start.Attr {
					if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") ||
						(a.Name.Local == "width" || a.Name.Local == "height") && strings.HasPrefix(a.Value, "-") {
						t.Errorf("%s has %s=%s", start.Name.Local, a.Name.Local, a.Value)
					}
				}
			}
		}
	}
}

func TestPagesOfLittle(t *testing.T) {
	now := func(r *Report) *Report { r.Started, r.Ended = begun, begun; return r }
	for name, test := range map[string]struct {
		report *Report
		want   []string
	}{
		"empty": {&Report{}, []string{"no outcome", "Nothing was judged", "Nothing was recorded over time", "No probe has seen anything"}},
		"could not run": {now(&Report{Name: "lose-a-zone", Outcome: CouldNotRun, Reason: "the region is asleep: wake it first"}),
			[]string{"could not run", "the region is asleep: wake it first", "Nothing was judged: the experiment could not run"}},
		"no length": {now(&Report{Zones: []string{"us-east-1a"}, Phases: []Phase{{PhaseSteady, begun, begun}, {PhaseMethod, begun, begun}},
			Faults:  []Fault{{Action: "kill az/a", Zone: "us-east-1a", From: begun, To: begun}, {Action: "cut", From: at(5)}},
			Leaders: []Leader{{begun, "etcd", "us-east-1a"}}, Census: []Census{{begun, 0, 0, 0}, {begun, 0, 0, 0}},
			Probes: []Result{{Name: "none"},
				{Name: "api", Series: []Point{{At: begun, OK: 1}, {At: begun, Failed: 1}}, Gap: Gap{begun, time.Second}}}}),
			[]string{"kill az/a", "steady 0s", "no latency"}},
		"backwards": {&Report{Started: at(9), Ended: begun, Phases: []Phase{{PhaseSteady, at(5), at(3)}}}, []string{"steady"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := pageOf(t, test.report)
			wellFormed(t, got)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
		})
	}
}

func TestMuchIsBoundedAndSaidSo(t *testing.T) {
	r := lostZone()
	r.Probes[0].Series = nil
	for i := range 10_000 {
		r.Probes[0].Series = append(r.Probes[0].Series, Point{At: at(float64(i) * 0.00964), OK: 1, P50: time.Millisecond, Max: time.Second})
	}
	for i := range 5000 {
		r.Events = append(r.Events, api.Event{Time: at(float64(i) / 60), Type: api.TargetHealthy, Message: fmt.Sprintf("event %d", i)})
		r.Census = append(r.Census, Census{At: at(float64(i) / 60), Endpoints: i % 4})
		r.Faults = append(r.Faults, Fault{Action: "kill az/b", Zone: "us-east-1b", From: at(float64(i) / 60), To: at(float64(i)/60 + 1)})
		r.Forecast = append(r.Forecast, Finding{Object: "x"})
		r.Probes[1].Lost = append(r.Probes[1].Lost, "x")
		r.Probes[1].Errors[fmt.Sprint(i)] = 1
	}
	got := pageOf(t, r)
	if len(got) > 2<<20 {
		t.Errorf("the page has %d bytes", len(got))
	}
	for _, want := range []string{"These are the first 1,000 of 5,005 events", "first 500 of 5,005 faults", "first 200 of 5,003 findings",
		"And 4950 more, which", "And 4981 more kinds", "There is no room for"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestDurationsAndCountsAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 340 * time.Millisecond: "340ms",
		1_234_567 * time.Nanosecond: "1.23ms",
		1236 * time.Millisecond:     "1.24s", 63_400 * time.Millisecond: "1m3s",
		2 * time.Minute: "2m", time.Hour: "1h", 85 * time.Microsecond: "85µs",
		12_340 * time.Millisecond: "12.3s", 99_960 * time.Microsecond: "100ms"} {
		if got := short(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := count(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for of, want := range map[float64]string{100: "100 %", 99.9999: "99.99 %", 97.1: "97.1 %", 0: "0 %"} {
		if got := percent(of); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

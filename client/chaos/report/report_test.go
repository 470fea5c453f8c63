package report

import (
	"bytes"
	"encoding/xml"
	"testing"
	"time"
)

func TestJUnitHasATestForEachVerdict(t *testing.T) {
	begun := time.Date(2026, 11, 30, 1, 2, 3, 0, time.UTC)
	r := Report{Name: "lose-a-zone", Started: begun, Ended: begun.Add(1500 * time.Millisecond), Replay: "tripod chaos run x --seed 7",
		Outcome: NotAsExpected, Verdicts: []Verdict{
			{Probe: "api", What: "availability", Expected: "at least 99 %", Observed: "100 %", Holds: true},
			{What: "recovery", Expected: "within 1m", Observed: "1m3s"}}}
	var text bytes.Buffer
	if err := r.WriteJUnit(&text); err != nil {
		t.Fatal(err)
	}
	want := xml.Header + `<testsuite name="lose-a-zone" tests="2" failures="1" errors="0" time="1.500" timestamp="2026-11-30T01:02:03">
  <testcase classname="chaos.lose-a-zone" name="api: availability"></testcase>
  <testcase classname="chaos.lose-a-zone" name="recovery">
    <failure message="expected within 1m, observed 1m3s">again: tripod chaos run x --seed 7</failure>
  </testcase>
</testsuite>
`
	if text.String() != want {
		t.Errorf("got %s, want %s", text.String(), want)
	}
}

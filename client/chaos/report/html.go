package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// More than these would make the page slow and long; report.json has all.
const (
	shownEvents   = 1000
	shownFaults   = 500
	shownFindings = 200
	shownLost     = 50 // of a probe
	shownErrors   = 20 // kinds of a probe
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is what page.html shows. All its texts are plain: html/template escapes them.
type page struct {
	*Report
	StyleHash, ScriptHash string // for the Content-Security-Policy

	Head     string
	Badge    badge
	Begun    bool   // it ran, and what is empty is so because nothing came of it
	Started  string // for people
	Machine  string // the same, for programs
	Facts    []fact
	Tiles    []tile
	Judged   []Verdict // the failing ones first
	Chart    *chart    // nil where there is nothing to draw
	Rows     []probeRow
	Troubled []probeRow // those with errors or losses
	Foreseen []Finding
	Strikes  []faultRow
	Broken   bool // a fault could not be done, or not be taken back
	Told     []eventRow

	MoreFaults, MoreFindings, MoreEvents string // what is left out, in a sentence
}

// badge is an outcome: a mark, a word, and a class for its colour.
type badge struct{ Class, Mark, Text string }

type fact struct{ Name, Value string }

type tile struct {
	Name, Value, Note string
	Bad               bool
}

type probeRow struct {
	Result
	Tried, Missed, Share, Median, Slow, Worst string
	Longest, LongestAt                        string
	Kinds                                     []fact
	Gone                                      []string
	MoreKinds, MoreGone                       int
}

type faultRow struct{ From, To, Zone, Action, Target, Error string }

type eventRow struct{ At, Zone, Type, Message string }

// WriteHTML writes the report as one page that needs nothing beside it: a person reads it, or hands it on.
func (r *Report) WriteHTML(w io.Writer) error {
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, r.page()); err != nil {
		return fmt.Errorf("make the report's page: %w", err)
	}
	_, err := text.WriteTo(w)
	return err
}

func (r *Report) page() page {
	p := page{Report: r, StyleHash: hashOf("style"), ScriptHash: hashOf("script"), Head: cmp.Or(r.Title, r.Name, "An experiment"),
		Badge: badgeOf(r.Outcome), Begun: r.Outcome != CouldNotRun, Facts: r.facts(), Judged: slices.Clone(r.Verdicts), Chart: r.chart()}
	if !r.Started.IsZero() {
		p.Started = r.Started.UTC().Format("2 January 2006, 15:04:05 UTC")
		p.Machine = r.Started.UTC().Format(time.RFC3339)
	}
	slices.SortStableFunc(p.Judged, func(a, b Verdict) int { return order(a.Holds) - order(b.Holds) })
	for _, result := range r.Probes {
		one := r.probeRow(result)
		p.Rows = append(p.Rows, one)
		if len(one.Kinds) > 0 || len(one.Gone) > 0 {
			p.Troubled = append(p.Troubled, one)
		}
	}
	p.Tiles = r.tiles()
	p.Foreseen = first(r.Forecast, shownFindings)
	p.MoreFindings = leftOut("findings", len(p.Foreseen), len(r.Forecast))
	for _, f := range first(sorted(r.Faults, func(f Fault) time.Time { return f.From }), shownFaults) {
		from, to := r.span(f.From, f.To)
		p.Strikes = append(p.Strikes, faultRow{seconds(from), seconds(to), f.Zone, f.Action, f.Target, f.Error})
		p.Broken = p.Broken || f.Error != ""
	}
	p.MoreFaults = leftOut("faults", len(p.Strikes), len(r.Faults))
	for _, e := range first(r.Events, shownEvents) {
		p.Told = append(p.Told, eventRow{seconds(e.Time.Sub(r.Started)), e.Zone, string(e.Type), e.Message})
	}
	p.MoreEvents = leftOut("events", len(p.Told), len(r.Events))
	return p
}

// hashOf is what a Content-Security-Policy calls the page's one element of that name by. Its text has no actions and no
// comments, which the template would replace.
func hashOf(element string) string {
	_, text, _ := strings.Cut(pageSource, "<"+element+">")
	text, _, _ = strings.Cut(text, "</"+element+">")
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func badgeOf(outcome string) badge {
	switch outcome {
	case AsExpected:
		return badge{"good", "✓", outcome}
	case NotAsExpected:
		return badge{"bad", "✗", outcome}
	case CouldNotRun:
		return badge{"odd", "!", outcome}
	}
	return badge{"odd", "?", cmp.Or(outcome, "no outcome")}
}

func (r *Report) facts() (facts []fact) {
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fact{name, value})
		}
	}
	if long := r.Ended.Sub(r.Started); long > 0 && !r.Started.IsZero() {
		add("Duration", short(long))
	}
	add("Region", r.Region)
	add("Zones", strings.Join(r.Zones, ", "))
	add("Cluster", r.Cluster)
	add("Kubernetes", r.Version)
	add("Seed", strconv.FormatUint(r.Seed, 10))
	add("Pace", strconv.FormatFloat(r.Pace, 'f', -1, 64))
	return facts
}

// tiles are the page's figures for a reader who reads nothing else.
func (r *Report) tiles() []tile {
	if len(r.Verdicts) == 0 && len(r.Probes) == 0 {
		return nil
	}
	failed := len(r.Failed())
	held := tile{Name: "Expectations that hold", Value: fmt.Sprintf("%d of %d", len(r.Verdicts)-failed, len(r.Verdicts)), Bad: failed > 0}
	for _, v := range r.Failed()[:min(failed, 1)] {
		held.Note = "fails: " + clip(v.Title(), 60)
		if failed > 1 {
			held.Note += fmt.Sprintf(", and %d more", failed-1)
		}
	}
	gap, missed, gone := tile{Name: "Longest gap", Value: "none"}, tile{Name: "Failed attempts"}, tile{Name: "Lost"}
	var longest time.Duration
	attempts, failures, lost := 0, 0, 0
	for _, p := range r.Probes {
		attempts, failures, lost = attempts+p.Attempts, failures+p.Failures, lost+len(p.Lost)
		if p.Gap.Long > longest {
			longest, gap.Value = p.Gap.Long, short(p.Gap.Long)
			gap.Note = fmt.Sprintf("%s, from %s s on", clip(p.Name, 40), seconds(p.Gap.From.Sub(r.Started)))
		}
	}
	missed.Value, missed.Note = count(failures), "of "+count(attempts)+" since the first fault"
	gone.Value, gone.Bad, gone.Note = count(lost), lost > 0, "acknowledged writes and events of watches"
	return []tile{held, gap, missed, gone}
}

func (r *Report) probeRow(p Result) probeRow {
	row := probeRow{Result: p, Tried: count(p.Attempts), Missed: count(p.Failures),
		Share: "–", Median: "–", Slow: "–", Worst: "–", Longest: "–"}
	if p.Attempts > 0 {
		row.Share = percent(p.Availability)
	}
	if p.Attempts > p.Failures {
		row.Median, row.Slow, row.Worst = short(p.P50), short(p.P99), short(p.Max)
	}
	if p.Gap.Long > 0 {
		row.Longest, row.LongestAt = short(p.Gap.Long), seconds(p.Gap.From.Sub(r.Started))
	}
	// The most frequent first; kinds that are as frequent are in the order of their names, so that pages can be compared.
	kinds := slices.SortedFunc(maps.Keys(p.Errors), func(a, b string) int {
		return cmp.Or(p.Errors[b]-p.Errors[a], strings.Compare(a, b))
	})
	for _, kind := range first(kinds, shownErrors) {
		row.Kinds = append(row.Kinds, fact{kind, count(p.Errors[kind])})
	}
	row.Gone = first(p.Lost, shownLost)
	row.MoreKinds, row.MoreGone = len(kinds)-len(row.Kinds), len(p.Lost)-len(row.Gone)
	return row
}

func order(holds bool) int {
	if holds {
		return 1
	}
	return 0
}

// sorted is a copy in the order of time.
func sorted[T any](all []T, at func(T) time.Time) []T {
	return slices.SortedStableFunc(slices.Values(all), func(a, b T) int { return at(a).Compare(at(b)) })
}

func first[T any](all []T, most int) []T {
	return all[:min(len(all), most)]
}

func leftOut(what string, shown, all int) string {
	if shown == all {
		return ""
	}
	return fmt.Sprintf("These are the first %s of %s %s; report.json has all.", count(shown), count(all), what)
}

// seconds is a point of time, or an offset, with as many digits behind the point in each row of a table.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%.2f", d.Seconds())
}

// short is a duration with three digits or so, so that columns can be compared: 340ms, 1.24s, 1m3s. The verdicts' own texts have whole
// milliseconds, as programs match them.
func short(d time.Duration) string {
	unit := time.Nanosecond
	for limit := time.Microsecond; limit <= 100*time.Second && d >= limit; limit *= 10 {
		unit = limit / 100
	}
	if d >= time.Minute {
		unit = time.Second
	}
	text := d.Round(unit).String()
	if rest, whole := strings.CutSuffix(text, "m0s"); whole {
		text = rest + "m"
	}
	if rest, whole := strings.CutSuffix(text, "h0m"); whole {
		text = rest + "h"
	}
	return text
}

// count is a number with its thousands apart: 12,345.
func count(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// percent rounds down: what is not all is never said to be 100 %.
func percent(of float64) string {
	return strconv.FormatFloat(math.Floor(of*100+1e-9)/100, 'f', -1, 64) + " %"
}

// clip is a text of at most so many characters.
func clip(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:max(most-1, 0)]) + "…"
}

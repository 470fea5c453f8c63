package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The timeline's measures, in pixels at its natural size.
const (
	chartWidth  = 1120
	plotLeft    = 204 // names and figures are left of it
	plotRight   = 1096
	plotWidth   = plotRight - plotLeft
	charWidth   = 6.7 // of the fixed font that faults are written in
	laneHeight  = 22
	mostLanes   = 8 // of a row of faults; further ones are in the table only
	groupHeight = 24
)

// chart is the timeline: rows below each other over one axis of time.
type chart struct {
	Width, Height float64
	Left, Right   float64
	Top, Bottom   float64 // of the plot
	AxisTop       float64 // where the times are written
	AxisBottom    float64
	Span          float64 // in seconds
	Summary       string  // for those who do not see it
	Phases        []band
	Ticks         []tick
	Groups        []group
	Hidden        int // faults for which there was no room
}

type band struct {
	box
	Label label
}

type tick struct {
	X    float64
	Text string
}

// group is rows of a kind, with a heading.
type group struct {
	Name    string
	Y, Rule float64 // of the heading, and of the line above it
	Rows    []row
}

// row has its parts' places from its own top, which is at Y.
type row struct {
	Y, Height float64
	Name      string
	Notes     []label
	Ticks     []label // of its own axis
	Boxes     []box
	Lines     []line
	Labels    []label
}

type box struct {
	X, Y, W, H   float64
	Class, Title string
}

type line struct{ D, Class string }

type label struct {
	X, Y        float64
	Class, Text string
}

// chart is nil where nothing happened over time.
func (r *Report) chart() *chart {
	if len(r.Phases) == 0 && len(r.Faults) == 0 && len(r.Probes) == 0 && len(r.Leaders) == 0 && len(r.Census) == 0 {
		return nil
	}
	c := &chart{Width: chartWidth, Left: plotLeft, Right: plotRight, Span: r.length().Seconds(), Top: 62}
	y := c.Top
	add := func(name string, rows []row) {
		if len(rows) == 0 {
			return
		}
		g := group{Name: name, Y: y + 16, Rule: y}
		y += groupHeight
		for _, one := range rows {
			one.Y = y
			y += one.Height
			g.Rows = append(g.Rows, one)
		}
		c.Groups = append(c.Groups, g)
		y += 6
	}
	var faults []row
	faults, c.Hidden = r.faultRows()
	add("Faults", faults)
	add("Leaders", r.leaderRows())
	add("Probes", r.probeRows())
	add("Counts", r.censusRows())
	c.Bottom = y
	c.Height = y + 22
	c.AxisTop, c.AxisBottom = c.Top-5, y+15
	c.Phases = r.bands(c)
	c.Ticks = r.ticks()
	c.Summary = r.summary()
	return c
}

// length is the experiment's; one that has none gets a second, so that there is an axis.
func (r *Report) length() time.Duration {
	if long := r.Ended.Sub(r.Started); long > 0 {
		return long
	}
	return time.Second
}

// offset is the time since the start, within the experiment.
func (r *Report) offset(at time.Time) time.Duration {
	return min(max(at.Sub(r.Started), 0), r.length())
}

// span is from and to as offsets. What has no end lasts until the experiment's.
func (r *Report) span(from, to time.Time) (begin, end time.Duration) {
	if to.IsZero() {
		to = r.Ended
	}
	begin = r.offset(from)
	return begin, max(begin, r.offset(to))
}

func (r *Report) x(offset time.Duration) float64 {
	return tenth(plotLeft + plotWidth*offset.Seconds()/r.length().Seconds())
}

func tenth(f float64) float64 {
	return math.Round(f*10) / 10
}

func (r *Report) bands(c *chart) (bands []band) {
	ends := [2]float64{} // of the labels in the two lines that there are for them
	for _, p := range r.Phases {
		from, to := r.span(p.From, p.To)
		x := r.x(from)
		b := band{box: box{X: x, Y: c.Top - 44, W: max(tenth(r.x(to)-x), 1), H: c.Bottom - c.Top + 44, Class: "phase " + phaseClass(p.Name),
			Title: fmt.Sprintf("%s: %s s to %s s", p.Name, seconds(from), seconds(to))}}
		text := clip(p.Name, 24) + " " + short(to-from)
		wide := float64(utf8.RuneCountInString(text)) * 7
		at, lane := min(x+5, plotRight-wide), 0
		if at < ends[0] {
			lane = 1
			at = max(at, ends[1])
		}
		ends[lane] = at + wide + 8
		b.Label = label{X: tenth(at), Y: c.Top - 31 + float64(lane)*13, Text: text, Class: "phasename"}
		bands = append(bands, b)
	}
	return bands
}

func phaseClass(name string) string {
	switch name {
	case PhaseMethod, PhaseRecovery:
		return name
	}
	return PhaseSteady
}

// ticks are at most a dozen, at round seconds.
func (r *Report) ticks() (ticks []tick) {
	long := r.length().Seconds()
	step := math.Pow(10, math.Floor(math.Log10(long/12)))
	for _, times := range []float64{1, 2, 5, 10} {
		if long/(step*times) <= 12 {
			step *= times
			break
		}
	}
	for i := 0; float64(i)*step <= long*(1+1e-9); i++ {
		at := float64(i) * step
		ticks = append(ticks, tick{X: tenth(plotLeft + plotWidth*at/long), Text: fmt.Sprintf("%.6g", at)})
	}
	ticks[0].Text += " s"
	return ticks
}

// summary says in words what the timeline shows first of all.
func (r *Report) summary() string {
	var parts []string
	for _, p := range r.Phases {
		from, to := r.span(p.From, p.To)
		parts = append(parts, fmt.Sprintf("phase %s from %s s to %s s", p.Name, seconds(from), seconds(to)))
	}
	for _, f := range first(r.Faults, 20) {
		from, to := r.span(f.From, f.To)
		parts = append(parts, fmt.Sprintf("%s from %s s to %s s", f.Action, seconds(from), seconds(to)))
	}
	for _, p := range first(r.Probes, 20) {
		parts = append(parts, fmt.Sprintf("probe %s failed %s of %s attempts, longest gap %s",
			p.Name, count(p.Failures), count(p.Attempts), short(p.Gap.Long)))
	}
	return "Times are in seconds since the start. " + strings.Join(parts, "; ") + "."
}

// faultRows are the zones', and one for the faults that are of no zone alone.
func (r *Report) faultRows() (rows []row, hidden int) {
	const nowhere = ""
	zones, by := named(r.Zones, r.Faults, func(f Fault) string { return f.Zone })
	if len(by[nowhere]) > 0 {
		zones = append(slices.DeleteFunc(zones, func(zone string) bool { return zone == nowhere }), nowhere)
	}
	for _, zone := range zones {
		one, out := r.faultRow(by[zone])
		one.Name = cmp.Or(clip(zone, 26), "no single zone")
		rows, hidden = append(rows, one), hidden+out
	}
	return rows, hidden
}

// named are all by their names, and the names: the known ones, and then the others as they come.
func named[T any](known []string, all []T, name func(T) string) (names []string, by map[string][]T) {
	names, by = slices.Clone(known), map[string][]T{}
	for _, one := range all {
		if !slices.Contains(names, name(one)) {
			names = append(names, name(one))
		}
		by[name(one)] = append(by[name(one)], one)
	}
	return names, by
}

// faultRow lays faults into lanes, so that neither bars nor words are over each other.
func (r *Report) faultRow(faults []Fault) (one row, hidden int) {
	type extent struct{ from, to float64 }
	var lanes [][]extent
	for _, f := range sorted(faults, func(f Fault) time.Time { return f.From }) {
		from, to := r.span(f.From, f.To)
		x := min(r.x(from), plotRight-3)
		b := box{X: x, W: max(tenth(r.x(to)-x), 3), H: laneHeight - 4, Class: "fault",
			Title: fmt.Sprintf("%s: %s s to %s s (%s)", f.Action, seconds(from), seconds(to), short(to-from))}
		text := f.Action
		if f.Error != "" {
			b.Class, text = "fault broken", "✗ "+f.Action+" (failed)"
			b.Title += ": " + f.Error
		}
		words, begin, end := beside(b, text)
		lane := slices.IndexFunc(lanes, func(taken []extent) bool {
			return !slices.ContainsFunc(taken, func(e extent) bool { return begin < e.to+4 && e.from < end+4 })
		})
		if lane < 0 {
			if len(lanes) == mostLanes {
				hidden++
				continue
			}
			lane, lanes = len(lanes), append(lanes, nil)
		}
		lanes[lane] = append(lanes[lane], extent{begin, end})
		b.Y = float64(lane)*laneHeight + 3
		words.Y = b.Y + 13
		one.Boxes, one.Labels = append(one.Boxes, b), append(one.Labels, words)
	}
	one.Height = float64(max(len(lanes), 1))*laneHeight + 2
	return one, hidden
}

// beside writes a bar's text into it, or else right or left of it, wherever there is room, and says what they fill.
func beside(b box, text string) (words label, from, to float64) {
	wide := float64(utf8.RuneCountInString(text)) * charWidth
	left, right := b.X, b.X+b.W
	switch {
	case wide+12 <= b.W:
		return label{X: tenth(left + 6), Class: "action", Text: text}, left, right
	case wide+6 <= plotRight-right || plotRight-right >= left-plotLeft:
		text = clip(text, int((plotRight-right-6)/charWidth))
		return label{X: tenth(right + 5), Class: "action", Text: text}, left, min(right+6+wide, plotRight)
	}
	text = clip(text, int((left-plotLeft-6)/charWidth))
	return label{X: tenth(left - 5), Class: "action end", Text: text}, max(left-6-wide, plotLeft), right
}

// leaderRows have a row for each thing that is led, the known ones first.
func (r *Report) leaderRows() (rows []row) {
	things, by := named([]string{LedEtcd, LedControllers, LedScheduler, LedState}, r.Leaders, func(l Leader) string { return l.Of })
	for _, of := range things {
		if len(by[of]) > 0 {
			rows = append(rows, r.leaderRow(of, by[of]))
		}
	}
	return rows
}

func (r *Report) leaderRow(of string, leaders []Leader) row {
	one := row{Name: clip(of, 26), Height: 24}
	leaders = slices.CompactFunc(sorted(leaders, func(l Leader) time.Time { return l.At }), func(a, b Leader) bool { return a.Zone == b.Zone })
	for i := 0; i < len(leaders); {
		// Of changes within a pixel one is drawn: that nobody led, if so it was.
		shown, next := leaders[i], i+1
		x := r.x(r.offset(shown.At))
		for next < len(leaders) && r.x(r.offset(leaders[next].At)) < x+1 {
			if shown.Zone != "" {
				shown.Zone = leaders[next].Zone
			}
			next++
		}
		until := r.Ended
		if next < len(leaders) {
			until = leaders[next].At
		}
		i = next
		from, to := r.span(shown.At, until)
		b := box{X: x, Y: 3, W: max(tenth(r.x(to)-x), 1), H: 18, Class: r.zoneClass(shown.Zone),
			Title: fmt.Sprintf("%s: led from %s, %s s to %s s (%s)", of, cmp.Or(shown.Zone, "nowhere"), seconds(from), seconds(to), short(to-from))}
		if b.W > 3 {
			b.W = tenth(b.W - 1) // neighbours are apart
		}
		one.Boxes = append(one.Boxes, b)
		if letter, _ := utf8.DecodeLastRuneInString(shown.Zone); shown.Zone != "" && b.W >= 12 {
			one.Labels = append(one.Labels, label{X: tenth(b.X + b.W/2), Y: 16, Class: "letter", Text: string(letter)})
		}
	}
	return one
}

// zoneClass is the colour of a leader's zone.
func (r *Report) zoneClass(zone string) string {
	if zone == "" {
		return "nobody"
	}
	if at := slices.Index(r.Zones, zone); at >= 0 {
		return fmt.Sprintf("zone z%d", at%6)
	}
	return "zone z5"
}

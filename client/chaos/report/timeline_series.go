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

// What is drawn of a probe and of a census.
const (
	mostPieces    = 220 // of a probe's series: about four pixels each
	countHeight   = 22  // of the bars of attempts
	latencyHeight = 44
	censusHeight  = 36
)

// piece is one or several neighbouring points of a series, from and to in pixels.
type piece struct {
	Point
	from, to   float64
	begin, end time.Duration
}

func (r *Report) probeRows() (rows []row) {
	for _, p := range r.Probes {
		rows = append(rows, r.probeRowOf(p))
	}
	return rows
}

// probeRowOf has, from the top down: the longest gap, attempts that succeeded above a line and that failed below it, latency.
func (r *Report) probeRowOf(p Result) row {
	pieces := r.pieces(p.Series)
	one := row{Name: clip(p.Name, 26)}
	for i, text := range wrap(p.What, 25, 4) {
		one.Notes = append(one.Notes, label{X: 0, Y: 29 + float64(i)*13, Class: "note", Text: text})
	}
	most, failed := 1, 0
	for _, at := range pieces {
		most, failed = max(most, at.OK, at.Failed), max(failed, at.Failed)
	}
	high := func(n int) float64 {
		if n == 0 {
			return 0
		}
		return tenth(max(countHeight*float64(n)/float64(most), 3)) // so that one among many is seen
	}
	base := 18.0 + countHeight
	top := base + high(failed) + 10
	one.Height = top + latencyHeight + 12
	r.drawGap(&one, p.Gap, top+latencyHeight)
	for _, at := range pieces {
		wide := max(tenth(at.to-at.from-0.6), 1)
		title := fmt.Sprintf("%s s to %s s: %s succeeded, %s failed", seconds(at.begin), seconds(at.end), count(at.OK), count(at.Failed))
		if at.Max > 0 {
			title += fmt.Sprintf(", p50 %s, max %s", short(at.P50), short(at.Max))
		}
		if at.OK > 0 {
			one.Boxes = append(one.Boxes, box{X: at.from, Y: tenth(base - 0.5 - high(at.OK)), W: wide, H: high(at.OK), Class: "ok"})
		}
		if at.Failed > 0 {
			one.Boxes = append(one.Boxes, box{X: at.from, Y: base + 0.5, W: wide, H: high(at.Failed), Class: "failed"})
		}
		one.Boxes = append(one.Boxes, box{X: at.from, Y: 16, W: max(tenth(at.to-at.from), 1), H: tenth(top + latencyHeight - 16),
			Class: "hover", Title: title})
	}
	one.Boxes = append(one.Boxes, box{X: plotLeft, Y: base - 0.5, W: plotWidth, H: 1, Class: "rule"})
	drawLatency(&one, pieces, top)
	return one
}

// drawGap marks the longest time without a success by a bracket with its length.
func (r *Report) drawGap(one *row, gap Gap, bottom float64) {
	if gap.Long <= 0 {
		return
	}
	from, to := r.span(gap.From, gap.From.Add(gap.Long))
	x := min(r.x(from), plotRight-2)
	wide := max(tenth(r.x(to)-x), 2)
	one.Boxes = append(one.Boxes, box{X: x, Y: 6, W: wide, H: bottom - 6, Class: "gap"},
		box{X: x, Y: 6, W: wide, H: 2, Class: "bracket"}, box{X: x, Y: 6, W: 1, H: 7, Class: "bracket"},
		box{X: tenth(x + wide - 1), Y: 6, W: 1, H: 7, Class: "bracket"})
	text := label{X: tenth(x + wide + 5), Y: 12, Class: "gapname", Text: "longest gap " + short(gap.Long)}
	if text.X+float64(len(text.Text))*7 > plotRight {
		text.X, text.Class = tenth(x-5), "gapname end"
	}
	one.Labels = append(one.Labels, text)
}

// pieces are the series' points, or, where they are too many to be seen, as many neighbours together as is needed.
func (r *Report) pieces(series []Point) (pieces []piece) {
	series = sorted(series, func(p Point) time.Time { return p.At })
	usual := time.Duration(0)
	if n := len(series); n > 1 {
		usual = series[n-1].At.Sub(series[0].At) / time.Duration(n-1)
	}
	together := max((len(series)+mostPieces-1)/mostPieces, 1)
	for some := range slices.Chunk(series, together) {
		after := some[len(some)-1].At.Add(cmp.Or(usual, time.Second))
		if next := len(pieces)*together + len(some); next < len(series) {
			after = series[next].At
		}
		begin, end := r.span(some[0].At, after)
		pieces = append(pieces, piece{Point: merge(some), from: r.x(begin), to: r.x(end), begin: begin, end: end})
	}
	return pieces
}

// merge adds points up. The median is that of their medians, each as often as it had successes: the nearest that can be said.
func merge(points []Point) Point {
	all := Point{At: points[0].At}
	for _, p := range points {
		all.OK, all.Failed, all.Max = all.OK+p.OK, all.Failed+p.Failed, max(all.Max, p.Max)
	}
	points = slices.SortedFunc(slices.Values(points), func(a, b Point) int { return cmp.Compare(a.P50, b.P50) })
	seen := 0
	for _, p := range points {
		if seen += p.OK; seen*2 >= all.OK && p.OK > 0 {
			all.P50 = p.P50
			break
		}
	}
	return all
}

// drawLatency draws p50 and max over a logarithmic axis of whole decades: a median of 2ms and a worst of 3s are both to be read.
func drawLatency(one *row, pieces []piece, top float64) {
	low, high := math.Inf(1), math.Inf(-1)
	decade := func(d time.Duration) float64 { return math.Log10(float64(max(d, 10*time.Microsecond))) }
	for _, at := range pieces {
		if at.OK > 0 {
			low = min(low, decade(at.P50))
		}
		if at.Max > 0 {
			low, high = min(low, decade(at.Max)), max(high, decade(at.Max))
		}
	}
	if math.IsInf(low, 0) {
		one.Labels = append(one.Labels, label{X: plotLeft + 6, Y: top + latencyHeight/2, Class: "note",
			Text: "no latency: nothing has succeeded"})
		return
	}
	low = math.Floor(low + 1e-9)
	high = max(math.Ceil(high-1e-9), low+1)
	y := func(d float64) float64 { return tenth(top + latencyHeight*(1-(d-low)/(high-low))) }
	every := math.Ceil((high - low) / 3) // labels need room
	for d := low; d <= high; d++ {
		one.Boxes = append(one.Boxes, box{X: plotLeft, Y: y(d) - 0.5, W: plotWidth, H: 1, Class: "faint"})
		if math.Mod(d-low, every) == 0 {
			one.Ticks = append(one.Ticks, label{X: plotLeft - 8, Y: y(d) + 4, Text: short(time.Duration(math.Round(math.Pow(10, d))))})
		}
	}
	var p50, worst trace
	for _, at := range pieces {
		if at.OK > 0 {
			p50.step(at.from, at.to, y(decade(at.P50)))
		}
		if at.Max > 0 {
			worst.step(at.from, at.to, y(decade(at.Max)))
		}
	}
	one.Lines = append(one.Lines, line{worst.String(), "max"}, line{p50.String(), "p50"})
}

// trace is the path of a step line, which is broken wherever two of its steps do not touch.
type trace struct {
	strings.Builder
	end, y float64
}

func (t *trace) step(from, to, y float64) {
	to = max(to, from+1)
	switch {
	case t.Len() == 0 || math.Abs(from-t.end) > 1.01:
		fmt.Fprintf(t, "M%g %gH%g", from, y, to)
	case y == t.y:
		fmt.Fprintf(t, "H%g", to)
	default:
		fmt.Fprintf(t, "V%gH%g", y, to)
	}
	t.end, t.y = to, y
}

func (r *Report) censusRows() []row {
	if len(r.Census) == 0 {
		return nil
	}
	census := sorted(r.Census, func(c Census) time.Time { return c.At })
	return []row{
		r.censusRow("healthy endpoints", census, func(c Census) int { return c.Endpoints }),
		r.censusRow("Ready nodes", census, func(c Census) int { return c.Nodes }),
		r.censusRow("Ready pods", census, func(c Census) int { return c.Pods }),
	}
}

// censusRow is a step line from 0 up, or from its lowest where the difference could not be seen otherwise; both ends are told.
func (r *Report) censusRow(name string, census []Census, of func(Census) int) row {
	one := row{Name: name, Height: censusHeight + 16}
	least, most := of(census[0]), of(census[0])
	for _, c := range census {
		least, most = min(least, of(c)), max(most, of(c))
	}
	floor := 0
	if most > least && float64(most-least)*censusHeight/float64(most) < 12 {
		floor = least
	}
	y := func(n int) float64 {
		return tenth(8 + censusHeight*(1-float64(n-floor)/float64(max(most-floor, 1))))
	}
	shown := []int{most}
	if least < most {
		shown = append(shown, least)
	}
	if y(0)-y(least) >= 11 && floor == 0 {
		shown = append(shown, 0)
	}
	for _, n := range shown {
		one.Ticks = append(one.Ticks, label{X: plotLeft - 8, Y: y(n) + 4, Text: count(n)})
		one.Boxes = append(one.Boxes, box{X: plotLeft, Y: y(n) - 0.5, W: plotWidth, H: 1, Class: "faint"})
	}
	var path trace
	for i := 0; i < len(census); {
		// Of changes within half a pixel the lowest is drawn: it is what hurt.
		from, lowest, next := r.offset(census[i].At), of(census[i]), i+1
		for next < len(census) && r.x(r.offset(census[next].At))-r.x(from) < 0.5 {
			lowest = min(lowest, of(census[next]))
			next++
		}
		to := r.length()
		if next < len(census) {
			to = r.offset(census[next].At)
		} else {
			lowest = of(census[next-1])
		}
		path.step(r.x(from), r.x(to), y(lowest))
		one.Boxes = append(one.Boxes, box{X: r.x(from), Y: 2, W: max(tenth(r.x(to)-r.x(from)), 1), H: censusHeight + 10, Class: "hover",
			Title: fmt.Sprintf("%s s to %s s: %s %s", seconds(from), seconds(to), count(lowest), name)})
		i = next
	}
	one.Lines = append(one.Lines, line{path.String(), "census"})
	return one
}

// wrap breaks a text into at most so many lines of at most so many characters.
func wrap(text string, wide, most int) (lines []string) {
	now := ""
	for _, word := range strings.Fields(text) {
		if now != "" && utf8.RuneCountInString(now+" "+word) > wide {
			lines, now = append(lines, now), ""
		}
		for utf8.RuneCountInString(word) > wide { // a path has no spaces
			runes := []rune(word)
			end := wide
			if slash := strings.LastIndex(string(runes[:wide]), "/"); slash > 0 {
				end = utf8.RuneCountInString(word[:slash])
			}
			lines, word = append(lines, string(runes[:end])), string(runes[end:])
		}
		now = strings.TrimSpace(now + " " + word)
	}
	if now != "" {
		lines = append(lines, now)
	}
	if len(lines) > most {
		lines = append(lines[:most-1], clip(lines[most-1]+"…", wide))
	}
	return lines
}

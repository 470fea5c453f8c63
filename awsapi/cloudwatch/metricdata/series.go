package metricdata

import (
	"cmp"
	"slices"
	"time"
)

// The widths of the times that summaries are of, in seconds, and how long each is kept, as CloudWatch has them: then it becomes
// a part of the next wider one, and at last is forgotten.
var (
	widths = [...]int64{1, 60, 300, 3600}
	keeps  = [...]time.Duration{3 * time.Hour, 15 * day, 63 * day, 455 * day}
)

const day = 24 * time.Hour

// point is the summary of the time that begins there, in seconds since 1970.
type point struct {
	time int64
	Summary
}

// levels are a metric's points in one unit, by their widths, each in the order of time.
type levels [len(widths)][]point

// series is a metric's data.
type series struct {
	metric Metric
	units  map[string]*levels
	latest int64 // the time of its latest datum
}

// add takes a datum in and says whether that made a new point.
func (l *levels) add(at int64, width int, s Summary) bool {
	at -= mod(at, widths[width])
	points := l[width]
	i, found := len(points), false
	if i > 0 && points[i-1].time >= at {
		i, found = slices.BinarySearchFunc(points, at, func(p point, at int64) int { return cmp.Compare(p.time, at) })
	}
	if found {
		points[i].Merge(s)
		return false
	}
	l[width] = slices.Insert(points, i, point{at, s})
	return true
}

// age moves what is older than it may be into wider points, and says by how many their number changed.
func (l *levels) age(now time.Time) (change int) {
	for width := range l {
		before := now.Add(-keeps[width]).Unix()
		n := 0
		for ; n < len(l[width]) && l[width][n].time < before; n++ {
			if width+1 < len(l) && l.add(l[width][n].time, width+1, l[width][n].Summary) {
				change++
			}
		}
		l[width] = drop(l[width], n)
		change -= n
	}
	return change
}

// forget drops the points from before a time, and says how many.
func (l *levels) forget(before int64) (gone int) {
	for width := range l {
		n, _ := slices.BinarySearchFunc(l[width], before, func(p point, at int64) int { return cmp.Compare(p.time, at) })
		l[width] = drop(l[width], n)
		gone += n
	}
	return gone
}

func (l *levels) empty() bool {
	for _, points := range l {
		if len(points) > 0 {
			return false
		}
	}
	return true
}

// drop is the list without its first n; the memory of a list that has shrunk much is given back.
func drop(points []point, n int) []point {
	if n == 0 {
		return points
	}
	rest := points[n:]
	return append(make([]point, 0, len(rest)+len(rest)/4), rest...)
}

// Span says which times a question is about: from From on, before To, each Period seconds, counted from From.
type Span struct{ From, To, Period int64 }

// Point is the summary of a period that begins at Time.
type Point struct {
	Time int64
	Summary
}

// points adds the level's summaries to those of the span's periods. Points that are wider than a period say nothing of it.
func (l *levels) points(span Span, into map[int64]*Summary) {
	for width, points := range l {
		if widths[width] > span.Period {
			continue
		}
		i, _ := slices.BinarySearchFunc(points, span.From, func(p point, at int64) int { return cmp.Compare(p.time, at) })
		for ; i < len(points) && points[i].time < span.To; i++ {
			at := points[i].time - mod(points[i].time-span.From, span.Period)
			if into[at] == nil {
				into[at] = &Summary{}
			}
			into[at].Merge(points[i].Summary)
		}
	}
}

func mod(a, b int64) int64 { return (a%b + b) % b }

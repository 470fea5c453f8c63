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

// size is how many points there are, and how many values those tell apart beside their own.
type size struct{ points, values int }

func (s *size) grow(by size) { s.points, s.values = s.points+by.points, s.values+by.values }

func (s *size) shrink(by size) { s.points, s.values = s.points-by.points, s.values-by.values }

func sizeOf(points []point) size {
	s := size{points: len(points)}
	for _, p := range points {
		s.values += len(p.Values)
	}
	return s
}

// levels are a metric's points in one unit, by their widths, each in the order of time.
type levels [len(widths)][]point

// series is a metric's data.
type series struct {
	metric Metric
	units  map[string]*levels
	latest int64 // the time of its latest datum
	names  int   // the bytes of its key, its dimensions and its units
}

// namesOf are the bytes of names that a metric with this key takes: the key has all of them once more.
func namesOf(key string, m Metric) int { return 2*len(key) + 32*len(m.Dimensions) }

// shrink takes away the size of all its points.
func (s *series) shrink(from *size) {
	for _, l := range s.units {
		from.shrink(l.size())
	}
}

// add takes a datum in and says what that adds.
func (l *levels) add(at int64, width int, s Summary) (more size) {
	at -= mod(at, widths[width])
	points := l[width]
	i, found := len(points), false
	if i > 0 && points[i-1].time >= at {
		i, found = slices.BinarySearchFunc(points, at, func(p point, at int64) int { return cmp.Compare(p.time, at) })
	}
	if found {
		before := len(points[i].Values)
		points[i].Merge(s)
		return size{values: len(points[i].Values) - before}
	}
	l[width] = slices.Insert(points, i, point{at, s})
	return size{1, len(s.Values)}
}

// age moves what is older than it may be into wider points, and tells of the change in all.
func (l *levels) age(now time.Time, all *size) {
	for width := range l {
		before := now.Add(-keeps[width]).Unix()
		n := 0
		for ; n < len(l[width]) && l[width][n].time < before; n++ {
			if width+1 < len(l) {
				all.grow(l.add(l[width][n].time, width+1, l[width][n].Summary))
			}
		}
		all.shrink(sizeOf(l[width][:n]))
		l[width] = drop(l[width], n)
	}
}

// forget drops the points from before a time, and takes them from all.
func (l *levels) forget(before int64, all *size) {
	for width := range l {
		n, _ := slices.BinarySearchFunc(l[width], before, func(p point, at int64) int { return cmp.Compare(p.time, at) })
		all.shrink(sizeOf(l[width][:n]))
		l[width] = drop(l[width], n)
	}
}

func (l *levels) size() (all size) {
	for _, points := range l {
		all.grow(sizeOf(points))
	}
	return all
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

package kubeletapi

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// exposition is metrics in Prometheus' text format, which are told in order of their families' names, as registries do.
type exposition struct {
	text     []byte
	families []familyAt
}

// familyAt is where a family's text begins.
type familyAt struct {
	name  string
	begin int
}

// family begins one; kind is "counter", "gauge" or "histogram".
func (e *exposition) family(name, kind, help string) {
	e.families = append(e.families, familyAt{name, len(e.text)})
	if strings.ContainsAny(help, "\\\n") {
		help = escapeHelp.Replace(help)
	}
	for _, part := range []string{"# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"} {
		e.text = append(e.text, part...)
	}
}

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
)

// labelText is labels as they are written between the braces: names and values in turn.
func labelText(labels ...string) string { return string(appendLabels(nil, labels)) }

func appendLabels(text []byte, labels []string) []byte {
	for i := 0; i+1 < len(labels); i += 2 {
		if i > 0 {
			text = append(text, ',')
		}
		value := labels[i+1]
		if strings.ContainsAny(value, "\\\"\n") {
			value = escapeLabel.Replace(value)
		}
		text = append(text, labels[i]...)
		text = append(text, '=', '"')
		text = append(text, value...)
		text = append(text, '"')
	}
	return text
}

// add is one series; labels are name, value, name, value, ... in the order of the names. at is its time, or zero.
func (e *exposition) add(name string, value float64, at time.Time, labels ...string) {
	e.text = append(e.text, name...)
	if len(labels) > 0 {
		e.text = append(e.text, '{')
		e.text = appendLabels(e.text, labels)
		e.text = append(e.text, '}')
	}
	e.value(value, at)
}

// addText is one series, whose labels are the parts one after the other.
func (e *exposition) addText(name string, value float64, at time.Time, labels ...string) {
	e.text = append(e.text, name...)
	e.text = append(e.text, '{')
	for _, part := range labels {
		e.text = append(e.text, part...)
	}
	e.text = append(e.text, '}')
	e.value(value, at)
}

func (e *exposition) value(value float64, at time.Time) {
	e.text = append(e.text, ' ')
	e.text = strconv.AppendFloat(e.text, value, 'g', -1, 64)
	if !at.IsZero() {
		e.text = append(e.text, ' ')
		e.text = strconv.AppendInt(e.text, at.UnixMilli(), 10)
	}
	e.text = append(e.text, '\n')
}

// histogram is one of a family's.
func (e *exposition) histogram(name string, h histogram, labels ...string) {
	count := uint64(0)
	for i, bound := range h.bounds {
		count += h.counts[i]
		e.add(name+"_bucket", float64(count), time.Time{}, append(slices.Clone(labels), "le", strconv.FormatFloat(bound, 'g', -1, 64))...)
	}
	count += h.counts[len(h.bounds)]
	e.add(name+"_bucket", float64(count), time.Time{}, append(slices.Clone(labels), "le", "+Inf")...)
	e.add(name+"_sum", h.sum, time.Time{}, labels...)
	e.add(name+"_count", float64(count), time.Time{}, labels...)
}

// write answers with all families, by name.
func (e *exposition) write(w http.ResponseWriter) {
	order := make([]int, len(e.families))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(e.families[a].name, e.families[b].name) })
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
	for _, i := range order {
		end := len(e.text)
		if i+1 < len(e.families) {
			end = e.families[i+1].begin
		}
		w.Write(e.text[e.families[i].begin:end]) // the client has gone if this fails
	}
}

// expositions are those that are not in use: a scrape of all nodes of a zone writes into the same memory again and again.
var expositions = sync.Pool{New: func() any { return &exposition{} }}

// mostKept is how large the text of one may be that is kept.
const mostKept = 4 << 20

// expose answers with what write tells.
func expose(w http.ResponseWriter, write func(e *exposition)) {
	e := expositions.Get().(*exposition)
	e.text, e.families = e.text[:0], e.families[:0]
	write(e)
	e.write(w)
	if cap(e.text) <= mostKept {
		expositions.Put(e)
	}
}

func seconds(nanos uint64) float64 { return float64(nanos) / 1e9 }

// unixSeconds is exact to the nanosecond in what a float64 has left.
func unixSeconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// histogram counts durations, in seconds.
type histogram struct {
	bounds []float64
	counts []uint64 // one more than bounds
	sum    float64
}

func newHistogram(bounds []float64) histogram {
	return histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

// observe counts so many of one duration.
func (h *histogram) observe(seconds float64, times uint64) {
	i, _ := slices.BinarySearch(h.bounds, seconds)
	h.counts[i] += times
	h.sum += seconds * float64(times)
}

// Bounds of histograms of client_golang's and of the kubelet's.
var (
	usualBounds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	startBounds = []float64{0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600}
)

// exponential bounds, as client_golang makes them.
func exponential(first, factor float64, count int) []float64 {
	bounds := make([]float64, count)
	for i := range bounds {
		bounds[i], first = first, first*factor
	}
	return bounds
}

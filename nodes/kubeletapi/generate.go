package kubeletapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// generator makes up lines: the n-th one, and when it is written, follow from the seed and the start alone.
type generator struct {
	start  time.Time
	period time.Duration
	json   bool
	seed   uint64
}

const mostPerSecond = 1000

// newGenerator reads "10/s", "30/m json", "1/h text".
func newGenerator(value string, start time.Time, seed string) (generator, error) {
	wrong := errors.New(`must be a rate of at most 1000/s and a format like "10/s json" or "30/m text", not ` + strconv.Quote(value))
	rate, format, _ := strings.Cut(strings.TrimSpace(value), " ")
	number, unit, _ := strings.Cut(rate, "/")
	per, ok := map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	n, err := strconv.ParseFloat(number, 64)
	format = strings.TrimSpace(format)
	if !ok || err != nil || !(n > 0) || n/per.Seconds() > mostPerSecond || format != "" && format != "json" && format != "text" {
		return generator{}, wrong
	}
	period := float64(per) / n
	if period > float64(365*24*time.Hour) {
		return generator{}, wrong
	}
	h := fnv.New64a()
	h.Write([]byte(seed))
	return generator{start, time.Duration(period), format == "json", h.Sum64()}, nil
}

func (g generator) read(from, until time.Time, most int) ([]entry, time.Time) {
	first, end := g.index(from), g.index(until)
	first = max(first, end-int64(most))
	var entries []entry
	for i := first; i < end; i++ {
		entries = append(entries, g.line(i))
	}
	return entries, g.at(end)
}

func (g generator) at(i int64) time.Time { return g.start.Add(time.Duration(i) * g.period) }

// index is the number of lines before a time.
func (g generator) index(t time.Time) int64 {
	since := t.Sub(g.start)
	if since <= 0 {
		return 0
	}
	return int64((since + g.period - 1) / g.period)
}

var (
	generatedPaths   = []string{"/", "/cart", "/checkout", "/products/17", "/products/42", "/api/orders", "/api/users/me", "/search"}
	generatedMethods = []string{"GET", "GET", "GET", "POST", "PUT"}
)

// line is the i-th one: mostly of requests that were handled, at times of slow ones and of failures.
func (g generator) line(i int64) entry {
	random := rand.New(rand.NewPCG(g.seed, uint64(i)))
	at := g.at(i).UTC()
	level, message, status, stderr := "info", "request handled", 200, false
	took := 1 + random.IntN(80)
	switch chance := random.IntN(100); {
	case chance < 3:
		level, message, status, stderr = "error", "request failed: upstream timed out", 504, true
		took += 1000
	case chance < 10:
		level, message = "warn", "request was slow"
		took += 400
	}
	id := fmt.Sprintf("%016x", random.Uint64())
	method, path := generatedMethods[random.IntN(len(generatedMethods))], generatedPaths[random.IntN(len(generatedPaths))]
	const layout = "2006-01-02T15:04:05.000Z"
	if !g.json {
		return entry{at, fmt.Sprintf("%s %-5s %s seq=%d method=%s path=%s status=%d duration=%dms request_id=%s", at.Format(layout),
			strings.ToUpper(level), message, i, method, path, status, took, id), stderr}
	}
	data, err := json.Marshal(struct {
		Time      string `json:"time"`
		Level     string `json:"level"`
		Message   string `json:"msg"`
		Sequence  int64  `json:"seq"`
		Method    string `json:"method"`
		Path      string `json:"path"`
		Status    int    `json:"status"`
		Duration  int    `json:"duration_ms"`
		RequestID string `json:"request_id"`
	}{at.Format(layout), level, message, i, method, path, status, took, id})
	if err != nil {
		return entry{at, err.Error(), true}
	}
	return entry{at, string(data), stderr}
}

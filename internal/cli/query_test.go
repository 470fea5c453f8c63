package cli

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"tripod/api"
)

// testCourse is a live view that has seen all series but one for a quarter of an hour.
func testCourse() *course {
	c := &course{points: make([][]api.Point, len(courses))}
	for i := range courses[1:] {
		for n := range 61 {
			value := api.Number(float64(i*1000) * (1 + math.Sin(float64(n)/8)))
			c.points[i] = append(c.points[i], api.Point{At: testNow().Add(time.Duration(n-60) * coursesStep), Value: value})
		}
	}
	return c
}

func TestAnswersOfQueries(t *testing.T) {
	points := func(values ...api.Number) (all []api.Point) {
		for i, v := range values {
			all = append(all, api.Point{At: testNow().Add(time.Duration(i) * time.Second), Value: v})
		}
		return all
	}
	nan := api.Number(math.NaN())
	var text bytes.Buffer
	for _, answer := range []api.MetricsAnswer{
		{Type: "vector", Series: []api.Series{
			{Labels: map[string]string{"__name__": "up", "zone": "us-east-1a", "job": "etcd"}, Points: points(1)},
			{Labels: map[string]string{"\x1b[2J": "x"}, Points: points(1234567.9)}, {Points: points(api.Number(math.Inf(-1)))}}},
		{Type: "vector"}, {Type: "scalar", Series: []api.Series{{Points: points(12345)}}}, {Type: "string", Text: "a\x1bb"},
		{Type: "matrix", Series: []api.Series{
			{Labels: map[string]string{"zone": "a"}, Points: points(0, 1, 2, nan, 3, 4)}, {Points: points(7, 7)}, {Points: points(nan)},
			{Labels: map[string]string{"n": "-"}, Points: points(-2, -1, 0)}}},
	} {
		writeAnswer(&text, &answer)
	}
	golden(t, "query.txt", text.String())
}

func TestNumbersSurviveJSON(t *testing.T) {
	for _, n := range []api.Number{0, 1.5, api.Number(math.Inf(1)), api.Number(math.NaN()), 1e300} {
		text, err := json.Marshal(n)
		var back api.Number
		if err != nil || json.Unmarshal(text, &back) != nil || back != n && !n.IsNaN() || back.IsNaN() != n.IsNaN() {
			t.Errorf("%v becomes %s and %v (%v)", n, text, back, err)
		}
	}
}

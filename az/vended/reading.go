package vended

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/promql"
)

// Reading is what a process has told at one time.
type Reading struct {
	counts map[string]float64            // since the process's start, by the metric's name
	gauges map[string]float64            // by the metric's name
	times  map[string]map[float64]uint64 // requests by metric and by the buckets' upper ends, of which each has those below it too
	means  map[string]mean               // by the metric's name
}

// mean is what a summary has summed up, and of how many.
type mean struct{ sum, count float64 }

// longestLine is how long a line may be.
const longestLine = 1 << 20

// Read reads a process's metrics: of the families that begin so, since a component's process has some of others.
func Read(from io.Reader, prefix string) (*Reading, error) {
	r := &Reading{counts: map[string]float64{}, gauges: map[string]float64{}, times: map[string]map[float64]uint64{},
		means: map[string]mean{}}
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		end := bytes.IndexAny(line[:min(len(line), 100)], "{ ")
		if end < 0 {
			continue
		}
		take := families[string(line[:end])]
		if take == nil || !bytes.HasPrefix(line, []byte(prefix)) {
			continue
		}
		labels, value, ok := parse(string(line[end:]))
		if ok && !math.IsNaN(value) {
			take(r, labels, value)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return r, nil
}

// labels of a series, as they are written.
type labels string

// of is a label's value, empty where there is none. What is looked at here has no escapes, and a quotation mark within another label's
// value has a backslash before it.
func (l labels) of(name string) string {
	for rest := string(l); ; {
		_, behind, found := strings.Cut(rest, name+`="`)
		if !found {
			return ""
		}
		if before := rest[:len(rest)-len(behind)-len(name)-2]; before == "" || strings.HasSuffix(before, ",") {
			value, _, _ := strings.Cut(behind, `"`)
			return value
		}
		rest = behind
	}
}

// parse reads what follows a series' name.
func parse(text string) (of labels, value float64, ok bool) {
	if rest, has := strings.CutPrefix(text, "{"); has {
		end := strings.LastIndexByte(rest, '}')
		if end < 0 {
			return "", 0, false
		}
		of, text = labels(rest[:end]), rest[end+1:]
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), " ") // a time may follow
	value, err := strconv.ParseFloat(text, 64)
	return of, value, err == nil
}

// families are those that are read, with what is made of one of their series.
var families = map[string]func(*Reading, labels, float64){
	"apiserver_request_total":                   requests,
	"apiserver_request_duration_seconds_bucket": durations,
	"apiserver_current_inflight_requests": func(r *Reading, of labels, value float64) {
		r.gauges["apiserver_current_inflight_requests_"+strings.ToUpper(of.of("request_kind"))] += value
	},
	"apiserver_flowcontrol_current_executing_seats": func(r *Reading, _ labels, value float64) {
		r.gauges["apiserver_flowcontrol_current_executing_seats"] += value
	},
	"apiserver_admission_webhook_request_total":   byType("apiserver_admission_webhook_request_total"),
	"apiserver_admission_webhook_rejection_count": byType("apiserver_admission_webhook_rejection_count"),
	admissionDuration + "_bucket": func(r *Reading, of labels, value float64) {
		r.bucket(admissionDuration+"_"+strings.ToUpper(of.of("type"))+"_P99", of, value)
	},
	admissionDuration + "_sum": func(r *Reading, _ labels, value float64) {
		m := r.means[admissionDuration]
		r.means[admissionDuration] = mean{m.sum + value, m.count}
	},
	admissionDuration + "_count": func(r *Reading, _ labels, value float64) {
		m := r.means[admissionDuration]
		r.means[admissionDuration] = mean{m.sum, m.count + value}
	},
	"apiserver_storage_size_bytes": func(r *Reading, _ labels, value float64) { // of each member that it speaks with
		r.gauges["apiserver_storage_size_bytes"] = max(r.gauges["apiserver_storage_size_bytes"], value)
	},
	"etcd_mvcc_db_total_size_in_use_in_bytes": func(r *Reading, _ labels, value float64) {
		r.gauges["etcd_mvcc_db_total_size_in_use_in_bytes"] = value
	},
	"scheduler_schedule_attempts_total": func(r *Reading, of labels, value float64) {
		r.counts["scheduler_schedule_attempts_total"] += value
		r.counts["scheduler_schedule_attempts_"+strings.ToUpper(of.of("result"))] += value
	},
	"scheduler_pending_pods": func(r *Reading, of labels, value float64) {
		queue := strings.ToUpper(of.of("queue"))
		if queue == "ACTIVE" {
			queue = "ACTIVEQ"
		}
		r.gauges["scheduler_pending_pods"] += value
		r.gauges["scheduler_pending_pods_"+queue] += value
	},
}

func requests(r *Reading, of labels, value float64) {
	const total = "apiserver_request_total"
	r.counts[total] += value
	some := func(name string, holds bool) {
		if holds {
			r.counts[total+name] += value
		} else {
			r.counts[total+name] += 0 // that there was none is a value
		}
	}
	code := of.of("code")
	some("_4XX", strings.HasPrefix(code, "4"))
	some("_5XX", strings.HasPrefix(code, "5"))
	some("_429", code == "429")
	some("_LIST_PODS", of.of("verb") == "LIST" && of.of("resource") == "pods" && of.of("subresource") == "")
}

// timed are the verbs whose requests' times are told. A watch takes as long as somebody watches.
var timed = []string{"GET", "LIST", "POST", "PUT", "PATCH", "DELETE"}

func durations(r *Reading, of labels, value float64) {
	if !slices.Contains(timed, of.of("verb")) {
		return
	}
	r.bucket("apiserver_request_duration_seconds_"+of.of("verb")+"_P99", of, value)
}

const admissionDuration = "apiserver_admission_webhook_admission_duration_seconds"

// bucket adds a bucket of a histogram to those that a metric is reckoned from.
func (r *Reading) bucket(name string, of labels, value float64) {
	end, err := strconv.ParseFloat(of.of("le"), 64)
	if err != nil {
		return
	}
	if r.times[name] == nil {
		r.times[name] = map[float64]uint64{}
	}
	r.times[name][end] += uint64(value)
}

// byType is a family of webhooks, whose types are admit, of those that change what they admit, and validating.
func byType(name string) func(*Reading, labels, float64) {
	return func(r *Reading, of labels, value float64) {
		r.counts[name] += value
		r.counts[name+"_"+strings.ToUpper(of.of("type"))] += value
	}
}

// quantile is the time below which that share of the requests took that a histogram has gained since an older one; false: it has gained
// none.
func quantile(share float64, was, is map[float64]uint64) (value float64, some bool) {
	var gained promql.Buckets
	for end, count := range is {
		if count >= was[end] { // else the process is another one
			count -= was[end]
		}
		gained = append(gained, promql.Bucket{UpperBound: end, Count: float64(count)})
	}
	if len(gained) == 0 {
		return 0, false
	}
	value, _, _ = promql.BucketQuantile(share, gained)
	return value, !math.IsNaN(value)
}

package metricdata

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tripod/logs/logstore"
)

// TestEmbeddedMetricsAreRead in all forms of the format, and nothing where an event breaks its rules.
func TestEmbeddedMetricsAreRead(t *testing.T) {
	about := `"_aws":{"Timestamp":1574109732004,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["City"],["City","Street"],[]],` +
		`"Metrics":[{"Name":"ms","Unit":"Milliseconds","StorageResolution":1},{"Name":"n"}]}]}`
	for message, want := range map[string]string{
		`{` + about + `,"City":"Oslo","ms":[1,2,3],"n":5}`: "Shop/ms [{City Oslo}] Milliseconds 3 6 true 1574109732; " +
			"Shop/n [{City Oslo}]  1 5 false 1574109732; Shop/ms [] Milliseconds 3 6 true 1574109732; Shop/n []  1 5 false 1574109732; ",
		`{` + about + `,"n":{"Values":[2,3],"Counts":[2,1]}}`: "Shop/n []  3 7 false 1574109732; ",
		`{` + about + `,"City":5,"n":"many"}`:                 "",
		`{` + about:                                           "",
		`{"CloudWatchMetrics":"x","n":1}`:                     "",
		`{"message":"CloudWatchMetrics"}`:                     "",
		`{"_aws":{"CloudWatchMetrics":[{"Namespace":"A","Dimensions":[[]],"Metrics":[{"Name":"n","Unit":"Parsecs"}]}]},"n":1}`: "",
		`{"n":1,"_aws":{"CloudWatchMetrics":[{"Metrics":[{}]}]}}`:                                                              "",
		`{"CloudWatchMetrics":[{"Namespace":"ContainerInsights","Dimensions":[["ClusterName"]],"Metrics":[{"Name":"pods"}]}],` +
			`"ClusterName":"demo","pods":7,"Timestamp":"1574109732004"}`: "ContainerInsights/pods [{ClusterName demo}]  1 7 false 1574109732; ",
	} {
		got := ""
		for _, d := range Embedded(message, time.Unix(1, 0)) {
			got += fmt.Sprintf("%s/%s %v %s %v %v %v %d; ", d.Metric.Namespace, d.Metric.Name, d.Metric.Dimensions, d.Unit, d.Count,
				d.Sum, d.Fine, d.Time)
		}
		if got != want {
			t.Errorf("%s has %s, want %s", message, got, want)
		}
	}
}

// hostile is an event of some kilobytes with 100 metrics in each of so many sets of 30 dimensions of a kilobyte each.
func hostile(sets int) string {
	members, names := map[string]any{"n": 1}, []string{}
	for i := range mostEmbeddedDimensions + 1 {
		names = append(names, fmt.Sprintf("dimension%02d", i))
		members[names[i]] = strings.Repeat("v", longestName)
	}
	var about struct{ CloudWatchMetrics []directive }
	about.CloudWatchMetrics = []directive{{Namespace: "Shop"}}
	for i := range sets { // no two beside each other are the same
		about.CloudWatchMetrics[0].Dimensions = append(about.CloudWatchMetrics[0].Dimensions, names[i%2:len(names)-1+i%2])
	}
	for range mostEmbedded {
		about.CloudWatchMetrics[0].Metrics = append(about.CloudWatchMetrics[0].Metrics, struct {
			Name, Unit        string
			StorageResolution int
		}{Name: "n"})
	}
	members["_aws"] = about
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// noted is a log that keeps the sizes of what is written.
type noted struct {
	Log
	sizes []int
	data  int
}

func (n *noted) Append(stream string, events []logstore.Event, mark any) (logstore.Place, error) {
	for _, e := range events {
		n.sizes = append(n.sizes, len(e.Message))
		decode(e, func(Datum) { n.data++ })
	}
	return n.Log.Append(stream, events, mark)
}

// TestFewBytesOfLogEventsDoNotBecomeManyOfMetrics: an event's data are bounded, a call's too, and no line is long.
func TestFewBytesOfLogEventsDoNotBecomeManyOfMetrics(t *testing.T) {
	message, size := hostile(1000), 0
	var was []Dimension
	for _, d := range Embedded(message, began) {
		if fmt.Sprint(was) != fmt.Sprint(d.Metric.Dimensions) {
			for _, one := range d.Metric.Dimensions {
				size += len(one.Name) + len(one.Value)
			}
		}
		was = d.Metric.Dimensions
	}
	if size == 0 || size > mostNames {
		t.Errorf("an event's metrics have %d bytes of dimensions, want at most %d", size, mostNames)
	}
	s, _ := newStore(t, t.TempDir(), Limits{})
	log := &noted{Log: s.Log}
	s.Log = log
	events := make([]logstore.Event, 60)
	for i := range events {
		events[i] = logstore.Event{Time: began.UnixMilli(), Message: message}
	}
	if err := s.PutEmbedded(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, size := range log.sizes {
		if all += size; size > mostBytes {
			t.Errorf("a line has %d bytes", size)
		}
	}
	if all < mostOfCall || all >= mostOfCall+mostBytes {
		t.Errorf("%d bytes are written of one call", all)
	}
	log.data = 0
	if err := s.PutEmbedded(context.Background(), append(events[:2:2], logstore.Event{Message: "no metrics"})); err != nil ||
		log.data != 2*len(Embedded(message, began)) {
		t.Errorf("of two events %d data are written, want %d; %v", log.data, 2*len(Embedded(message, began)), err)
	}
}

// TestEventsThatNameMuchTakeNoTime: sets without number, each with metrics whose values would have to be read again.
func TestEventsThatNameMuchTakeNoTime(t *testing.T) {
	metrics := strings.TrimSuffix(strings.Repeat(`{"Name":"n"},`, mostEmbedded), ",")
	message := `{"_aws":{"CloudWatchMetrics":[{"Namespace":"A","Dimensions":[` + strings.TrimSuffix(strings.Repeat(`[],`, 100_000), ",") +
		`],"Metrics":[` + metrics + `]}]},"n":[` + strings.TrimSuffix(strings.Repeat("1,", 200_000), ",") + `]}`
	start := time.Now()
	if got := Embedded(message, began); len(got) != 0 || time.Since(start) > 20*time.Second {
		t.Errorf("there are %d data after %v", len(got), time.Since(start))
	}
}

// TestDataOfOnePutAreLinesOfBoundedSize, and all there.
func TestDataOfOnePutAreLinesOfBoundedSize(t *testing.T) {
	s, _ := newStore(t, t.TempDir(), Limits{})
	log := &noted{Log: s.Log}
	s.Log = log
	var data []Datum
	for i := range 2500 {
		dimensions := []Dimension{{"i", fmt.Sprint(i)}, {"long", strings.Repeat("<", i%2*1000)}}
		data = append(data, Datum{Metric: NewMetric("Shop", "Orders", dimensions), Time: began.Unix(), Summary: Single(1)})
	}
	put(t, s, data...)
	found, err := s.Metrics(began, func(Metric) bool { return true })
	if err != nil || len(found) != len(data) || log.data != len(data) || len(log.sizes) < 7 {
		t.Errorf("%d metrics of %d data in %d lines, %v", len(found), log.data, len(log.sizes), err)
	}
	for _, size := range log.sizes {
		if size > mostBytes {
			t.Errorf("a line has %d bytes", size)
		}
	}
}

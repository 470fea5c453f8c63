package metricdata

import (
	"fmt"
	"testing"
	"time"
)

// TestEmbeddedMetricsAreRead in all forms of the format, and nothing where an event breaks its rules.
func TestEmbeddedMetricsAreRead(t *testing.T) {
	about := `"_aws":{"Timestamp":1574109732004,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["City"],["City","Street"],[]],` +
		`"Metrics":[{"Name":"ms","Unit":"Milliseconds","StorageResolution":1},{"Name":"n"}]}]}`
	for message, want := range map[string]string{
		`{` + about + `,"City":"Oslo","ms":[1,2,3],"n":5}`: "Shop/ms [{City Oslo}] Milliseconds 3 6 true 1574109732; " +
			"Shop/n [{City Oslo}]  1 5 false 1574109732; Shop/ms [] Milliseconds 3 6 true 1574109732; Shop/n []  1 5 false 1574109732; ",
		`{` + about + `,"n":{"Values":[2,3],"Counts":[2,1]}}`:     "Shop/n []  3 7 false 1574109732; ",
		`{` + about + `,"City":5,"n":"many"}`:                     "",
		`{` + about:                                               "",
		`{"CloudWatchMetrics":"x","n":1}`:                         "",
		`{"message":"CloudWatchMetrics"}`:                         "",
		`{"n":1,"_aws":{"CloudWatchMetrics":[{"Metrics":[{}]}]}}`: "",
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

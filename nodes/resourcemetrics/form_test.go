package resourcemetrics

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

func TestItemsAreWrittenAsKubernetesWritesThem(t *testing.T) {
	at := start.Add(123456789)
	for _, i := range []item{
		{name: "node-a", labels: map[string]string{"b": "2", "a": "1"}, window: 15*time.Second + 12345678,
			parts: []usage{{"", 1234567, 3 << 20}}},
		{namespace: "shop", name: "web", window: time.Minute, parts: []usage{{"web", 2e9, 1000}, {`a<"b>&\` + "\u2028é", 0, 0}}},
	} {
		var object any
		if i.isNode() {
			decoded := &v1beta1.NodeMetrics{}
			if err := decoded.Unmarshal(forms[asProtobuf](nil, &i, at)); err != nil {
				t.Fatal(err)
			}
			object = decoded
		} else {
			decoded := &v1beta1.PodMetrics{}
			if err := decoded.Unmarshal(forms[asProtobuf](nil, &i, at)); err != nil {
				t.Fatal(err)
			}
			object = decoded
		}
		want, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(forms[asJSON](nil, &i, at)); got != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestAnAnswerThatIsCutOffIsAnError(t *testing.T) {
	whole := appendPart(nil, &item{namespace: "shop", name: "web"}, asJSON, start)
	whole = appendPart(whole, &item{namespace: "shop", name: "db"}, asJSON, start)
	if all, err := parts(whole); err != nil || len(all) != 2 || string(all[1].key) != "shop\x00db" || !strings.Contains(string(all[1].body), `"db"`) {
		t.Errorf("got %q, %v", all, err)
	}
	ends := map[int]bool{0: true, len(whole): true, len(appendPart(nil, &item{namespace: "shop", name: "web"}, asJSON, start)): true}
	for n := range whole {
		if _, err := parts(whole[:n]); (err == nil) != ends[n] {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
}

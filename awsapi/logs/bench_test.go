package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tripod/logs/logstore"
	"tripod/region"
	"tripod/state"
)

// BenchmarkSearchOfAGiB is what queries over 1 GiB of messages take: half of them lines of klog, half of them audit events.
func BenchmarkSearchOfAGiB(b *testing.B) {
	const id = "0123456789abcdef0123456789abcdef"
	memory := region.NewMemory(func(tx *state.Txn) {
		groups.Put(tx, "g", group{Name: "g"})
		addStream(tx, "g", "s", id, time.Now())
	})
	store, err := logstore.Open(logstore.Config{Dir: b.TempDir(), Zone: "us-east-1a", Zones: []string{"us-east-1a"},
		Limits: logstore.Limits{Segment: 1 << 20, Journal: 4 << 30}})
	if err != nil {
		b.Fatal(err)
	}
	now, most := time.Now(), 1<<30
	if testing.Short() {
		most = 64 << 20
	}
	for size, n := 0, 0; size < most; {
		var events []logstore.Event
		for in := 0; in < 1000<<10; n++ {
			message := fmt.Sprintf(`I0304 11:55:07.123456       1 controller.go:%d] "Observed an object" `+
				`logger="replicaset-controller" kind="ReplicaSet" `+
				`namespace="default" name="web-%d" replicas=%d`, n%900, n, n%7)
			if n%2 == 1 {
				message = fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata",`+
					`"auditID":"%032x","stage":"ResponseComplete",`+
					`"requestURI":"/api/v1/namespaces/default/pods/web-%d?timeout=10s","verb":"%s","user":{"username":"system:node:i-%d",`+
					`"groups":["system:nodes","system:authenticated"]},"sourceIPs":["10.0.%d.7"],"userAgent":"kubelet/v1.36","objectRef":`+
					`{"resource":"pods","namespace":"default","name":"web-%d","apiVersion":"v1"},`+
					`"responseStatus":{"metadata":{},"code":%d},`+
					`"stageTimestamp":"2026-03-04T11:55:07.123456Z","annotations":{"authorization.k8s.io/decision":"allow"}}`,
					n, n, []string{"get", "list", "watch", "patch", "create"}[n/2%5], n%50, n%200, n, 200+n%4)
			}
			events = append(events, logstore.Event{Time: now.UnixMilli() - int64(n%1e6), Message: message})
			in, size = in+len(message), size+len(message)
		}
		if _, err := store.Append(id, events, nil); err != nil {
			b.Fatal(err)
		}
	}
	s := &Service{AccountID: "111122223333", State: memory, Events: store}
	for _, text := range []string{
		`filter @message like "web-777777 "`,
		`filter @message like /web-77777[0-9]/ | fields @timestamp, @message`,
		`fields @timestamp, @message | sort @timestamp desc | limit 100`,
		`filter verb = "create" | stats count(*) by user.username`,
		`stats count(*), avg(responseStatus.code) by verb, bin(1m)`,
		`parse @message 'replicas=*' as replicas | stats count(*) by replicas`,
	} {
		b.Run(strings.ReplaceAll(text, "/", "%"), func(b *testing.B) {
			bytes := int64(0)
			for b.Loop() {
				result, err := s.find(b.Context(), query{Text: text, Groups: []string{"g"}, To: lastMoment, CreatedAt: time.Now()})
				if err != nil {
					b.Fatal(err)
				}
				bytes += result.Bytes
			}
			b.ReportMetric(float64(bytes)/(1<<20)/b.Elapsed().Seconds(), "MiB/s")
		})
	}
}

package cloudwatch_test

import (
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"tripod/awsapi/apitest"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/iam"
	"tripod/logs/logstore"
	"tripod/state"
)

// world is an endpoint with metrics and a clock that the test moves, and its administrator's client.
type world struct {
	*apitest.World
	*cloudwatch.Client
	t *testing.T

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// newWorld begins some minutes ago. Signatures are checked by the same clock, so it may be moved by some six.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Now().Add(-3 * time.Minute).UTC().Truncate(time.Minute)}
	log, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Zone: "us-east-1a", Zones: []string{"us-east-1a"},
		Exists: func(string) bool { return true }, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	w.World = apitest.Start(t, func(world *apitest.World) {
		world.Front.LogEvents, world.Front.Metrics, world.Front.Backend.Now = log, &metricdata.Store{Log: log, Now: w.clock}, w.clock
	}, func(*state.Txn) {})
	w.Client = cloudwatch.NewFromConfig(w.Config("admin"))
	return w
}

// evaluate has the alarms evaluated as the zone that leads does.
func (w *world) evaluate() time.Duration {
	w.t.Helper()
	again, err := w.Front.Backend.Acting().Alarms.Keep(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return again
}

func alarmARN(name string) string {
	return "arn:aws:cloudwatch:us-east-1:" + iam.DefaultAccountID + ":alarm:" + name
}

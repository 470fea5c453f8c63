package az

import (
	"time"

	"tripod/awsapi/cloudwatch"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/internal/reconcile"
)

// isMetrics says whether a stream of the log store is CloudWatch's own: the data of metrics, or the history of alarms.
func isMetrics(stream string) bool {
	return stream == metricdata.Stream || stream == cloudwatch.HistoryStream
}

// evaluateAlarms is the loop that decides the states of alarms. It sleeps where there are none.
func (z *Zone) evaluateAlarms() reconcile.Loop {
	return z.leading(reconcile.Loop{Key: "evaluate alarms", Do: z.acting.Alarms.Keep,
		Pauses: reconcile.Pauses{First: time.Second, Most: 10 * time.Second}})
}

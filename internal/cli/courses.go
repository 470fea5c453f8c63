package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"tripod/api"
	"tripod/client"
	"tripod/internal/sleep"
)

const (
	// coursesSince is how far back the live view draws, and coursesStep how often the region records.
	coursesSince, coursesStep = 15 * time.Minute, 15 * time.Second
	courseWidth               = 30 // columns of bars
)

// courses are the series that the live view draws, in its order. A question about API servers and etcd has the region record them.
var courses = []struct{ name, unit, query string }{
	{"API requests", "/s", `sum(rate(apiserver_request_total[1m]))`},
	{"API errors", "/s", `sum(rate(apiserver_request_total{code=~"5.."}[1m])) or vector(0)`},
	{"API p99", "s", `histogram_quantile(0.99, sum by (le) (rate(apiserver_request_duration_seconds_bucket{verb!~"WATCH|CONNECT"}[1m])))`},
	{"API servers up", "", `sum(up{job="apiserver"})`},
	{"etcd commits", "/s", `max(rate(etcd_server_proposals_committed_total[1m]))`},
	{"etcd fsync p99", "s", `histogram_quantile(0.99, sum by (le) (rate(etcd_disk_wal_fsync_duration_seconds_bucket[1m])))`},
	{"AWS calls", "/s", `sum(rate(tripod_aws_requests_total[1m])) or vector(0)`},
	{"targets healthy", "", `sum(tripod_lb_target_healthy)`},
	{"connections", "", `sum(tripod_lb_connections_open)`},
	{"memory", "B", `tripod_memory_bytes`},
}

// course is what the live view has of the courses; nil is a series without an answer.
type course struct {
	mu     sync.Mutex
	points [][]api.Point
}

// follow asks for them each time that the region has recorded, as long as ctx lasts.
func (c *course) follow(ctx context.Context, region *client.Client) {
	for ctx.Err() == nil {
		points := make([][]api.Point, len(courses))
		for i, one := range courses {
			// An answer that is missing is drawn as none: the view says elsewhere that the region is not there.
			answer, err := region.Query(ctx, api.MetricsQuestion{Query: one.query, Since: coursesSince, Step: coursesStep})
			if err == nil && len(answer.Series) == 1 {
				points[i] = answer.Series[0].Points
			}
		}
		c.mu.Lock()
		c.points = points
		c.mu.Unlock()
		sleep.For(ctx, coursesStep)
	}
}

// lines has one for each series, in two columns where there is room; none while nothing is known.
func (c *course) lines(width int) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for i, points := range c.points {
		if len(points) == 0 {
			continue
		}
		last := points[len(points)-1].Value
		all = append(all, fmt.Sprintf("%s %s %s", pad(courses[i].name, 15), pad(spark(points, courseWidth), courseWidth),
			pad(figure(last)+courses[i].unit, 9)))
	}
	if len(all) == 0 {
		return nil
	}
	lines := []string{"THE LAST MINUTES"}
	if one := len([]rune(all[0])); width >= 2*one+2 {
		half := (len(all) + 1) / 2
		for i := range half {
			line := all[i]
			if i+half < len(all) {
				line += "  " + all[i+half]
			}
			lines = append(lines, strings.TrimRight(line, " "))
		}
		return lines
	}
	for _, line := range all {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

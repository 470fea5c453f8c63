package emulator

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tripod/api"
)

// cronJobsTimeout is how long a status waits for the CronJobs of its clusters.
const cronJobsTimeout = 3 * time.Second

// addCronJobs adds the clusters' CronJobs to a status, each by the first zone whose API server answers. A region that sleeps is not woken,
// and a cluster without a quorum not asked: neither would answer.
func (e *Emulator) addCronJobs(ctx context.Context, status *api.Status) {
	if status.AsleepSince != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cronJobsTimeout)
	defer cancel()
	var asking sync.WaitGroup
	for i := range status.Clusters {
		c := &status.Clusters[i]
		if !c.Quorum {
			continue // which the status says
		}
		asking.Go(func() {
			err := e.zones.first(errNoZone, func(z *zone) (err error) {
				c.CronJobs, err = z.agent().CronJobs(ctx, c.Name)
				return err
			})
			if err != nil {
				c.CronJobsTrouble = fmt.Sprintf("the CronJobs of cluster %s cannot be read: %v", c.Name, err)
			}
		})
	}
	asking.Wait()
}

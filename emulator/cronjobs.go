package emulator

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"tripod/api"
)

// cronJobsTimeout is how long a status waits for the CronJobs of its clusters, of each zone.
const cronJobsTimeout = time.Second

// addCronJobs adds the clusters' CronJobs to a status, each by the first zone whose API server answers. A region that sleeps is not woken,
// and a cluster without a quorum not asked: neither would answer.
func (e *Emulator) addCronJobs(ctx context.Context, status *api.Status) {
	if status.AsleepSince != nil {
		return
	}
	var asking sync.WaitGroup
	for i := range status.Clusters {
		c := &status.Clusters[i]
		if !c.Quorum {
			continue // which the status says
		}
		asking.Go(func() {
			err := e.zones.first(errNoZone, func(z *zone) (err error) {
				if !hasAPIServer(z, c.Name) {
					return fmt.Errorf("the API server of zone %s is not ready", z.name)
				}
				ctx, cancel := context.WithTimeout(ctx, cronJobsTimeout)
				defer cancel()
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

// hasAPIServer says whether a zone's API server of a cluster is ready, as far as the zone has told.
func hasAPIServer(z *zone, cluster string) bool {
	return slices.ContainsFunc(z.status().agent.Instances, func(i api.Instance) bool {
		return i.Component == api.KindAPIServer && i.Cluster == cluster && i.State == api.StateReady
	})
}

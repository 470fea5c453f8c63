package kubestate

import (
	"fmt"

	"github.com/robfig/cron/v3"
	batchv1 "k8s.io/api/batch/v1"
)

// Schedule is when a CronJob is to start jobs, read as Kubernetes' controller reads it.
func Schedule(c *batchv1.CronJob) (cron.Schedule, error) {
	text := c.Spec.Schedule
	if c.Spec.TimeZone != nil {
		text = fmt.Sprintf("TZ=%s %s", *c.Spec.TimeZone, text)
	}
	return cron.ParseStandard(text)
}

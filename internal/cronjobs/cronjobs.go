// Package cronjobs says of a cluster's CronJobs when they ran, how late, how long and with what result, and which starts they missed. It
// reads when somebody asks, and keeps nothing.
package cronjobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"tripod/api"
	"tripod/internal/kubestate"
)

const (
	// most is how many CronJobs are told of, and mostJobs how many jobs are read.
	most, mostJobs = 500, 5_000
	// slack is how late the controller may be before a start counts as missed.
	slack = 10 * time.Second
)

// Read tells of a cluster's CronJobs, those with the latest runs first. It needs a quorum of etcd: without one it ends with ctx.
func Read(ctx context.Context, kube kubernetes.Interface, now time.Time) ([]api.CronJob, error) {
	crons, err := kube.BatchV1().CronJobs("").List(ctx, metav1.ListOptions{Limit: most})
	if err != nil || len(crons.Items) == 0 {
		return nil, err
	}
	jobs, err := kube.BatchV1().Jobs("").List(ctx, metav1.ListOptions{Limit: mostJobs})
	if err != nil {
		return nil, err
	}
	runs := map[types.UID][]api.CronJobRun{}
	for i := range jobs.Items {
		if owner := metav1.GetControllerOf(&jobs.Items[i]); owner != nil && owner.Kind == "CronJob" {
			runs[owner.UID] = append(runs[owner.UID], runOf(&jobs.Items[i]))
		}
	}
	told := make([]api.CronJob, 0, len(crons.Items))
	for i := range crons.Items {
		told = append(told, tell(&crons.Items[i], runs[crons.Items[i].UID], now))
	}
	slices.SortStableFunc(told, func(a, b api.CronJob) int {
		return cmp.Or(lastDue(b).Compare(lastDue(a)), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return told, nil
}

func lastDue(c api.CronJob) time.Time {
	if len(c.Runs) == 0 {
		return time.Time{}
	}
	return c.Runs[0].Due
}

// runOf tells of a job that a CronJob made.
func runOf(job *batchv1.Job) api.CronJobRun {
	run := api.CronJobRun{Job: job.Name, Due: job.CreationTimestamp.UTC(), Result: api.RunActive}
	if due, err := time.Parse(time.RFC3339, job.Annotations[batchv1.CronJobScheduledTimestampAnnotation]); err == nil {
		run.Due = due.UTC()
	}
	run.Started, run.Ended = timeOf(job.Status.StartTime), timeOf(job.Status.CompletionTime)
	for _, c := range job.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			run.Result = api.RunSucceeded
		case batchv1.JobFailed:
			run.Result, run.Reason, run.Ended = api.RunFailed, c.Reason, timeOf(&c.LastTransitionTime)
		}
	}
	return run
}

func timeOf(t *metav1.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// wholeSince is since when a CronJob still has all runs, which are newest first: Kubernetes deletes the oldest of those that have
// succeeded, and of those that have failed, beyond a number for each (3 and 1 where the CronJob names none).
func wholeSince(c *batchv1.CronJob, runs []api.CronJobRun) (since time.Time) {
	for result, kept := range map[string]int{api.RunSucceeded: limit(c.Spec.SuccessfulJobsHistoryLimit, 3),
		api.RunFailed: limit(c.Spec.FailedJobsHistoryLimit, 1)} {
		var oldest time.Time
		n := 0
		for _, run := range runs {
			if run.Result == result {
				oldest = run.Due
				n++
			}
		}
		switch {
		case kept == 0 && len(runs) > 0: // nobody knows
			oldest = runs[0].Due
		case n < kept:
			continue
		}
		if oldest.After(since) {
			since = oldest
		}
	}
	return since
}

func limit(given *int32, usual int) int {
	if given == nil {
		return usual
	}
	return int(*given)
}

// tell says how a CronJob does that has made these runs.
func tell(c *batchv1.CronJob, runs []api.CronJobRun, now time.Time) api.CronJob {
	slices.SortFunc(runs, func(a, b api.CronJobRun) int { return b.Due.Compare(a.Due) })
	told := api.CronJob{Namespace: c.Namespace, Name: c.Name, Schedule: c.Spec.Schedule, Suspended: c.Spec.Suspend != nil && *c.Spec.Suspend,
		LastSuccess: timeOf(c.Status.LastSuccessfulTime), Runs: append([]api.CronJobRun{}, runs...)}
	if c.Spec.TimeZone != nil {
		told.Schedule = "TZ=" + *c.Spec.TimeZone + " " + told.Schedule
	}
	schedule, err := kubestate.Schedule(c)
	if err != nil {
		told.Trouble = fmt.Sprintf("its schedule cannot be read: %v", err)
		return told
	}
	// missed counts the starts between two times, without these themselves. Schedules without a time zone are of this machine's.
	missed := func(from, to time.Time) {
		for at := schedule.Next(from.Local()); !at.IsZero() && at.Before(to) && told.Missed < api.MostMissed; at = schedule.Next(at) {
			told.Missed++
		}
	}
	whole := wholeSince(c, runs)
	for i := 1; i < len(runs) && !runs[i].Due.Before(whole); i++ {
		missed(runs[i].Due, runs[i-1].Due)
	}
	last := c.CreationTimestamp.Time
	if c.Status.LastScheduleTime != nil {
		last = c.Status.LastScheduleTime.Time
	}
	if told.Suspended || last.IsZero() {
		return told
	}
	missed(last, now.Add(-slack))
	if next := schedule.Next(last.Local()).UTC(); !next.IsZero() {
		told.Next = &next
	}
	return told
}

package kubestate

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type (
	job     = batchv1.Job
	cronJob = batchv1.CronJob
)

var jobFailures = []string{"BackoffLimitExceeded", "DeadlineExceeded", "Evicted"}

var jobs = kind[job, *job]{
	name: "jobs",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.BatchV1().Jobs("").List(ctx, o)
	},
	labels: namespaced[*job]("job_name"),
	families: []family[job]{
		exists[job]("kube_job_info", "Information about job."),
		created[job]("kube_job"),
		perhaps("kube_job_spec_parallelism", "The maximum desired number of pods the job should run at any given time.",
			func(j *job) *int32 { return j.Spec.Parallelism }),
		perhaps("kube_job_spec_completions", "The desired number of successfully finished pods the job should be run with.",
			func(j *job) *int32 { return j.Spec.Completions }),
		perhaps("kube_job_spec_active_deadline_seconds",
			"The duration in seconds relative to the startTime that the job may be active before the system tries to terminate it.",
			func(j *job) *int64 { return j.Spec.ActiveDeadlineSeconds }),
		count("kube_job_status_succeeded", "The number of pods which reached Phase Succeeded.",
			func(j *job) int32 { return j.Status.Succeeded }),
		several("kube_job_status_failed", "The number of pods which reached Phase Failed and the reason for failure.", failedPods),
		count("kube_job_status_active", "The number of actively running pods.", func(j *job) int32 { return j.Status.Active }),
		gauge("kube_job_status_ready", "The number of ready pods that belong to this Job.", func(j *job) float64 {
			if j.Status.Ready == nil {
				return 0
			}
			return float64(*j.Status.Ready)
		}),
		several("kube_job_complete", "The job has completed its execution.", jobCondition(batchv1.JobComplete)),
		several("kube_job_failed", "The job has failed its execution.", jobCondition(batchv1.JobFailed)),
		several("kube_job_status_start_time", "StartTime represents time when the job was acknowledged by the Job Manager.",
			func(j *job, s *series) { s.time(j.Status.StartTime) }),
		several("kube_job_status_completion_time", "CompletionTime represents time when the job was completed.",
			func(j *job, s *series) { s.time(j.Status.CompletionTime) }),
		several("kube_job_status_suspended", "The number of pods which reached Phase Suspended.", func(j *job, s *series) {
			for _, c := range j.Status.Conditions {
				if c.Type == batchv1.JobSuspended {
					s.is(c.Status == corev1.ConditionTrue)
				}
			}
		}),
		owners[job]("kube_job", "Information about the Job's owner.", true),
	},
}

func jobCondition(kind batchv1.JobConditionType) func(*job, *series) {
	return func(j *job, s *series) {
		for _, c := range j.Status.Conditions {
			if c.Type == kind {
				s.condition(c.Status, "condition")
			}
		}
	}
}

// failedPods tells how many pods have failed, or which of the known reasons the job has failed for.
func failedPods(j *job, s *series) {
	if j.Status.Failed == 0 {
		s.add(0)
		return
	}
	known := false
	for _, c := range j.Status.Conditions {
		if c.Type != batchv1.JobFailed {
			continue
		}
		for _, reason := range jobFailures {
			known = known || c.Reason == reason
			s.is(c.Reason == reason, "reason", reason)
		}
	}
	if !known {
		s.add(float64(j.Status.Failed), "reason", "")
	}
}

var cronJobs = kind[cronJob, *cronJob]{
	name: "cronjobs",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.BatchV1().CronJobs("").List(ctx, o)
	},
	labels: namespaced[*cronJob]("cronjob"),
	families: []family[cronJob]{
		info("kube_cronjob_info", "Info about cronjob.", func(c *cronJob) []string {
			zone := "local"
			if c.Spec.TimeZone != nil {
				zone = *c.Spec.TimeZone
			}
			return []string{"schedule", c.Spec.Schedule, "concurrency_policy", string(c.Spec.ConcurrencyPolicy), "timezone", zone}
		}),
		created[cronJob]("kube_cronjob"),
		count("kube_cronjob_status_active", "Active holds pointers to currently running jobs.",
			func(c *cronJob) int { return len(c.Status.Active) }),
		several("kube_cronjob_status_last_schedule_time",
			"LastScheduleTime keeps information of when was the last time the job was successfully scheduled.",
			func(c *cronJob, s *series) { s.time(c.Status.LastScheduleTime) }),
		several("kube_cronjob_status_last_successful_time",
			"LastSuccessfulTime keeps information of when was the last time the job was completed successfully.",
			func(c *cronJob, s *series) { s.time(c.Status.LastSuccessfulTime) }),
		several("kube_cronjob_spec_suspend", "Suspend flag tells the controller to suspend subsequent executions.",
			func(c *cronJob, s *series) { s.is(isSuspended(c)) }),
		perhaps("kube_cronjob_spec_starting_deadline_seconds",
			"Deadline in seconds for starting the job if it misses scheduled time for any reason.",
			func(c *cronJob) *int64 { return c.Spec.StartingDeadlineSeconds }),
		several("kube_cronjob_next_schedule_time",
			"Next time the cronjob should be scheduled. The time after lastScheduleTime, or after the cron job's creation time if it's "+
				"never been scheduled. Use this to determine if the job is delayed.", nextSchedule),
		several("kube_cronjob_schedule_invalid",
			"Emitted with value 1 for cronjobs whose schedule, in its configured timezone, cannot be parsed.",
			func(c *cronJob, s *series) {
				if _, err := Schedule(c); err != nil {
					s.add(1)
				}
			}),
		version[cronJob]("kube_cronjob", "Resource version representing a specific version of the cronjob."),
		perhaps("kube_cronjob_spec_successful_job_history_limit",
			"Successful job history limit tells the controller how many completed jobs should be preserved.",
			func(c *cronJob) *int32 { return c.Spec.SuccessfulJobsHistoryLimit }),
		perhaps("kube_cronjob_spec_failed_job_history_limit",
			"Failed job history limit tells the controller how many failed jobs should be preserved.",
			func(c *cronJob) *int32 { return c.Spec.FailedJobsHistoryLimit }),
	},
}

func isSuspended(c *cronJob) bool { return c.Spec.Suspend != nil && *c.Spec.Suspend }

func nextSchedule(c *cronJob, s *series) {
	from := c.CreationTimestamp
	if !c.Status.LastScheduleTime.IsZero() {
		from = *c.Status.LastScheduleTime
	}
	schedule, err := Schedule(c)
	if err == nil && !from.IsZero() && !isSuspended(c) {
		s.add(float64(schedule.Next(from.Time).Unix()))
	}
}

package cronjobs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/api"
)

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func at(minutes int) *metav1.Time {
	return &metav1.Time{Time: noon.Add(time.Duration(minutes) * time.Minute)}
}

// cron is a CronJob of each ten minutes that was made an hour before noon.
func cron(name string, last *metav1.Time, change func(*batchv1.CronJob)) *batchv1.CronJob {
	c := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), CreationTimestamp: *at(-60)},
		Spec: batchv1.CronJobSpec{Schedule: "*/10 * * * *"}, Status: batchv1.CronJobStatus{LastScheduleTime: last}}
	if change != nil {
		change(c)
	}
	return c
}

// run is a job of a CronJob that was due at a minute, and came late by seconds.
func run(of *batchv1.CronJob, due, late int, kind batchv1.JobConditionType, took int) *batchv1.Job {
	started := metav1.NewTime(at(due).Add(time.Duration(late) * time.Second))
	ended := metav1.NewTime(started.Add(time.Duration(took) * time.Second))
	yes := true
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("%s-%d", of.Name, due), CreationTimestamp: started,
		Annotations:     map[string]string{batchv1.CronJobScheduledTimestampAnnotation: at(due).Format(time.RFC3339)},
		OwnerReferences: []metav1.OwnerReference{{Kind: "CronJob", Name: of.Name, UID: of.UID, Controller: &yes}}}}
	job.Status.StartTime = &started
	if kind != "" {
		job.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: "R", LastTransitionTime: ended}}
	}
	if kind == batchv1.JobComplete {
		job.Status.CompletionTime = &ended
	}
	return job
}

func TestCronJobsAreToldWithWhatTheyMissed(t *testing.T) {
	well, lost := cron("well", at(0), nil), cron("lost", at(-40), nil)
	never := cron("never", nil, func(c *batchv1.CronJob) { c.CreationTimestamp = *at(1) })
	resting := cron("resting", at(-40), func(c *batchv1.CronJob) { yes := true; c.Spec.Suspend = &yes })
	wrong := cron("wrong", nil, func(c *batchv1.CronJob) { c.Spec.Schedule = "at noon" })
	berlin := cron("berlin", at(0), func(c *batchv1.CronJob) {
		zone := "Europe/Berlin"
		c.Spec.TimeZone, c.Spec.Schedule = &zone, "0 14 * * *"
	})
	kube := fake.NewClientset(well, lost, never, resting, wrong, berlin,
		run(well, 0, 0, "", 0), run(well, -10, 1, batchv1.JobComplete, 30), run(well, -20, 0, batchv1.JobFailed, 5),
		run(lost, -40, 65, batchv1.JobComplete, 1), run(lost, -60, 0, batchv1.JobComplete, 1), // of a zone that was lost at -50
		&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "nobodys"}})
	told, err := Read(t.Context(), kube, noon.Add(3*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	by, order := map[string]api.CronJob{}, []string{}
	for _, c := range told {
		by[c.Name], order = c, append(order, c.Name)
	}
	if got := strings.Join(order, " "); got != "well lost berlin never resting wrong" {
		t.Errorf("told in the order %s", got)
	}
	for name, missed := range map[string]int{"well": 0, "lost": 5, "never": 0, "resting": 0, "wrong": 0, "berlin": 0} {
		if by[name].Missed != missed {
			t.Errorf("%s has missed %d starts, want %d", name, by[name].Missed, missed)
		}
	}
	for name, next := range map[string]time.Time{"well": at(10).Time, "lost": at(-30).Time, "never": at(10).Time, "berlin": at(60).Time} {
		if by[name].Next == nil || !by[name].Next.Equal(next) {
			t.Errorf("%s is to start at %v, want %v", name, by[name].Next, next)
		}
	}
	if by["resting"].Next != nil || !by["resting"].Suspended || !strings.Contains(by["wrong"].Trouble, "at noon") {
		t.Errorf("%+v\n%+v", by["resting"], by["wrong"])
	}
	runs := by["well"].Runs
	if len(runs) != 3 || runs[0].Result != api.RunActive || runs[0].Took(noon.Add(3*time.Minute)) != 3*time.Minute ||
		runs[1].Result != api.RunSucceeded || runs[1].Late() != time.Second || runs[1].Took(noon) != 30*time.Second ||
		runs[2].Result != api.RunFailed || runs[2].Reason != "R" || runs[2].Took(noon) != 5*time.Second {
		t.Errorf("the runs are %+v", runs)
	}
}

// TestDeletedRunsAreNotMissedOnes: the oldest that have succeeded are deleted while one that has failed is still there.
func TestDeletedRunsAreNotMissedOnes(t *testing.T) {
	c := cron("pruned", at(0), nil)
	runs := []api.CronJobRun{{Due: at(-60).Time, Result: api.RunFailed}, {Due: at(-20).Time, Result: api.RunSucceeded},
		{Due: at(-10).Time, Result: api.RunSucceeded}, {Due: at(0).Time, Result: api.RunSucceeded}}
	if told := tell(c, runs, noon); told.Missed != 0 {
		t.Errorf("%d missed", told.Missed)
	}
	one := int32(1)
	c.Spec.SuccessfulJobsHistoryLimit = &one
	runs = []api.CronJobRun{{Due: at(-30).Time, Result: api.RunFailed}, {Due: at(0).Time, Result: api.RunSucceeded}}
	if told := tell(c, runs, noon); told.Missed != 0 {
		t.Errorf("%d missed with a history of one", told.Missed)
	}
}

// TestSchedulesAreOfTheMachinesTime where they name no other.
func TestSchedulesAreOfTheMachinesTime(t *testing.T) {
	was := time.Local
	defer func() { time.Local = was }()
	time.Local = time.FixedZone("here", 3600)
	c := cron("nightly", at(-9*60), func(c *batchv1.CronJob) { c.Spec.Schedule = "0 4 * * *"; c.CreationTimestamp = *at(-10 * 24 * 60) })
	day := func(n int) api.CronJobRun {
		return api.CronJobRun{Due: at(-9*60 - n*24*60).UTC(), Result: api.RunSucceeded}
	}
	told := tell(c, []api.CronJobRun{day(0), day(1), day(2)}, noon)
	if told.Missed != 0 || told.Next == nil || !told.Next.Equal(at(15*60).Time) {
		t.Errorf("%d missed, next %v", told.Missed, told.Next)
	}
}

func TestMissedStartsAreCountedToAnEnd(t *testing.T) {
	c := cron("old", nil, func(c *batchv1.CronJob) { c.Spec.Schedule, c.CreationTimestamp = "* * * * *", *at(-60 * 24 * 365) })
	if told := tell(c, nil, noon); told.Missed != api.MostMissed {
		t.Errorf("%d", told.Missed)
	}
}

func TestAClusterWithoutCronJobsIsAskedOnce(t *testing.T) {
	kube := fake.NewClientset()
	if told, err := Read(t.Context(), kube, noon); err != nil || len(told) != 0 || len(kube.Actions()) != 1 {
		t.Errorf("%v, %v, %v", told, err, kube.Actions())
	}
}

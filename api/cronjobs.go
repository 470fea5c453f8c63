package api

import "time"

// CronJob is how a CronJob of a cluster does, by what the cluster still has of it: as many ended jobs as its history limits say.
type CronJob struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Schedule  string `json:"schedule"` // with its time zone, where it names one: TZ=Europe/Berlin 0 3 * * *
	Suspended bool   `json:"suspended,omitempty"`
	// Trouble is why it never starts: its schedule cannot be read.
	Trouble     string     `json:"trouble,omitempty"`
	LastSuccess *time.Time `json:"lastSuccess,omitempty"`
	// Next is when it is to start next; in the past, it is late.
	Next *time.Time `json:"next,omitempty"`
	// Missed is how many starts did not take place that were due, 100 at most: since the last one, and between the runs here as far back as
	// the cluster has all of them, by the schedule of now. Starts that were left out on purpose count too, as by concurrencyPolicy Forbid
	// or while it was suspended.
	Missed int `json:"missed"`
	// Runs are its jobs, newest first.
	Runs []CronJobRun `json:"runs"`
}

// MostMissed is how many missed starts of a CronJob are counted.
const MostMissed = 100

// The results of a CronJobRun.
const (
	RunActive    = "active"
	RunSucceeded = "succeeded"
	RunFailed    = "failed"
)

// CronJobRun is a job that a CronJob has made.
type CronJobRun struct {
	Job     string     `json:"job"`
	Due     time.Time  `json:"due"`               // when it was to start
	Started *time.Time `json:"started,omitempty"` // when it did
	Ended   *time.Time `json:"ended,omitempty"`
	Result  string     `json:"result"`           // active, succeeded or failed
	Reason  string     `json:"reason,omitempty"` // why it failed: BackoffLimitExceeded
}

// Late is how long after its time the run started; 0 while it has not.
func (r CronJobRun) Late() time.Duration {
	if r.Started == nil {
		return 0
	}
	return max(0, r.Started.Sub(r.Due))
}

// Took is how long the run took, or until now has taken; 0 while it has not started.
func (r CronJobRun) Took(now time.Time) time.Duration {
	switch {
	case r.Started == nil:
		return 0
	case r.Ended != nil:
		now = *r.Ended
	}
	return max(0, now.Sub(*r.Started))
}

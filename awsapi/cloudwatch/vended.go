package cloudwatch

import (
	"context"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/state"
)

// asking is when somebody asked for the metrics of a namespace that zones write only while somebody does.
type asking struct {
	At time.Time `json:"at"`
}

var askings = state.NewTable[asking]("cloudwatch-asking") // by namespace

const (
	// wantedFor is how long metrics are written after the last question.
	wantedFor = time.Hour
	// noteEvery is how old a note of a question is when the next one is noted: alarms ask each minute. tryEvery is how often that is
	// looked at, and noteTime how long a question waits for it: without a quorum nothing can be noted.
	noteEvery, tryEvery, noteTime = 20 * time.Minute, 10 * time.Second, time.Second
)

// Wanted says whether somebody has asked for the metrics of the namespace lately, or an alarm is about them.
func Wanted(tx *state.Txn, namespace string, now time.Time) bool {
	last, found := askings.Get(tx, namespace)
	return found && now.Sub(last.At) < wantedFor
}

// Want notes that somebody asks for the namespace's metrics.
func Want(tx *state.Txn, namespace string, now time.Time) { askings.Put(tx, namespace, asking{now}) }

// want notes that somebody asks for metrics of the namespace, or of all if it is empty. Where that cannot be noted, the next
// question does it.
func (s *Service) want(namespace string) {
	if namespace == "" {
		namespace = metricdata.EKS
	}
	now := s.now()
	tried := s.tried.Load()
	if namespace != metricdata.EKS || now.UnixNano()-tried < tryEvery.Nanoseconds() && now.UnixNano() >= tried ||
		!s.tried.CompareAndSwap(tried, now.UnixNano()) {
		return
	}
	known := false
	s.State.View(func(tx *state.Txn) error {
		last, found := askings.Get(tx, namespace)
		known = found && now.Sub(last.At) < noteEvery
		return nil
	})
	if known {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteTime)
	defer cancel()
	_ = s.State.Update(ctx, func(tx *state.Txn) error {
		Want(tx, namespace, now)
		return nil
	})
}

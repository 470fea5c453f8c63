package ec2

import (
	"time"

	"tripod/awsapi/events"
	"tripod/region"
	"tripod/state"
)

// Event is what EC2 tells EventBridge of an instance.
type Event struct {
	InstanceID string
	// Type is the event's detail-type, such as EC2 Instance State-change Notification.
	Type string
	// Detail are the members of its detail.
	Detail map[string]string
	// At is when it happened, as the record has it.
	At time.Time
}

// The types of events.
const (
	StateChange      = "EC2 Instance State-change Notification"
	SpotInterruption = "EC2 Spot Instance Interruption Warning"
	RebalanceAdvice  = "EC2 Instance Rebalance Recommendation"
)

// EventOf is the event as EventBridge has it, but for the account and the region.
func (s *Service) EventOf(e Event) events.Event {
	return events.Event{Source: "aws.ec2", DetailType: e.Type, Time: e.At, Resources: []string{s.arn("instance", e.InstanceID)},
		Detail: e.Detail}
}

// emit tells of an event in the transaction that makes it true, if somebody listens.
func (s *Service) emit(tx *state.Txn, e Event) {
	if s.Events != nil {
		s.Events(tx, e)
	}
}

// emitState tells of an instance's new state.
func (s *Service) emitState(tx *state.Txn, v region.Instance) {
	s.emit(tx, Event{v.ID, StateChange, map[string]string{"instance-id": v.ID, "state": string(v.State)}, v.Since})
}

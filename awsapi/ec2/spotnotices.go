package ec2

import (
	"cmp"
	"time"

	"tripod/region"
	"tripod/state"
)

// noticeTime is how long before the end EC2 tells a spot instance of its interruption.
const noticeTime = 2 * time.Minute

// Interrupt tells a running spot instance that EC2 takes it back in two minutes, and so stands on its record; who has
// been told stays so. The zone's agent does it then. An empty action is the one that the instance was requested with. The
// error is EC2's.
func (s *Service) Interrupt(tx *state.Txn, id, action string, now time.Time) (region.Instance, error) {
	v, err := s.runningSpot(tx, id)
	if err != nil || v.Spot != nil {
		return v, err
	}
	action = cmp.Or(action, s.detailsOf(tx, id).SpotAction, "terminate")
	v = region.InterruptInstance(tx, id, region.SpotInterruption{Action: action, At: now.Add(noticeTime)})
	s.emit(tx, Event{id, SpotInterruption, map[string]string{"instance-id": id, "instance-action": action}, now})
	return v, nil
}

// AdviseRebalance tells a running spot instance that it is likelier than before to be taken back.
func (s *Service) AdviseRebalance(tx *state.Txn, id string, now time.Time) (region.Instance, error) {
	v, err := s.runningSpot(tx, id)
	if err != nil {
		return v, err
	}
	v = region.AdviseRebalance(tx, id, now)
	s.emit(tx, Event{id, RebalanceAdvice, map[string]string{"instance-id": id}, now})
	return v, nil
}

// Reclaim does what a spot instance was told, at its time: it is terminated or stopped. One that was told nothing, or
// whose time has not come, stays as it is.
func (s *Service) Reclaim(tx *state.Txn, id string, now time.Time) error {
	v, found := region.Instances.Get(tx, id)
	if !found || v.Spot == nil || now.Before(v.Spot.At) || v.State != region.InstanceRunning {
		return nil
	}
	if v.Spot.Action == "terminate" {
		return s.terminate(tx, id, region.SpotTermination, now)
	}
	return s.Stop(tx, id, region.SpotStop, now)
}

func (s *Service) runningSpot(tx *state.Txn, id string) (region.Instance, error) {
	v, err := s.instanceRecord(tx, id)
	switch {
	case err != nil:
		return v, err
	case !v.Launch.Spot:
		return v, refuse("InvalidParameterValue", "The instance '%s' is not a Spot Instance.", id)
	case v.State != region.InstanceRunning:
		return v, refuse("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be interrupted.", id)
	}
	return v, nil
}

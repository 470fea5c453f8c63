package ec2

import (
	"time"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// stateChange says what a call made of an instance's state.
type stateChange struct {
	InstanceID string        `xml:"instanceId"`
	Current    instanceState `xml:"currentState"`
	Previous   instanceState `xml:"previousState"`
}

type stateChangesOutput struct {
	Changes list[stateChange] `xml:"instancesSet"`
}

type startInstancesInput struct {
	IDs []string `ec2:"InstanceId"`
	// Info is of no meaning: EC2 keeps it for itself.
	Info string `ec2:"AdditionalInfo"`
}

type stopInstancesInput struct {
	IDs       []string `ec2:"InstanceId"`
	Hibernate bool     `ec2:"Hibernate"`
	Force     bool     `ec2:"Force"` // nothing here keeps an instance from stopping
	Skip      bool     `ec2:"SkipOsShutdown"`
}

type terminateInstancesInput struct {
	IDs   []string `ec2:"InstanceId"`
	Force bool     `ec2:"Force"`
	Skip  bool     `ec2:"SkipOsShutdown"`
}

type instancesInput struct {
	IDs []string `ec2:"InstanceId"`
}

// changeInstances does one thing to all instances that a call names, or to none.
func (s *Service) changeInstances(call *operation.Call, ids []string,
	do func(tx *state.Txn, v region.Instance, d instanceDetails) error) (*stateChangesOutput, error) {
	if len(ids) == 0 {
		return nil, refuse("InvalidParameterCombination", "No instances specified")
	}
	out := &stateChangesOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Changes = nil
		for _, id := range ids {
			before, after, err := s.asked(tx, id, do)
			if err != nil {
				return err
			}
			out.Changes = append(out.Changes, stateChange{id, stateOf(after.State), stateOf(before.State)})
		}
		return nil
	})
}

// cannot is EC2's refusal of what an instance's state does not allow.
func cannot(v region.Instance, what string) error {
	return refuse("IncorrectInstanceState", "The instance '%s' is not in a state from which it can be %s.", v.ID, what)
}

func (s *Service) startInstances(call *operation.Call, in *startInstancesInput) (*stateChangesOutput, error) {
	return s.changeInstances(call, in.IDs, s.startOne)
}

func (s *Service) startOne(tx *state.Txn, v region.Instance, d instanceDetails) error {
	switch {
	case v.State == region.InstanceRunning || v.State == region.InstancePending:
		return nil
	case v.State != region.InstanceStopped:
		return cannot(v, "started")
	case v.Launch.Spot && !d.SpotPersistent:
		return refuse("UnsupportedOperation", "You can't start the Spot Instance '%s' because the associated Spot Instance "+
			"request is not a persistent request.", v.ID)
	case d.NoENA && needsENA(v.Launch.Type):
		return refuse("InvalidParameterCombination", "Enhanced networking with the Elastic Network Adapter (ENA) is required for "+
			"the '%s' instance type. Ensure that your instance is enabled for ENA.", v.Launch.Type)
	}
	if s.room(tx, v.Zone, v.Launch.Type) < 1 {
		_, err := s.launchable(tx, launchPlan{instance: v}, 1, 1)
		return err
	}
	if err := s.giveBackPublic(tx, &v); err != nil {
		return err
	}
	_, err := region.StartInstance(tx, v.ID, s.now())
	return err
}

// giveBackPublic gives a stopped instance a new public address where its subnet gives those.
func (s *Service) giveBackPublic(tx *state.Txn, v *region.Instance) error {
	home, err := subnets.get(s, tx, v.SubnetID)
	if err != nil || !home.MapPublicIP || v.Address == "" {
		return nil //nolint:nilerr // a subnet that is gone gives nothing
	}
	region.GivePublicIP(tx, v.ID, s.freePublicIP(tx))
	return nil
}

func (s *Service) stopInstances(call *operation.Call, in *stopInstancesInput) (*stateChangesOutput, error) {
	return s.changeInstances(call, in.IDs, func(tx *state.Txn, v region.Instance, d instanceDetails) error {
		if err := mayStop(v, d); err != nil {
			return err
		}
		if in.Hibernate && !d.Hibernation && v.State.MayBecome(region.InstanceStopping) {
			return refuse("UnsupportedHibernationConfiguration", "Hibernation is not configured for the instance '%s'.", v.ID)
		}
		return s.stopOne(tx, v, d)
	})
}

func mayStop(v region.Instance, d instanceDetails) error {
	switch {
	case v.State == region.InstanceStopped || v.State == region.InstanceStopping:
		return nil
	case !v.State.MayBecome(region.InstanceStopping):
		return cannot(v, "stopped")
	case d.NoStop:
		return refuse("OperationNotPermitted", "The instance '%s' may not be stopped. Modify its 'disableApiStop' instance "+
			"attribute and try again.", v.ID)
	case v.Launch.Spot && !d.SpotPersistent:
		return refuse("UnsupportedOperation", "You can't stop the Spot Instance '%s' because it is associated with a "+
			"one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance "+
			"requests.", v.ID)
	}
	return nil
}

// stopOne stops an instance that may be stopped, if it is not stopped already.
func (s *Service) stopOne(tx *state.Txn, v region.Instance, _ instanceDetails) error {
	if !v.State.MayBecome(region.InstanceStopping) {
		return nil
	}
	_, err := region.StopInstance(tx, v.ID, region.UserShutdown, s.now())
	return err
}

func (s *Service) terminateInstances(call *operation.Call, in *terminateInstancesInput) (*stateChangesOutput, error) {
	return s.changeInstances(call, in.IDs, s.terminateOne)
}

func mayTerminate(v region.Instance, d instanceDetails) error {
	if d.NoTermination && v.State.Alive() {
		return refuse("OperationNotPermitted", "The instance '%s' may not be terminated. Modify its 'disableApiTermination' "+
			"instance attribute and try again.", v.ID)
	}
	return nil
}

func (s *Service) terminateOne(tx *state.Txn, v region.Instance, d instanceDetails) error {
	if err := mayTerminate(v, d); err != nil {
		return err
	}
	_, err := region.TerminateInstance(tx, v.ID, region.UserShutdown, s.now())
	return err
}

// StopAsked does to instances what StopInstances does for one who may, StartAsked what StartInstances, TerminateAsked what
// TerminateInstances: with EC2's own refusals, such as that of disableApiStop or that of a zone without room, at which none of them
// is changed.
func (s *Service) StopAsked(tx *state.Txn, ids []string) error {
	return s.allAsked(tx, ids, mayStop, s.stopOne)
}

// StartAsked is described with StopAsked.
func (s *Service) StartAsked(tx *state.Txn, id string) error {
	_, _, err := s.asked(tx, id, s.startOne)
	return err
}

// TerminateAsked is described with StopAsked.
func (s *Service) TerminateAsked(tx *state.Txn, ids []string) error {
	return s.allAsked(tx, ids, mayTerminate, s.terminateOne)
}

func (s *Service) allAsked(tx *state.Txn, ids []string, may func(region.Instance, instanceDetails) error,
	do func(*state.Txn, region.Instance, instanceDetails) error) error {
	for _, id := range ids {
		v, err := s.instanceRecord(tx, id)
		if err == nil {
			err = may(v, s.detailsOf(tx, id))
		}
		if err != nil {
			return err
		}
	}
	for _, id := range ids {
		if _, _, err := s.asked(tx, id, do); err != nil {
			return err
		}
	}
	return nil
}

// asked does one thing to an instance, and says what that was before it and is after it.
func (s *Service) asked(tx *state.Txn, id string,
	do func(*state.Txn, region.Instance, instanceDetails) error) (before, after region.Instance, err error) {
	if before, err = s.instanceRecord(tx, id); err != nil {
		return before, after, err
	}
	if err := do(tx, before, s.detailsOf(tx, id)); err != nil {
		return before, after, err
	}
	if after, _ = region.Instances.Get(tx, id); after.State != before.State {
		s.emitState(tx, after)
	}
	return before, after, nil
}

// rebootInstances asks instances to boot anew: the zone's agent sees that the time of their boot is not known any more.
func (s *Service) rebootInstances(call *operation.Call, in *instancesInput) (*done, error) {
	_, err := s.changeInstances(call, in.IDs, func(tx *state.Txn, v region.Instance, _ instanceDetails) error {
		if v.State != region.InstanceRunning {
			return cannot(v, "rebooted")
		}
		region.RebootInstance(tx, v.ID, s.now())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &done{true}, nil
}

type monitoringOf struct {
	InstanceID string             `xml:"instanceId"`
	Monitoring instanceMonitoring `xml:"monitoring"`
}

type monitorOutput struct {
	Instances list[monitoringOf] `xml:"instancesSet"`
}

func (s *Service) monitorInstances(call *operation.Call, in *instancesInput) (*monitorOutput, error) {
	return s.monitor(call, in.IDs, true)
}

func (s *Service) unmonitorInstances(call *operation.Call, in *instancesInput) (*monitorOutput, error) {
	return s.monitor(call, in.IDs, false)
}

// monitor switches detailed monitoring: it is kept, and nothing measures.
func (s *Service) monitor(call *operation.Call, ids []string, on bool) (*monitorOutput, error) {
	out := &monitorOutput{}
	_, err := s.changeInstances(call, ids, func(tx *state.Txn, v region.Instance, d instanceDetails) error {
		d.Monitored = on
		s.keepDetails(tx, v.ID, d)
		return nil
	})
	if err != nil {
		return nil, err
	}
	shown := map[bool]string{true: "pending", false: "disabling"}[on]
	for _, id := range ids {
		out.Instances = append(out.Instances, monitoringOf{id, instanceMonitoring{shown}})
	}
	return out, nil
}

type consoleOutputInput struct {
	ID     string `ec2:"InstanceId,required"`
	Latest bool   `ec2:"Latest"`
}

type consoleOutput struct {
	InstanceID string `xml:"instanceId"`
	Timestamp  string `xml:"timestamp"`
	Output     string `xml:"output"` // base64
}

// consoleOutput is what an instance's boot said.
func (s *Service) consoleOutput(call *operation.Call, in *consoleOutputInput) (*consoleOutput, error) {
	out := &consoleOutput{InstanceID: in.ID}
	err := s.State.View(func(tx *state.Txn) error {
		v, err := s.instanceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		at := v.Since
		for _, later := range []time.Time{v.Boot.At, v.Boot.Joined, v.Boot.TroubledAt} {
			if later.After(at) {
				at = later
			}
		}
		out.Timestamp, out.Output = timestamp(at), renderConsole(v)
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return out, nil
}

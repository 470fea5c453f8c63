package elb

import (
	"slices"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// registeredIn are a classic load balancer's instances that it does not drain.
func registeredIn(tx *state.Txn, b region.LoadBalancer, now time.Time) []region.Target {
	return slices.DeleteFunc(region.LiveTargets(tx, region.ClassicGroup(b.Name), now), region.Target.IsDraining)
}

type instancesInput struct {
	classicNamed
	Instances []instanceName
}

type instancesOutput struct{ Instances wire.QueryList[instanceName] }

func noInstance(id string) error {
	return refuse("InvalidInstance", "Could not find EC2 instance %s.", wire.Clip(id))
}

func (s *Service) registerInstances(call *operation.Call, in *instancesInput) (*instancesOutput, error) {
	now := s.now()
	return change(s, call, func(tx *state.Txn, out *instancesOutput) error {
		b, err := classicBalancer(tx, in.LoadBalancerName)
		if err != nil {
			return err
		}
		for _, given := range in.Instances {
			v, found := region.Instances.Get(tx, orNobody(given.InstanceID))
			switch {
			case !found || v.State == region.InstanceTerminated:
				return noInstance(given.InstanceID)
			case v.VPCID != b.VPC:
				return refuse("InvalidInstance", "EC2 instance %s is not in the same VPC as the load balancer.", v.ID)
			}
			region.RegisterTarget(tx, region.Target{Group: region.ClassicGroup(b.Name), ID: v.ID, Zone: v.Zone}, now)
		}
		region.ForgetDrained(tx, region.ClassicGroup(b.Name), now)
		if len(region.TargetsOf(tx, region.ClassicGroup(b.Name))) > maxTargets {
			return refuse("TooManyTargets", "The quota for the number of registered instances has been reached: %d", maxTargets)
		}
		for _, t := range registeredIn(tx, b, now) {
			out.Instances = append(out.Instances, instanceName{t.ID})
		}
		return nil
	})
}

func (s *Service) deregisterInstances(call *operation.Call, in *instancesInput) (*instancesOutput, error) {
	now := s.now()
	return change(s, call, func(tx *state.Txn, out *instancesOutput) error {
		b, err := classicBalancer(tx, in.LoadBalancerName)
		if err != nil {
			return err
		}
		group := region.ClassicGroup(b.Name)
		region.ForgetDrained(tx, group, now)
		for _, given := range in.Instances {
			if region.DeregisterTarget(tx, region.TargetKey(group, given.InstanceID, 0), b.DrainDelay(), now) {
				continue
			}
			if _, known := region.Instances.Get(tx, orNobody(given.InstanceID)); !known {
				return noInstance(given.InstanceID)
			}
		}
		for _, t := range registeredIn(tx, b, now) {
			out.Instances = append(out.Instances, instanceName{t.ID})
		}
		return nil
	})
}

type instanceState struct {
	InstanceID  string `xml:"InstanceId" json:"InstanceId"`
	State       string
	ReasonCode  string
	Description string
}

type instanceHealthOutput struct{ InstanceStates wire.QueryList[instanceState] }

func (s *Service) describeInstanceHealth(call *operation.Call, in *instancesInput) (*instanceHealthOutput, error) {
	now := s.now()
	return view(s, call, func(tx *state.Txn, out *instanceHealthOutput) error {
		b, err := classicBalancer(tx, in.LoadBalancerName)
		if err != nil {
			return err
		}
		use := region.TargetUse{InUse: true, Zones: b.ZoneNames()}
		show := func(t region.Target) {
			out.InstanceStates = append(out.InstanceStates, showInstance(t, targetVerdict(tx, t, use), stoppedState(tx, t.ID)))
		}
		if len(in.Instances) == 0 {
			for _, t := range region.LiveTargets(tx, region.ClassicGroup(b.Name), now) {
				show(t)
			}
			return nil
		}
		for _, given := range in.Instances {
			t, found := region.Targets.Get(tx, region.TargetKey(region.ClassicGroup(b.Name), given.InstanceID, 0))
			_, known := region.Instances.Get(tx, orNobody(given.InstanceID))
			switch {
			case found && !t.IsGone(now):
				show(t)
			case known:
				out.InstanceStates = append(out.InstanceStates, instanceState{given.InstanceID, "OutOfService", "Instance",
					"Instance is not currently registered with the LoadBalancer."})
			default:
				return noInstance(given.InstanceID)
			}
		}
		return nil
	})
}

// showInstance is a verdict in the words of the classic API.
func showInstance(t region.Target, v region.TargetVerdict, stopped string) instanceState {
	out := func(reason, description string) instanceState {
		return instanceState{t.ID, "OutOfService", reason, description}
	}
	switch {
	case v.State == region.TargetHealthy:
		return instanceState{t.ID, "InService", "N/A", "N/A"}
	case v.State == region.TargetDraining:
		return instanceState{t.ID, "InService", "N/A", "Instance deregistration currently in progress."}
	case v.Reason == region.ReasonInvalidState:
		return out("Instance", "Instance is in "+stopped+" state.")
	case v.Reason == region.ReasonNotInUse:
		return out("ELB", "Instance is in an Availability Zone for which the Load Balancer is not configured to route traffic to.")
	case v.State == region.TargetUnhealthy || v.State == region.TargetUnhealthyDraining:
		return out("Instance", "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.")
	case v.State == region.TargetUnavailable:
		return instanceState{t.ID, "Unknown", "ELB", "A transient error occurred. Please try again later."}
	}
	return out("ELB", "Instance registration is still in progress.")
}

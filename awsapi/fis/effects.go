package fis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/api"
	"tripod/awsapi/wire"
	"tripod/region"
)

// noticeTime is how long before its interruption a spot instance is told of it.
const noticeTime = 2 * time.Minute

// errorWords are api.RecordFaults' words for the errors that actions inject, by the actions' ids.
var errorWords = map[string]string{
	"aws:fis:inject-api-internal-error": api.FaultInternal, "aws:fis:inject-api-throttle-error": api.FaultThrottle,
	"aws:fis:inject-api-unavailable-error": api.FaultUnavailable,
}

// beginErrors puts faults of calls in force: of each operation, for each role.
func (s *Service) beginErrors(r *run) error {
	word, share := errorWords[aws.ToString(r.action.ActionId)], 100
	if given := r.action.Parameters["percentage"]; given != "" {
		share, _ = strconv.Atoi(given)
	}
	names := operationsOf(r.action.Parameters["operations"])
	if n := len(names) * len(r.targets); n > mostFaults {
		return &failure{"QuotaExceededFailure", fmt.Sprintf("%d operations for %d roles are %d faults, and the limit is %d.", len(names),
			len(r.targets), n, mostFaults)}
	}
	for _, t := range r.targets {
		role := t.TargetInformation[aboutARN]
		for _, name := range names {
			fault := region.Fault{Target: api.KindAWS + "/" + r.action.Parameters["service"] + ":" + name,
				Of:    strings.Join([]string{word, role, *r.experiment.Id, r.name}, " "),
				Fault: fmt.Sprintf("%s, %d%% of %s", word, share, role[strings.LastIndexByte(role, ':')+1:]), Since: r.now,
				Until: r.effect.Until, Calls: &region.CallFault{Error: word, Percentage: share, Principal: role}}
			region.Faults.Put(r.tx, fault.Key(), fault)
			r.effect.Faults = append(r.effect.Faults, fault.Key())
		}
	}
	return nil
}

// endErrors takes back what beginErrors did. A fault that somebody has taken back meanwhile is gone.
func (s *Service) endErrors(r *run) (bool, error) {
	for _, key := range r.effect.Faults {
		region.Faults.Delete(r.tx, key)
	}
	return true, nil
}

// ids are those of the instances, or subnets, that the targets are.
func (r *run) ids() (ids []string) {
	for _, t := range r.targets {
		arn := t.TargetInformation[aboutARN]
		ids = append(ids, arn[strings.LastIndexByte(arn, '/')+1:])
	}
	return ids
}

// fromEC2 is an error of EC2's as an experiment's failure.
func fromEC2(err error) error {
	var refused *wire.Error
	if errors.As(err, &refused) {
		return &failure{"DependentServiceFailure", refused.Code + ": " + refused.Message}
	}
	return err
}

func (s *Service) reboot(r *run) error {
	for _, id := range r.ids() {
		if v, _ := region.Instances.Get(r.tx, id); v.State == region.InstanceRunning {
			region.RebootInstance(r.tx, id, r.now)
		}
	}
	return nil
}

func (s *Service) terminate(r *run) error {
	return fromEC2(s.Network.TerminateAsked(r.tx, r.ids()))
}

// stopInstances stops those that run. They are started when the action's time is over, or the experiment is stopped.
func (s *Service) stopInstances(r *run) error {
	ids := slices.DeleteFunc(r.ids(), func(id string) bool {
		v, _ := region.Instances.Get(r.tx, id)
		return !v.State.MayBecome(region.InstanceStopping)
	})
	if err := s.Network.StopAsked(r.tx, ids); err != nil {
		return fromEC2(err)
	}
	if d, timed := duration(r.action.Parameters["startInstancesAfterDuration"]); timed {
		r.effect.Until, r.effect.Instances = r.now.Add(d), ids
	}
	return nil
}

// startInstances starts the instances again that the action has stopped, once they have stopped.
func (s *Service) startInstances(r *run) (bool, error) {
	ended, first := true, error(nil)
	for _, id := range r.effect.Instances { // one that cannot be started holds up no other
		var err error
		switch v, _ := region.Instances.Get(r.tx, id); v.State {
		case region.InstanceStopping:
			ended = false
		case region.InstanceStopped:
			err = fromEC2(s.Network.StartAsked(r.tx, id))
		case region.InstanceRunning, region.InstancePending:
		default:
			if r.action.Parameters["completeIfInstancesTerminated"] != "true" {
				err = &failure{"DependentServiceFailure", "The instance " + id + " was terminated and cannot be started."}
			}
		}
		if first == nil {
			first = err
		}
	}
	if !ended {
		return false, nil // what is wrong is told when all have been seen
	}
	return true, first
}

// beginInterruption recommends to replace the spot instances, and tells them of their end two minutes before it.
func (s *Service) beginInterruption(r *run) error {
	before, _ := duration(r.action.Parameters["durationBeforeInterruption"])
	r.effect.Until, r.effect.NoticeAt = r.now.Add(before), r.now.Add(before-noticeTime)
	for _, id := range r.ids() {
		if _, err := s.Network.AdviseRebalance(r.tx, id, r.now); err != nil {
			return fromEC2(err)
		}
		r.effect.Instances = append(r.effect.Instances, id)
	}
	return s.interrupt(r)
}

func (s *Service) interrupt(r *run) error {
	if r.now.Before(r.effect.NoticeAt) {
		return nil
	}
	for _, id := range r.effect.Instances {
		if v, _ := region.Instances.Get(r.tx, id); v.State != region.InstanceRunning {
			continue // somebody has ended it
		}
		if _, err := s.Network.Interrupt(r.tx, id, "", r.now); err != nil {
			return fromEC2(err)
		}
	}
	return nil
}

// terminateNodes terminates a share of each node group's instances, rounded up as FIS does: of one, it is that one.
func (s *Service) terminateNodes(r *run) error {
	share, _ := strconv.Atoi(r.action.Parameters["instanceTerminationPercentage"])
	principal, err := s.principal(r.tx, r.experiment)
	if err != nil {
		return err
	}
	for _, t := range r.targets {
		for _, g := range region.Nodegroups.List(r.tx) {
			if aws.ToString(g.NodegroupArn) != t.TargetInformation[aboutARN] || g.Resources == nil {
				continue
			}
			var ids []string
			for _, group := range g.Resources.AutoScalingGroups {
				for _, v := range region.InstancesByGroup.Of(aws.ToString(group.Name)).List(r.tx) {
					if v.State == region.InstanceRunning || v.State == region.InstancePending {
						ids = append(ids, v.ID)
					}
				}
			}
			slices.Sort(ids)
			ids = ids[:(len(ids)*share+99)/100]
			for _, id := range ids { // which they are is known only now
				if err := s.mayDo(principal, "ec2:TerminateInstances", s.instanceAsked(r.tx, id)); err != nil {
					return err
				}
			}
			if err := s.Network.TerminateAsked(r.tx, ids); err != nil {
				return fromEC2(err)
			}
		}
	}
	return nil
}

// beginShift moves the traffic of the resources away from a zone. It fails where a shift goes on that does not end for it.
func (s *Service) beginShift(r *run) error {
	zone := s.zoneOf(r.action.Parameters["availabilityZoneIdentifier"])
	kinds := operationsOf(r.action.Parameters["managedResourceTypes"])
	wanted := cmp.Or(r.action.Parameters["zonalAutoshiftStatus"], "ENABLED")
	status := map[string]string{}
	for _, one := range s.Shiftable(r.tx) {
		status[one.ID] = one.AutoshiftStatus
	}
	for _, t := range r.targets {
		about := t.TargetInformation
		if !slices.Contains(kinds, about[aboutType]) || wanted != "ANY" && status[about[aboutID]] != wanted {
			continue
		}
		shift := region.ZonalShift{ID: wire.NewRequestID(), ClusterID: about[aboutID], Zone: zone, StartedAt: r.now,
			ExpiresAt: r.effect.Until, Experiment: *r.experiment.Id,
			Comment: "AWS FIS experiment " + *r.experiment.Id}
		if other, stays := region.Supersede(r.tx, shift); stays {
			return &failure{"DependentServiceFailure", fmt.Sprintf("There is already an active zonal shift for the resource %s: %s.",
				about[aboutARN], other.ID)}
		}
		region.ZonalShifts.Put(r.tx, shift.ID, shift)
		r.effect.Shifts = append(r.effect.Shifts, shift.ID)
	}
	if len(r.effect.Shifts) == 0 {
		r.note = fmt.Sprintf("Action is running: none of its targets is of the types %s with the zonalAutoshiftStatus %s.",
			strings.Join(kinds, ", "), wanted)
	}
	return nil
}

// keepShift fails the action when somebody has ended one of its shifts, as a person's own shift does.
func (s *Service) keepShift(r *run) error {
	for _, id := range r.effect.Shifts {
		if shift, found := region.ZonalShifts.Get(r.tx, id); !found || shift.CanceledAt != nil {
			return &failure{"DependentServiceFailure", "The zonal shift " + id + " of the experiment was canceled."}
		}
	}
	return nil
}

func (s *Service) endShift(r *run) (bool, error) {
	for _, id := range r.effect.Shifts {
		if shift, found := region.ZonalShifts.Get(r.tx, id); found {
			region.CancelShift(r.tx, shift, r.now)
		}
	}
	return true, nil
}

// deletePods deletes the pods that the targets are.
func (s *Service) deletePods(ctx context.Context, r *run) error {
	var grace *int
	if given := r.action.Parameters["gracePeriodSeconds"]; given != "" {
		seconds, _ := strconv.Atoi(given)
		grace = &seconds
	}
	return r.eachPod(ctx, func(ctx context.Context, pod Pod, serviceAccount string) error {
		return s.Pods.Delete(ctx, pod, serviceAccount, grace)
	})
}

// eachPod does something to the pods that the targets are, by the rights of the action's service account. As many may fail as the action
// says.
func (r *run) eachPod(ctx context.Context, do func(ctx context.Context, pod Pod, serviceAccount string) error) error {
	ctx, cancel := context.WithTimeout(ctx, outsideTime) // an API server that hangs holds up no other experiment for longer
	defer cancel()
	failed, most := 0, 0
	if given := r.action.Parameters["maxErrorsPercent"]; given != "" {
		most = percentOf(len(r.targets), given)
	}
	var last error
	for _, t := range r.targets {
		err := do(ctx, podOf(t.TargetInformation), r.action.Parameters["kubernetesServiceAccount"])
		if errors.Is(err, ErrNotAllowed) {
			return &failure{"AuthorizationFailure", err.Error()}
		}
		if err != nil {
			failed, last = failed+1, err
		}
	}
	if failed > most {
		return last
	}
	return nil
}

// outsideTime bounds what an action does outside of the region's records in one step.
const outsideTime = 10 * time.Second

package ec2

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// fleet is an EC2 fleet as stored and as EC2 shows it. It launches once, when it is made: one of the type maintain does
// not replace what it loses.
type fleet struct {
	FleetID      string               `xml:"fleetId"`
	State        string               `xml:"fleetState"`
	Activity     string               `xml:"activityStatus,omitempty"`
	Created      string               `xml:"createTime"`
	Type         string               `xml:"type"`
	Token        string               `xml:"clientToken,omitempty"`
	Excess       string               `xml:"excessCapacityTerminationPolicy,omitempty"`
	Fulfilled    float64              `xml:"fulfilledCapacity"`
	FulfilledOD  float64              `xml:"fulfilledOnDemandCapacity"`
	Configs      list[fleetConfig]    `xml:"launchTemplateConfigs"`
	Target       fleetTarget          `xml:"targetCapacitySpecification"`
	Expires      bool                 `xml:"terminateInstancesWithExpiration"`
	Replaces     bool                 `xml:"replaceUnhealthyInstances"`
	From         string               `xml:"validFrom,omitempty"`
	Until        string               `xml:"validUntil,omitempty"`
	Context      string               `xml:"context,omitempty"`
	Spot         fleetSpotOptions     `xml:"spotOptions"`
	OnDemand     fleetOnDemandOptions `xml:"onDemandOptions"`
	Errors       list[fleetError]     `xml:"errorSet"`
	Instances    list[fleetInstances] `xml:"fleetInstanceSet"`
	Tags         list[tag]            `xml:"tagSet" json:"-"`
	AllInstances []fleetInstances     `xml:"-"`
}

var fleets = &kind[fleet]{
	table: state.NewTable[entry[fleet]]("ec2-fleet"), prefix: "fleet", noun: "fleet ID", code: "InvalidFleetId",
	id: func(v fleet) string { return v.FleetID },
}

// newFleetID makes an id in the form that fleets have: a UUID.
func newFleetID() string { return "fleet-" + wire.NewRequestID() }

// errTooFew undoes a fleet that is not to be below its minimum capacity.
var errTooFew = errors.New("fewer instances than the fleet's minimum capacity")

func isTooFew(err error) bool { return errors.Is(err, errTooFew) }

func tooFew(least *int, got float64) bool { return least != nil && got < float64(*least) }

// keepFleet writes a fleet's record. An instant one that has launched nothing is not kept: it can do nothing any more.
func (s *Service) keepFleet(tx *state.Txn, in *createFleetInput, out *createFleetOutput, given []tag, now time.Time) {
	if in.Type == "instant" && len(out.Instances) == 0 {
		return
	}
	v := fleet{FleetID: out.FleetID, State: "active", Created: timestamp(now), Type: in.Type, Token: in.Token, Excess: in.Excess,
		Configs: in.Configs, Target: in.Target, Expires: in.Expires, Replaces: in.Replaces, From: in.From, Until: in.Until,
		Context: in.Context, Spot: in.Spot, OnDemand: in.OnDemand, AllInstances: out.Instances}
	onDemand, spot, _ := in.Target.shares() // they were checked
	v.Target.OnDemand, v.Target.Spot = &onDemand, &spot
	if in.Type == "instant" {
		v.Errors, v.Instances = out.Errors, out.Instances
	}
	fleets.put(s, tx, v)
	tags.Put(tx, v.FleetID, given)
	for _, group := range out.Instances {
		for _, id := range group.IDs {
			d := s.detailsOf(tx, id)
			d.FleetID = v.FleetID
			s.keepDetails(tx, id, d)
		}
	}
}

// forgetFleet deletes an instant fleet's record, or that of a deleted fleet, with its last instance.
func (s *Service) forgetFleet(tx *state.Txn, fleetID string) {
	e, found := fleets.table.Get(tx, fleetID)
	if !found || e.Value.Type != "instant" && e.Value.State == "active" {
		return
	}
	for _, group := range e.Value.AllInstances {
		for _, id := range group.IDs {
			if _, there := region.Instances.Get(tx, id); there {
				return
			}
		}
	}
	fleets.table.Delete(tx, fleetID)
	tags.Delete(tx, fleetID)
}

// shownFleet is the fleet with what is not stored: its tags, and how much of it there is.
func (s *Service) shownFleet(tx *state.Txn, v fleet) fleet {
	v.Tags = s.tagsOf(tx, v.FleetID)
	for _, group := range v.AllInstances {
		weight := fleetPool{override: group.By.Overrides}.weight()
		for _, id := range group.IDs {
			if at, found := region.Instances.Get(tx, id); found && at.State.Alive() {
				v.Fulfilled += weight
				if group.Lifecycle == lifecycleOnDemand {
					v.FulfilledOD += weight
				}
			}
		}
	}
	if v.Type != "instant" && v.State == "active" {
		v.Activity = "fulfilled"
		if v.Fulfilled < float64(v.Target.Total) {
			v.Activity = "pending_fulfillment"
		}
	}
	return v
}

type describeFleetsInput struct {
	IDs        []string `ec2:"FleetId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeFleetsOutput struct {
	Fleets    list[fleet] `xml:"fleetSet"`
	NextToken string      `xml:"nextToken,omitempty"`
}

func (s *Service) describeFleets(call *operation.Call, in *describeFleetsInput) (*describeFleetsOutput, error) {
	if len(in.IDs) > 0 {
		in.Filters = append(in.Filters, filter{"fleet-id", in.IDs})
	}
	found, next, err := describe(s, call, fleets, nil, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *fleet) { *v = s.shownFleet(tx, *v) })
	if err != nil {
		return nil, err
	}
	for _, id := range in.IDs {
		if next == "" && in.NextToken == "" && !slices.ContainsFunc(found, func(v fleet) bool { return v.FleetID == id }) {
			return nil, noFleet(id)
		}
	}
	return &describeFleetsOutput{found, next}, nil
}

func noFleet(id string) error {
	return refuse("InvalidFleetId.NotFound", "The fleet ID '%s' does not exist", clip(id))
}

type describeFleetInstancesInput struct {
	FleetID    string   `ec2:"FleetId,required"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type fleetInstance struct {
	ID        string `xml:"instanceId"`
	Type      string `xml:"instanceType"`
	RequestID string `xml:"spotInstanceRequestId,omitempty"`
	Health    string `xml:"instanceHealth"`
}

type describeFleetInstancesOutput struct {
	FleetID   string              `xml:"fleetId"`
	Instances list[fleetInstance] `xml:"activeInstanceSet"`
	NextToken string              `xml:"nextToken,omitempty"`
}

func (s *Service) describeFleetInstances(call *operation.Call,
	in *describeFleetInstancesInput) (*describeFleetInstancesOutput, error) {
	out := &describeFleetInstancesOutput{FleetID: in.FleetID}
	var all []fleetInstance
	err := s.State.View(func(tx *state.Txn) error {
		e, found := fleets.table.Get(tx, in.FleetID)
		if !found {
			return noFleet(in.FleetID)
		}
		for _, group := range e.Value.AllInstances {
			for _, id := range group.IDs {
				v, found := region.Instances.Get(tx, id)
				if !found || !v.State.Alive() {
					continue
				}
				health := "healthy"
				if !v.Impaired.IsZero() {
					health = "unhealthy"
				}
				all = append(all, fleetInstance{id, v.Launch.Type, s.detailsOf(tx, id).SpotRequestID, health})
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	if all, err = matching(call.Operation, all, in.Filters, nil); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b fleetInstance) int { return cmp.Compare(a.ID, b.ID) })
	out.Instances, out.NextToken, err = cut(call.Operation, all, page{in.Filters, in.MaxResults, in.NextToken}, nil,
		func(v fleetInstance) string { return v.ID })
	return out, err
}

type deleteFleetsInput struct {
	IDs       []string `ec2:"FleetId,required"`
	Terminate *bool    `ec2:"TerminateInstances,required"`
}

type deletedFleet struct {
	Current  string `xml:"currentFleetState"`
	Previous string `xml:"previousFleetState"`
	FleetID  string `xml:"fleetId"`
}

type keptFleet struct {
	FleetID string       `xml:"fleetId"`
	Error   versionError `xml:"error"`
}

type deleteFleetsOutput struct {
	Deleted list[deletedFleet] `xml:"successfulFleetDeletionSet"`
	Kept    list[keptFleet]    `xml:"unsuccessfulFleetDeletionSet"`
}

func (s *Service) deleteFleets(call *operation.Call, in *deleteFleetsInput) (*deleteFleetsOutput, error) {
	out, now := &deleteFleetsOutput{}, s.now()
	return change(s, call, out, func(tx *state.Txn) error {
		*out = deleteFleetsOutput{}
		for _, id := range in.IDs {
			e, found := fleets.table.Get(tx, id)
			v := e.Value
			switch {
			case !found:
				out.Kept = append(out.Kept, keptFleet{id, versionError{"fleetIdDoesNotExist", "The fleet ID '" + clip(id) + "' does not exist"}})
				continue
			case v.State != "active":
				out.Kept = append(out.Kept, keptFleet{id, versionError{"fleetNotInDeletableState", "The fleet is " + v.State + "."}})
				continue
			case v.Type == "instant" && !*in.Terminate:
				return refuse("InvalidParameterValue", "An instant fleet is deleted with its instances: TerminateInstances must be true.")
			}
			answer := deletedFleet{"deleted_running", v.State, id}
			if *in.Terminate {
				answer.Current = "deleted_terminating"
				for _, group := range v.AllInstances {
					for _, instanceID := range group.IDs {
						if _, there := region.Instances.Get(tx, instanceID); !there {
							continue
						}
						if err := s.terminate(tx, instanceID, region.UserShutdown, now); err != nil {
							return err
						}
					}
				}
			}
			v.State = answer.Current
			fleets.put(s, tx, v)
			out.Deleted = append(out.Deleted, answer)
		}
		return nil
	})
}

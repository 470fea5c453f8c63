package ec2

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// fleetConfig is a launch template of a fleet, with what it says over it of each pool of instances.
type fleetConfig struct {
	Template  templateNamed       `ec2:"LaunchTemplateSpecification" xml:"launchTemplateSpecification"`
	Overrides list[fleetOverride] `ec2:"Overrides" xml:"overrides"`
}

type fleetOverride struct {
	Type     string            `ec2:"InstanceType" xml:"instanceType,omitempty"`
	MaxPrice string            `ec2:"MaxPrice" xml:"maxPrice,omitempty"`
	SubnetID string            `ec2:"SubnetId" xml:"subnetId,omitempty"`
	Zone     string            `ec2:"AvailabilityZone" xml:"availabilityZone,omitempty"`
	Weight   *float64          `ec2:"WeightedCapacity" xml:"weightedCapacity"`
	Priority *float64          `ec2:"Priority" xml:"priority"`
	ImageID  string            `ec2:"ImageId" xml:"imageId,omitempty"`
	Devices  list[blockDevice] `ec2:"BlockDeviceMapping" xml:"blockDeviceMappingSet,omitempty"`
	Place    *placement        `ec2:"Placement" xml:"placement"`
}

// fleetTarget says how much a fleet is to have.
type fleetTarget struct {
	Total    int    `ec2:"TotalTargetCapacity,required" xml:"totalTargetCapacity"`
	OnDemand *int   `ec2:"OnDemandTargetCapacity" xml:"onDemandTargetCapacity"`
	Spot     *int   `ec2:"SpotTargetCapacity" xml:"spotTargetCapacity"`
	Default  string `ec2:"DefaultTargetCapacityType" xml:"defaultTargetCapacityType,omitempty"`
	Unit     string `ec2:"TargetCapacityUnitType" xml:"targetCapacityUnitType,omitempty"`
}

// shares are how much of the target is on demand and how much is spot.
func (t fleetTarget) shares() (onDemand, spot int, err error) {
	switch {
	case t.OnDemand != nil && t.Spot != nil:
		onDemand, spot = *t.OnDemand, *t.Spot
		if rest := t.Total - onDemand - spot; t.Default == "spot" {
			spot += rest
		} else {
			onDemand += rest
		}
	case t.OnDemand != nil:
		onDemand, spot = *t.OnDemand, t.Total-*t.OnDemand
		if t.Default == "on-demand" {
			onDemand, spot = t.Total, 0
		}
	case t.Spot != nil:
		onDemand, spot = t.Total-*t.Spot, *t.Spot
		if t.Default == "spot" {
			onDemand, spot = 0, t.Total
		}
	case t.Default == "spot":
		spot = t.Total
	default:
		onDemand = t.Total
	}
	if t.Total < 0 || onDemand < 0 || spot < 0 {
		err = refuse("InvalidParameterValue", "The target capacities of a fleet must not be negative, nor more together than the "+
			"total target capacity.")
	}
	return onDemand, spot, err
}

type fleetSpotOptions struct {
	Strategy    string `ec2:"AllocationStrategy" xml:"allocationStrategy,omitempty"`
	Action      string `ec2:"InstanceInterruptionBehavior" xml:"instanceInterruptionBehavior,omitempty"`
	Pools       *int   `ec2:"InstancePoolsToUseCount" xml:"instancePoolsToUseCount"`
	OneType     bool   `ec2:"SingleInstanceType" xml:"singleInstanceType"`
	OneZone     bool   `ec2:"SingleAvailabilityZone" xml:"singleAvailabilityZone"`
	Least       *int   `ec2:"MinTargetCapacity" xml:"minTargetCapacity"`
	MaxPrice    string `ec2:"MaxTotalPrice" xml:"maxTotalPrice,omitempty"`
	Maintenance struct {
		Rebalance struct {
			Strategy string `ec2:"ReplacementStrategy" xml:"replacementStrategy,omitempty"`
			Delay    *int   `ec2:"TerminationDelay" xml:"terminationDelay"`
		} `ec2:"CapacityRebalance" xml:"capacityRebalance"`
	} `ec2:"MaintenanceStrategies" xml:"maintenanceStrategies"`
}

type fleetOnDemandOptions struct {
	Strategy     string `ec2:"AllocationStrategy" xml:"allocationStrategy,omitempty"`
	OneType      bool   `ec2:"SingleInstanceType" xml:"singleInstanceType"`
	OneZone      bool   `ec2:"SingleAvailabilityZone" xml:"singleAvailabilityZone"`
	Least        *int   `ec2:"MinTargetCapacity" xml:"minTargetCapacity"`
	MaxPrice     string `ec2:"MaxTotalPrice" xml:"maxTotalPrice,omitempty"`
	Reservations struct {
		Usage string `ec2:"UsageStrategy" xml:"usageStrategy,omitempty"`
	} `ec2:"CapacityReservationOptions" xml:"capacityReservationOptions"`
}

type createFleetInput struct {
	Configs        []fleetConfig        `ec2:"LaunchTemplateConfigs,required"`
	Target         fleetTarget          `ec2:"TargetCapacitySpecification,required"`
	Type           string               `ec2:"Type"`
	Spot           fleetSpotOptions     `ec2:"SpotOptions"`
	OnDemand       fleetOnDemandOptions `ec2:"OnDemandOptions"`
	Excess         string               `ec2:"ExcessCapacityTerminationPolicy"`
	Expires        bool                 `ec2:"TerminateInstancesWithExpiration"`
	From           string               `ec2:"ValidFrom"`
	Until          string               `ec2:"ValidUntil"`
	Replaces       bool                 `ec2:"ReplaceUnhealthyInstances"`
	Context        string               `ec2:"Context"`
	Token          string               `ec2:"ClientToken"`
	Specifications []instanceTags       `ec2:"TagSpecification"`
}

// templateAndOverrides is what some of a fleet's instances were launched with, or failed to be.
type templateAndOverrides struct {
	Template  templateNamed `xml:"launchTemplateSpecification"`
	Overrides fleetOverride `xml:"overrides"`
}

type fleetInstances struct {
	By        templateAndOverrides `xml:"launchTemplateAndOverrides"`
	Lifecycle string               `xml:"lifecycle"`
	IDs       list[string]         `xml:"instanceIds"`
	Type      string               `xml:"instanceType"`
}

type fleetError struct {
	By        templateAndOverrides `xml:"launchTemplateAndOverrides"`
	Lifecycle string               `xml:"lifecycle"`
	Code      string               `xml:"errorCode"`
	Message   string               `xml:"errorMessage"`
}

type createFleetOutput struct {
	FleetID   string               `xml:"fleetId"`
	Errors    list[fleetError]     `xml:"errorSet"`
	Instances list[fleetInstances] `xml:"fleetInstanceSet"`
}

// The lifecycles of a fleet's instances.
const lifecycleSpot, lifecycleOnDemand = "spot", "on-demand"

// check finds what EC2 refuses in a call of CreateFleet.
func (in *createFleetInput) check() error {
	in.Type, in.Spot.Strategy = cmp.Or(in.Type, "maintain"), cmp.Or(in.Spot.Strategy, "lowest-price")
	in.OnDemand.Strategy = cmp.Or(in.OnDemand.Strategy, "lowest-price")
	one := func(parameter, value string, known ...string) error {
		if slices.Contains(known, value) {
			return nil
		}
		return refuse("InvalidParameterValue", "Value (%s) for parameter %s is invalid. It must be one of %s.", clip(value), parameter,
			strings.Join(known, ", "))
	}
	if err := one("Type", in.Type, "instant", "request", "maintain"); err != nil {
		return err
	}
	if err := one("SpotOptions.AllocationStrategy", in.Spot.Strategy, "lowest-price", "lowestPrice", "diversified",
		"capacity-optimized", "capacityOptimized", "capacity-optimized-prioritized", "capacityOptimizedPrioritized",
		"price-capacity-optimized", "priceCapacityOptimized"); err != nil {
		return err
	}
	if err := one("OnDemandOptions.AllocationStrategy", in.OnDemand.Strategy, "lowest-price", "lowestPrice",
		"prioritized"); err != nil {
		return err
	}
	for _, config := range in.Configs {
		if config.Template.ID == "" && config.Template.Name == "" {
			return refuse("InvalidLaunchTemplate", "Exactly one of launchTemplateId and launchTemplateName must be specified.")
		}
		if err := config.Template.check(); err != nil {
			return err
		}
		if config.Template.Version == "" {
			return refuse("InvalidLaunchTemplate", "The launch template version must be specified.")
		}
	}
	_, _, err := in.Target.shares()
	return err
}

// fleetPool is a launch template with one override and one subnet: a pool of instances.
type fleetPool struct {
	config   fleetConfig
	override fleetOverride
	kind     string // the instance type
	zone     string
	place    int // among the pools, as they are given
}

// pools are those that a call names: each override with each of its subnets. The error is EC2's about a template.
func (s *Service) pools(tx *state.Txn, in *createFleetInput) (all []fleetPool, err error) {
	for _, config := range in.Configs {
		t, err := s.template(tx, config.Template.ID, config.Template.Name)
		if err != nil {
			return nil, err
		}
		version, err := t.version(config.Template.Version)
		if err != nil {
			return nil, err
		}
		overrides := config.Overrides
		if len(overrides) == 0 {
			overrides = list[fleetOverride]{{}}
		}
		for _, override := range overrides {
			for _, subnetID := range strings.Split(override.SubnetID, ",") {
				pool := fleetPool{config: config, override: override, place: len(all), zone: override.Zone,
					kind: cmp.Or(override.Type, version.Data.InstanceType)}
				pool.override.SubnetID = strings.TrimSpace(subnetID)
				if home, err := subnets.get(s, tx, pool.override.SubnetID); err == nil {
					pool.zone = home.Zone
				}
				all = append(all, pool)
			}
		}
	}
	return all, nil
}

// ordered are the pools in the order in which a strategy tries them.
func (s *Service) ordered(tx *state.Txn, all []fleetPool, strategy string, spot bool) []fleetPool {
	pools := make([]Pool, len(all))
	for i, p := range all {
		pools[i] = Pool{Type: p.kind, Zone: p.zone, Weight: p.weight(), Priority: math.MaxFloat64}
		if p.override.Priority != nil {
			pools[i].Priority = *p.override.Priority
		}
	}
	sorted := make([]fleetPool, 0, len(all))
	for _, i := range s.PoolOrder(tx, pools, strategy, spot) {
		sorted = append(sorted, all[i])
	}
	return sorted
}

// weight is how much of the target one instance of the pool is.
func (p fleetPool) weight() float64 {
	if p.override.Weight == nil || *p.override.Weight <= 0 {
		return 1
	}
	return *p.override.Weight
}

// fleetRun fills a fleet in one transaction.
type fleetRun struct {
	s       *Service
	tx      *state.Txn
	in      *createFleetInput
	fleetID string
	tagged  map[string][]tag
	now     time.Time
	out     *createFleetOutput
}

// fill launches as many instances as make up the target, from the pools in their order. What a pool does not have it
// says in the answer's errors. A pool of a diversified fleet gives its share only, as long as there are others.
func (r *fleetRun) fill(pools []fleetPool, target int, spot bool, diversified bool) (got float64) {
	failed := map[int]bool{}
	left := func() (n int) {
		for _, pool := range pools {
			if !failed[pool.place] {
				n++
			}
		}
		return n
	}
	for got < float64(target) && left() > 0 {
		share := math.Ceil((float64(target) - got) / float64(left()))
		for _, pool := range pools {
			want := float64(target) - got
			if want <= 0 || failed[pool.place] {
				continue
			}
			if diversified {
				want = min(want, share)
			}
			count := int(math.Ceil(want / pool.weight()))
			made, failure := r.launch(pool, count, spot)
			got += float64(made) * pool.weight()
			failed[pool.place] = failure // one with fewer than were asked for says so when it is asked again
		}
	}
	return got
}

// launch launches as many of a pool as it has, up to count, or says in the answer why it has none.
func (r *fleetRun) launch(pool fleetPool, count int, spot bool) (made int, failure bool) {
	lifecycle := lifecycleOnDemand
	if spot {
		lifecycle = lifecycleSpot
	}
	o := pool.override
	want := LaunchRequest{Template: pool.config.Template.ref(), ImageID: o.ImageID, Type: o.Type, SubnetID: o.SubnetID, Zone: o.Zone,
		Spot: spot, Count: count, Least: 1, Tags: map[string]string{"aws:ec2:fleet-id": r.fleetID}, Requester: fleetRequester,
		data: templateData{Devices: o.Devices, Placement: o.Place}, tagged: r.tagged}
	if spot && r.in.Spot.Action != "" {
		want.data.Market = &marketOptions{Type: "spot", Spot: &spotOptions{Action: r.in.Spot.Action}}
	}
	if !spot { // a fleet decides, whatever the template says
		want.data.Market = &marketOptions{}
	}
	by := templateAndOverrides{r.named(pool.config.Template), pool.shown()}
	instances, err := r.s.Launch(r.tx, want, r.now)
	if err != nil {
		refusal, told := err.(*wire.Error)
		if !told {
			refusal = refuse("InternalError", "%v", err)
		}
		r.out.Errors = append(r.out.Errors, fleetError{by, lifecycle, refusal.Code, refusal.Message})
		return 0, true
	}
	r.out.Instances = append(r.out.Instances,
		fleetInstances{by, lifecycle, instanceIDs(instances), instances[0].Launch.Type})
	return len(instances), false
}

// named is a template as a fleet's answer names it: by its id, with the version as it was given.
func (r *fleetRun) named(given templateNamed) templateNamed {
	if t, err := r.s.template(r.tx, given.ID, given.Name); err == nil {
		given.ID, given.Name = t.TemplateID, ""
	}
	return given
}

// shown is the pool's override with the zone in which it is.
func (p fleetPool) shown() fleetOverride {
	o := p.override
	o.Type, o.Zone = cmp.Or(o.Type, p.kind), cmp.Or(o.Zone, p.zone)
	return o
}

// fleetRequester is who launches a fleet's instances.
const fleetRequester = "ec2fleet.amazonaws.com"

func (s *Service) createFleet(call *operation.Call, in *createFleetInput) (*createFleetOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	tagged, fleetTags, err := in.tags()
	if err != nil {
		return nil, err
	}
	onDemand, spot, err := in.Target.shares()
	if err != nil {
		return nil, err
	}
	out, now := &createFleetOutput{FleetID: newFleetID()}, s.now()
	result, err := change(s, call, out, func(tx *state.Txn) error {
		*out = createFleetOutput{FleetID: out.FleetID}
		r := &fleetRun{s, tx, in, out.FleetID, tagged, now, out}
		pools, err := s.pools(tx, in)
		if err != nil {
			return err
		}
		gotOnDemand := r.fill(s.ordered(tx, pools, in.OnDemand.Strategy, false), onDemand, false, false)
		gotSpot := r.fill(s.ordered(tx, pools, in.Spot.Strategy, true), spot, true, in.Spot.Strategy == "diversified")
		if tooFew(in.OnDemand.Least, gotOnDemand) || tooFew(in.Spot.Least, gotSpot) {
			return errTooFew
		}
		s.keepFleet(tx, in, out, fleetTags, now)
		return nil
	})
	if isTooFew(err) { // nothing is launched, and the answer says what was missing
		out.Instances = nil
		return out, nil
	}
	if err == nil && in.Type != "instant" { // the others launch later, as far as the answer tells
		return &createFleetOutput{FleetID: out.FleetID}, nil
	}
	return result, err
}

// tags are those of the instances and their parts, and those of the fleet.
func (in *createFleetInput) tags() (tagged map[string][]tag, fleet []tag, err error) {
	var launch []instanceTags
	for _, specification := range in.Specifications {
		if specification.ResourceType != "fleet" {
			launch = append(launch, specification)
			continue
		}
		if fleet, err = mergeTags(fleet, specification.Tags, false); err != nil {
			return nil, nil, err
		}
	}
	if tagged, err = tagsGiven(launch); err != nil {
		return nil, nil, err
	}
	if in.Type != "instant" { // EC2 takes instances' tags from the template alone then
		tagged = nil
	}
	return tagged, fleet, nil
}

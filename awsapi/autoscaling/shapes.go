package autoscaling

import (
	"encoding/json"
	"slices"
	"strconv"

	"tripod/awsapi/wire"
	"tripod/region"
)

// The shapes that calls give and answers show alike. A pointer that is nil, and a list that is empty, is left out.

type templateSpec struct {
	ID      string `query:"LaunchTemplateId" xml:"LaunchTemplateId,omitempty" json:"LaunchTemplateId,omitempty"`
	Name    string `query:"LaunchTemplateName" xml:"LaunchTemplateName,omitempty" json:"LaunchTemplateName,omitempty"`
	Version string `xml:",omitempty" json:",omitempty"`
}

func (t *templateSpec) ref() *region.TemplateRef {
	if t == nil {
		return nil
	}
	return &region.TemplateRef{ID: t.ID, Name: t.Name, Version: t.Version}
}

func shownTemplate(t *region.TemplateRef) *templateSpec {
	if t == nil {
		return nil
	}
	return &templateSpec{t.ID, t.Name, t.Version}
}

type overrideSpec struct {
	InstanceType     string                `xml:",omitempty" json:",omitempty"`
	WeightedCapacity string                `xml:",omitempty" json:",omitempty"`
	Template         *templateSpec         `query:"LaunchTemplateSpecification" xml:"LaunchTemplateSpecification" json:"LaunchTemplateSpecification,omitempty"`
	Requirements     *instanceRequirements `query:"InstanceRequirements" xml:"InstanceRequirements" json:"InstanceRequirements,omitempty"`
	ImageID          string                `query:"ImageId" xml:"ImageId,omitempty" json:"ImageId,omitempty"`
}

type mixedTemplate struct {
	Specification *templateSpec                `query:"LaunchTemplateSpecification" xml:"LaunchTemplateSpecification" json:"LaunchTemplateSpecification,omitempty"`
	Overrides     wire.QueryList[overrideSpec] `xml:"Overrides" json:",omitempty"`
}

type distribution struct {
	OnDemandStrategy   string  `query:"OnDemandAllocationStrategy" xml:"OnDemandAllocationStrategy,omitempty" json:"OnDemandAllocationStrategy,omitempty"`
	OnDemandBase       *int    `query:"OnDemandBaseCapacity" xml:"OnDemandBaseCapacity" json:"OnDemandBaseCapacity,omitempty"`
	OnDemandPercentage *int    `query:"OnDemandPercentageAboveBaseCapacity" xml:"OnDemandPercentageAboveBaseCapacity" json:"OnDemandPercentageAboveBaseCapacity,omitempty"`
	SpotStrategy       string  `query:"SpotAllocationStrategy" xml:"SpotAllocationStrategy,omitempty" json:"SpotAllocationStrategy,omitempty"`
	SpotInstancePools  *int    `json:",omitempty"`
	SpotMaxPrice       *string `json:",omitempty"`
}

type mixedPolicy struct {
	LaunchTemplate *mixedTemplate `json:",omitempty"`
	Distribution   *distribution  `query:"InstancesDistribution" xml:"InstancesDistribution" json:"InstancesDistribution,omitempty"`
}

// record is the policy as it is stored, over that which the group has (nil: none): what is not given stays.
func (p *mixedPolicy) record(was *region.MixedInstances) (*region.MixedInstances, error) {
	m := region.MixedInstances{OnDemandStrategy: prioritized, OnDemandPercentage: 100, SpotStrategy: lowestPrice}
	if p.hasRequirements() {
		m.OnDemandStrategy = lowestPrice
	}
	if was != nil {
		m = *was
	}
	if d := p.Distribution; d != nil {
		if d.OnDemandStrategy != "" {
			m.OnDemandStrategy = d.OnDemandStrategy
		}
		if d.SpotStrategy != "" {
			m.SpotStrategy = d.SpotStrategy
		}
		take(&m.OnDemandBase, d.OnDemandBase)
		take(&m.OnDemandPercentage, d.OnDemandPercentage)
		take(&m.SpotPools, d.SpotInstancePools)
		take(&m.SpotMaxPrice, d.SpotMaxPrice)
	}
	if p.LaunchTemplate == nil {
		return &m, nil
	}
	if spec := p.LaunchTemplate.Specification; spec != nil {
		m.Template = *spec.ref()
	}
	if len(p.LaunchTemplate.Overrides) == 0 {
		return &m, nil
	}
	m.Overrides = nil
	for _, o := range p.LaunchTemplate.Overrides {
		made, err := o.record()
		if err != nil {
			return nil, err
		}
		m.Overrides = append(m.Overrides, made)
	}
	return &m, nil
}

// hasRequirements says whether types are chosen by what they have: these have no priorities.
func (p *mixedPolicy) hasRequirements() bool {
	return p.LaunchTemplate != nil && slices.ContainsFunc(p.LaunchTemplate.Overrides,
		func(o overrideSpec) bool { return o.Requirements != nil })
}

func (o overrideSpec) record() (made region.InstanceOverride, err error) {
	made = region.InstanceOverride{Type: o.InstanceType, Template: o.Template.ref(), ImageID: o.ImageID}
	if o.WeightedCapacity != "" {
		if made.Weight, err = strconv.Atoi(o.WeightedCapacity); err != nil || made.Weight < 1 || made.Weight > 999 {
			return made, invalid("WeightedCapacity must be a number between 1 and 999.")
		}
	}
	if o.Requirements != nil {
		made.Requirements, err = json.Marshal(o.Requirements)
	}
	return made, err
}

// take puts a value where one is given.
func take[T any](into *T, given *T) {
	if given != nil {
		*into = *given
	}
}

func shownMixed(m *region.MixedInstances) *mixedPolicy {
	if m == nil {
		return nil
	}
	p := &mixedPolicy{&mixedTemplate{Specification: shownTemplate(&m.Template)}, &distribution{
		OnDemandStrategy: m.OnDemandStrategy, OnDemandBase: &m.OnDemandBase, OnDemandPercentage: &m.OnDemandPercentage,
		SpotStrategy: m.SpotStrategy}}
	pools := m.SpotPools
	if pools == 0 && m.SpotStrategy == lowestPrice {
		pools = defaultSpotPools
	}
	if pools > 0 {
		p.Distribution.SpotInstancePools = &pools
	}
	if m.SpotMaxPrice != "" {
		p.Distribution.SpotMaxPrice = &m.SpotMaxPrice
	}
	for _, o := range m.Overrides {
		shown := overrideSpec{InstanceType: o.Type, Template: shownTemplate(o.Template), ImageID: o.ImageID}
		if o.Weight > 0 {
			shown.WeightedCapacity = strconv.Itoa(o.Weight)
		}
		if len(o.Requirements) > 0 {
			shown.Requirements = &instanceRequirements{}
			json.Unmarshal(o.Requirements, shown.Requirements) // it was written by record
		}
		p.LaunchTemplate.Overrides = append(p.LaunchTemplate.Overrides, shown)
	}
	return p
}

type maintenancePolicy struct {
	MinHealthyPercentage, MaxHealthyPercentage *int `json:",omitempty"`
}

type zoneDistribution struct {
	CapacityDistributionStrategy string
}

type zoneImpairment struct {
	ZonalShiftEnabled *bool  `json:",omitempty"`
	Behavior          string `query:"ImpairedZoneHealthCheckBehavior" xml:"ImpairedZoneHealthCheckBehavior,omitempty" json:"ImpairedZoneHealthCheckBehavior,omitempty"`
}

type reservationTarget struct {
	IDs       wire.QueryList[string] `query:"CapacityReservationIds" xml:"CapacityReservationIds,omitempty" json:"CapacityReservationIds,omitempty"`
	GroupARNs wire.QueryList[string] `query:"CapacityReservationResourceGroupArns" xml:"CapacityReservationResourceGroupArns,omitempty" json:"CapacityReservationResourceGroupArns,omitempty"`
}

type reservations struct {
	Preference string             `query:"CapacityReservationPreference" xml:"CapacityReservationPreference,omitempty" json:"CapacityReservationPreference,omitempty"`
	Target     *reservationTarget `query:"CapacityReservationTarget" xml:"CapacityReservationTarget" json:"CapacityReservationTarget,omitempty"`
}

type retentionTriggers struct {
	TerminateHookAbandon string `xml:",omitempty" json:",omitempty"`
}

type lifecyclePolicy struct {
	RetentionTriggers *retentionTriggers `json:",omitempty"`
}

type trafficSource struct {
	Identifier string
	Type       string `xml:",omitempty" json:",omitempty"`
}

// strs is a list that is left out of answers where it is empty.
func strs(some []string) wire.QueryList[string] { return slices.Clone(some) }

package autoscaling

import (
	"slices"
	"strconv"

	"tripod/awsapi/ec2"
	"tripod/region"
)

// choice is one way to launch an instance for a group.
type choice struct {
	ec2.LaunchRequest
	weight        int
	configuration string // the launch configuration's name
}

// choices are the ways to launch the group's next instance in a zone, the best first.
func (c *scene) choices(zone string) []choice {
	switch {
	case c.g.Mixed != nil:
		return c.mixedChoices(zone)
	case c.g.Configuration != "":
		config, found := launchConfigurations.Get(c.tx, c.g.Configuration)
		if !found {
			return nil
		}
		return []choice{{LaunchRequest: config.request(), configuration: config.Name}}
	case c.g.Template != nil:
		return []choice{{LaunchRequest: ec2.LaunchRequest{Template: *c.g.Template}}}
	}
	return nil
}

// mixedChoices are the types of a mixed group in the order in which they are tried, as Spot or On-Demand Instances.
func (c *scene) mixedChoices(zone string) (all []choice) {
	spot := c.nextIsSpot()
	if len(c.g.Mixed.Overrides) == 0 {
		return []choice{{LaunchRequest: ec2.LaunchRequest{Template: c.g.Mixed.Template, Spot: spot}}}
	}
	for _, o := range c.ordered(zone, spot) {
		template := c.g.Mixed.Template
		if o.Template != nil {
			template = *o.Template
		}
		all = append(all, choice{ec2.LaunchRequest{Template: template, Type: o.Type, ImageID: o.ImageID, Spot: spot}, o.Weight,
			""})
	}
	if pools := c.g.Mixed.SpotPools; spot && c.g.Mixed.SpotStrategy == lowestPrice {
		if pools == 0 {
			pools = defaultSpotPools
		}
		c.spread(all[:min(pools, len(all))])
	}
	return all
}

const (
	defaultSpotPools = 2

	lowestPrice, prioritized = "lowest-price", "prioritized"
)

// offer is one of a mixed group's instance types.
type offer struct {
	region.InstanceOverride
	// dear and dearSpot say that its price is too high for an On-Demand or a Spot Instance.
	dear, dearSpot bool
	required       bool // it meets requirements, and is not named
}

// offers are a mixed group's instance types: computed once, as requirements stand for many.
type offers struct {
	of  *region.MixedInstances // whose they are
	all []offer
	// ordered are they as a zone's Spot or On-Demand Instances are launched.
	ordered map[zoneAndKind][]offer
}

type zoneAndKind struct {
	zone string
	spot bool
}

// offers are the group's: types that do not run the image are left out, if others do.
func (c *scene) offers() *offers {
	if c.offered.of == c.g.Mixed {
		return &c.offered
	}
	c.offered = offers{of: c.g.Mixed, ordered: map[zoneAndKind][]offer{}}
	var unfit []offer
	for _, o := range c.g.Mixed.Overrides {
		architecture := c.architecture(o)
		if len(o.Requirements) > 0 {
			for _, t := range typesMeeting(o.Requirements, architecture) {
				o := o
				o.Type, o.Requirements = t.Name, nil
				c.offered.all = append(c.offered.all, offer{o, !t.OnDemand, !t.Spot, true})
			}
			continue
		}
		if o.Type != "" && !ec2.HasArchitecture(o.Type, architecture) {
			unfit = append(unfit, offer{InstanceOverride: o})
			continue
		}
		c.offered.all = append(c.offered.all, offer{InstanceOverride: o})
	}
	if len(c.offered.all) == 0 {
		c.offered.all = unfit // EC2 says what is wrong with them
	}
	return &c.offered
}

// architecture is that of the image which an override launches; empty where it is not known.
func (c *scene) architecture(o region.InstanceOverride) string {
	imageID := o.ImageID
	if imageID == "" {
		template := &c.g.Mixed.Template
		if o.Template != nil {
			template = o.Template
		}
		imageID = c.template(*template).ImageID
	}
	return ec2.ImageArchitecture(c.tx, imageID)
}

// template is a launch template's version; empty where it is gone.
func (c *scene) template(ref region.TemplateRef) ec2.Template {
	found, known := c.templates[ref]
	if !known {
		found, _ = c.Network.FindTemplateOf(c.tx, ref)
		c.templates[ref] = found
	}
	return found
}

// ordered are the offers in the order in which the group's strategy tries them in a zone.
func (c *scene) ordered(zone string, spot bool) []offer {
	all := c.offers()
	if done, found := all.ordered[zoneAndKind{zone, spot}]; found {
		return done
	}
	strategy := c.g.Mixed.OnDemandStrategy
	if spot {
		strategy = c.g.Mixed.SpotStrategy
	}
	var some []offer
	var pools []ec2.Pool
	for place, o := range all.all {
		if spot && o.dearSpot || !spot && o.dear {
			continue
		}
		if o.required && strategy == prioritized {
			strategy = lowestPrice // there are no priorities
		}
		some = append(some, o)
		pools = append(pools, ec2.Pool{Type: o.Type, Zone: zone, Weight: float64(o.Weight), Priority: float64(place)})
	}
	sorted := make([]offer, 0, len(some))
	for _, i := range c.Network.PoolOrder(c.tx, pools, strategy, spot) {
		sorted = append(sorted, some[i])
	}
	all.ordered[zoneAndKind{zone, spot}] = sorted
	return sorted
}

// spread sorts choices by how many members have their type: those with the fewest are first.
func (c *scene) spread(some []choice) {
	count := map[string]int{}
	for _, m := range c.members {
		if m.State.Counts() && m.instance.Launch.Spot {
			count[m.instance.Launch.Type]++
		}
	}
	slices.SortStableFunc(some, func(a, b choice) int { return count[a.Type] - count[b.Type] })
}

// nextIsSpot says whether a mixed group's next instance is a Spot Instance.
func (c *scene) nextIsSpot() bool {
	has, onDemand := 0, 0
	for _, m := range c.members {
		if m.State.Counts() && m.Replacing == "" {
			has += m.weight()
			if !m.instance.Launch.Spot {
				onDemand += m.weight()
			}
		}
	}
	return onDemand >= onDemandOf(*c.g.Mixed, has+1)
}

// onDemandOf is how much of a capacity is On-Demand: the base, and of the rest the percentage, rounded up.
func onDemandOf(mixed region.MixedInstances, capacity int) int {
	base := min(mixed.OnDemandBase, capacity)
	return base + ((capacity-base)*mixed.OnDemandPercentage+99)/100
}

// weightOf is the weight of an instance type in the group; 0 where it has none.
func (c *scene) weightOf(name string) int {
	if c.g.Mixed != nil {
		for _, o := range c.offers().all {
			if o.Type == name {
				return o.Weight
			}
		}
	}
	return 0
}

// isCurrent says whether a member is as the group launches instances now.
func (c *scene) isCurrent(m *member) bool {
	if c.g.Configuration != "" {
		return m.Configuration == c.g.Configuration
	}
	template := c.g.Template
	if c.g.Mixed != nil {
		template = &c.g.Mixed.Template
		all := c.offers().all
		at := slices.IndexFunc(all, func(o offer) bool { return o.Type == m.instance.Launch.Type })
		if at < 0 && len(all) > 0 {
			return false
		}
		if at >= 0 && all[at].Template != nil {
			template = all[at].Template
		}
	}
	if template == nil || m.Template == nil {
		return template == nil && m.Template == nil
	}
	now := c.template(*template)
	return now.ID != "" && now.ID == m.Template.ID && now.Version == m.Template.Version
}

// versionOf is the number of a member's template version; 0 where it has none.
func versionOf(m *member) int {
	if m.Template == nil {
		return 0
	}
	n, _ := strconv.Atoi(m.Template.Version)
	return n
}

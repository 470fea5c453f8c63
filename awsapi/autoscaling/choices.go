package autoscaling

import (
	"cmp"
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
func (c *scene) choices() []choice {
	switch {
	case c.g.Mixed != nil:
		return c.mixedChoices()
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
func (c *scene) mixedChoices() (all []choice) {
	spot := c.nextIsSpot()
	for _, o := range c.overrides() {
		template := c.g.Mixed.Template
		if o.Template != nil {
			template = *o.Template
		}
		all = append(all, choice{ec2.LaunchRequest{Template: template, Type: o.Type, ImageID: o.ImageID, Spot: spot}, o.Weight,
			""})
	}
	if len(all) == 0 {
		all = append(all, choice{LaunchRequest: ec2.LaunchRequest{Template: c.g.Mixed.Template, Spot: spot}})
	}
	if pools := c.g.Mixed.SpotPools; spot && c.g.Mixed.SpotStrategy == "lowest-price" {
		if pools == 0 {
			pools = defaultSpotPools
		}
		c.spread(all[:min(pools, len(all))])
	}
	return all
}

const defaultSpotPools = 2

// overrides are those of a mixed group by type: requirements stand for the types that meet them.
func (c *scene) overrides() (all []region.InstanceOverride) {
	for _, o := range c.g.Mixed.Overrides {
		if len(o.Requirements) == 0 {
			all = append(all, o)
			continue
		}
		for _, name := range typesMeeting(c.Network, o.Requirements) {
			all = append(all, region.InstanceOverride{Type: name, Weight: o.Weight, Template: o.Template, ImageID: o.ImageID})
		}
	}
	return all
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
		for _, o := range c.g.Mixed.Overrides {
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
	template, types := c.g.Template, []string(nil)
	if c.g.Mixed != nil {
		template = &c.g.Mixed.Template
		for _, o := range c.overrides() {
			types = append(types, o.Type)
			if o.Type == m.instance.Launch.Type && o.Template != nil {
				template = o.Template
			}
		}
	}
	if template == nil || m.Template == nil {
		return template == nil && m.Template == nil
	}
	if len(types) > 0 && !slices.Contains(types, m.instance.Launch.Type) {
		return false
	}
	now, err := c.Network.FindTemplate(c.tx, template.ID, nameUnlessID(*template), template.Version)
	return err == nil && now.ID == m.Template.ID && now.Version == m.Template.Version
}

// nameUnlessID is a template's name where its id is not known: EC2 takes one of the two.
func nameUnlessID(t region.TemplateRef) string {
	if t.ID != "" {
		return ""
	}
	return t.Name
}

// versionOf is the number of a member's template version; 0 where it has none.
func versionOf(m *member) int {
	if m.Template == nil {
		return 0
	}
	n, _ := strconv.Atoi(m.Template.Version)
	return n
}

func compare[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }

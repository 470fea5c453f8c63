package autoscaling

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	// maxGroups and maxConfigurations are the account's quotas, maxDesired what all groups may have together here.
	maxGroups, maxConfigurations = 500, 200
	maxDesired                   = 10000
	// The defaults of a group, as the API reference has them.
	defaultCooldown = 300
	defaultHealth   = "EC2"
)

type hookSpec struct {
	LifecycleHookName     string
	LifecycleTransition   string
	NotificationMetadata  *string
	HeartbeatTimeout      *int
	DefaultResult         *string
	NotificationTargetARN *string
	RoleARN               *string
}

type createGroupInput struct {
	groupNamed
	optionsInput
	InstanceID        string `query:"InstanceId"`
	LoadBalancerNames []string
	TargetGroupARNs   []string
	Hooks             []hookSpec `query:"LifecycleHookSpecificationList"`
	Tags              []tag
	TrafficSources    []trafficSource
}

// keys are Auto Scaling's condition keys of the request.
func (in *createGroupInput) keys() iam.Keys {
	keys := in.optionsInput.keys()
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	for name, values := range map[string][]string{"autoscaling:loadbalancernames": in.LoadBalancerNames,
		"autoscaling:targetgrouparns": in.TargetGroupARNs} {
		if len(values) > 0 {
			keys[name] = values
		}
	}
	return keys.With(operation.TagKeys(tags, nil))
}

func (in *optionsInput) keys() iam.Keys {
	keys := iam.Keys{}
	for name, value := range map[string]*int{"autoscaling:minsize": in.MinSize, "autoscaling:maxsize": in.MaxSize} {
		if value != nil {
			keys[name] = []string{strconv.Itoa(*value)}
		}
	}
	if in.LaunchConfigurationName != "" {
		keys["autoscaling:launchconfigurationname"] = []string{in.LaunchConfigurationName}
	}
	if in.VPCZoneIdentifier != nil {
		keys["autoscaling:vpczoneidentifiers"] = splitList(*in.VPCZoneIdentifier)
	}
	template := in.LaunchTemplate
	if in.MixedInstancesPolicy != nil && in.MixedInstancesPolicy.LaunchTemplate != nil {
		template = in.MixedInstancesPolicy.LaunchTemplate.Specification
		var types []string
		for _, o := range in.MixedInstancesPolicy.LaunchTemplate.Overrides {
			types = append(types, o.InstanceType)
		}
		if len(types) > 0 {
			keys["autoscaling:instancetypes"] = types
		}
	}
	if template != nil {
		keys["autoscaling:launchtemplateversionspecified"] = []string{strconv.FormatBool(template.Version != "")}
	}
	return keys
}

// splitList are the parts of a list with commas.
func splitList(text string) (parts []string) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// groupName is what groups may be called.
var groupName = regexp.MustCompile(`^[^:|\x00-\x1f\x7f]+$`)

func (s *Service) createGroup(call *operation.Call, in *createGroupInput) (*none, error) {
	if !groupName.MatchString(in.AutoScalingGroupName) {
		return nil, invalid("AutoScalingGroup name must not contain a colon, a vertical bar or control characters.")
	}
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		name := in.AutoScalingGroupName
		if _, found := region.AutoScalingGroups.Get(tx, name); found || s.isSimulated(tx, name) {
			return refuse("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already "+
				"exists", name)
		}
		if !region.AutoScalingGroups.Part("").Fewer(tx, maxGroups) {
			return refuse("LimitExceeded", "You've reached the limit of AutoScalingGroups: delete some of the %d.", maxGroups)
		}
		g := region.AutoScalingGroup{Name: name, ARN: s.groupARN(wire.NewRequestID(), name), CreatedAt: now, Cooldown: defaultCooldown,
			HealthCheckType: defaultHealth, LinkedRole: "arn:aws:iam::" + s.Network.VPC.AccountID +
				":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"}
		if err := in.apply(&g); err != nil {
			return err
		}
		if err := s.createSizes(tx, &g, in); err != nil {
			return err
		}
		if err := s.launchBy(tx, &g, in, now); err != nil {
			return err
		}
		if err := s.placeGroup(tx, &g, &in.optionsInput); err != nil {
			return err
		}
		if err := in.attachments(tx, &g); err != nil {
			return err
		}
		for _, h := range in.Hooks {
			if err := putHook(&g, h); err != nil {
				return err
			}
		}
		if err := putTags(&g, in.Tags); err != nil {
			return err
		}
		if g.Desired > 0 {
			g.Asked = at(now, saysCreated, g.Desired)
		}
		region.AutoScalingGroups.Put(tx, name, g)
		return nil
	})
}

// createSizes gives a new group its sizes.
func (s *Service) createSizes(tx *state.Txn, g *region.AutoScalingGroup, in *createGroupInput) error {
	if in.MinSize == nil || in.MaxSize == nil {
		return invalid("MinSize and MaxSize are required.")
	}
	g.Min, g.Max, g.Desired = *in.MinSize, *in.MaxSize, *in.MinSize
	take(&g.Desired, in.DesiredCapacity)
	return checkSizes(tx, *g)
}

// checkSizes refuses sizes that do not fit.
func checkSizes(tx *state.Txn, g region.AutoScalingGroup) error {
	switch {
	case g.Min < 0 || g.Max < 0:
		return invalid("MinSize and MaxSize must not be negative.")
	case g.Max < g.Min:
		return invalid("Max bound, %d, must be greater than or equal to min bound, %d", g.Max, g.Min)
	case g.Desired < g.Min || g.Desired > g.Max:
		return invalid("Desired capacity:%d must be between the specified min size:%d and max size:%d", g.Desired, g.Min,
			g.Max)
	}
	total := g.Desired
	for _, other := range region.AutoScalingGroups.List(tx) {
		if other.Name != g.Name {
			total += other.Desired
		}
	}
	if total > maxDesired {
		return refuse("LimitExceeded", "All Auto Scaling groups together may have %d instances here: this would make %d.",
			maxDesired, total)
	}
	return nil
}

// launchBy says what a new group launches by: one of four ways.
func (s *Service) launchBy(tx *state.Txn, g *region.AutoScalingGroup, in *createGroupInput, now time.Time) error {
	given := 0
	for _, there := range []bool{in.LaunchConfigurationName != "", in.LaunchTemplate != nil,
		in.MixedInstancesPolicy != nil, in.InstanceID != ""} {
		if there {
			given++
		}
	}
	if given != 1 {
		return invalid("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or " +
			"MixedInstancesPolicy parameter.")
	}
	if in.InstanceID == "" {
		return s.setSource(tx, g, &in.optionsInput)
	}
	v, found := region.Instances.Get(tx, in.InstanceID)
	if !found || !v.State.Alive() {
		return invalid("Instance [%s] is invalid.", in.InstanceID)
	}
	if _, taken := launchConfigurations.Get(tx, g.Name); taken {
		return refuse("AlreadyExists", "Launch Configuration by this name already exists - A launch configuration already "+
			"exists with the name %s", g.Name)
	}
	config := s.configurationOf(v, g.Name, now)
	launchConfigurations.Put(tx, config.Name, config)
	g.Configuration = config.Name
	if in.VPCZoneIdentifier == nil && len(in.AvailabilityZones) == 0 && len(in.AvailabilityZoneIDs) == 0 {
		in.VPCZoneIdentifier = &v.SubnetID
	}
	return nil
}

// setSource has a group launch by what is given: a launch configuration, a launch template, or a mixed policy.
func (s *Service) setSource(tx *state.Txn, g *region.AutoScalingGroup, in *optionsInput) error {
	switch {
	case in.LaunchConfigurationName != "":
		if _, found := launchConfigurations.Get(tx, in.LaunchConfigurationName); !found {
			return noConfiguration(in.LaunchConfigurationName)
		}
		g.Configuration, g.Template, g.Mixed = in.LaunchConfigurationName, nil, nil
	case in.LaunchTemplate != nil:
		ref, err := s.resolve(tx, in.LaunchTemplate.ref())
		if err != nil {
			return err
		}
		g.Template, g.Configuration, g.Mixed = ref, "", nil
	case in.MixedInstancesPolicy != nil:
		mixed, err := s.mixed(tx, in.MixedInstancesPolicy, g.Mixed)
		if err != nil {
			return err
		}
		g.Mixed, g.Configuration, g.Template = mixed, "", nil
	}
	return nil
}

// resolve finds a launch template and fills in its id and name. The version stays as it is given.
func (s *Service) resolve(tx *state.Txn, ref *region.TemplateRef) (*region.TemplateRef, error) {
	if (ref.ID == "") == (ref.Name == "") {
		return nil, invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
	}
	found, err := s.Network.FindTemplate(tx, ref.ID, ref.Name, ref.Version)
	if err != nil {
		words := ec2.Words(err)
		if words == "" {
			return nil, err
		}
		return nil, invalid("You must use a valid fully-formed launch template. %s", words)
	}
	return &region.TemplateRef{ID: found.ID, Name: found.Name, Version: ref.Version}, nil
}

// mixed is a mixed instances policy as it is stored, over that which the group has.
func (s *Service) mixed(tx *state.Txn, p *mixedPolicy, was *region.MixedInstances) (*region.MixedInstances, error) {
	m, err := p.record(was)
	if err != nil {
		return nil, err
	}
	if was == nil && (p.LaunchTemplate == nil || p.LaunchTemplate.Specification == nil) {
		return nil, invalid("The MixedInstancesPolicy parameter must contain a LaunchTemplateSpecification.")
	}
	if p.LaunchTemplate != nil && p.LaunchTemplate.Specification != nil {
		ref, err := s.resolve(tx, &m.Template)
		if err != nil {
			return nil, err
		}
		m.Template = *ref
	}
	weighted := 0
	for i, o := range m.Overrides {
		if o.Template != nil && (o.Template.ID == "" || o.Template.Name == "") {
			if m.Overrides[i].Template, err = s.resolve(tx, o.Template); err != nil {
				return nil, err
			}
		}
		if o.Weight > 0 {
			weighted++
		}
		switch {
		case o.Type != "" && len(o.Requirements) > 0:
			return nil, invalid("You can specify only one of InstanceType and InstanceRequirements in an override.")
		case o.Type != "":
			if err := ec2.CheckInstanceTypes([]string{o.Type}); err != nil {
				return nil, invalid("%s", ec2.Words(err))
			}
		}
	}
	if weighted > 0 && weighted < len(m.Overrides) {
		return nil, invalid("You must specify the WeightedCapacity for all instance types, or for none.")
	}
	return m, checkDistribution(*m)
}

func checkDistribution(m region.MixedInstances) error {
	onDemand := []string{prioritized, lowestPrice}
	spot := []string{lowestPrice, "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized"}
	switch {
	case !slices.Contains(onDemand, m.OnDemandStrategy):
		return invalid("Invalid OnDemandAllocationStrategy. Valid values: %s", strings.Join(onDemand, " | "))
	case !slices.Contains(spot, m.SpotStrategy):
		return invalid("Invalid SpotAllocationStrategy. Valid values: %s", strings.Join(spot, " | "))
	case m.OnDemandBase < 0 || m.OnDemandPercentage < 0 || m.OnDemandPercentage > 100:
		return invalid("OnDemandBaseCapacity must not be negative, and OnDemandPercentageAboveBaseCapacity must be between " +
			"0 and 100.")
	case m.SpotPools > 20 || m.SpotPools < 0:
		return invalid("SpotInstancePools must be between 1 and 20.")
	}
	return nil
}

// placeGroup gives a group the zones and subnets that are given; a new one needs some.
func (s *Service) placeGroup(tx *state.Txn, g *region.AutoScalingGroup, in *optionsInput) error {
	zones := slices.Clone(in.AvailabilityZones)
	ids := s.Network.VPC.ZoneIDs()
	for _, id := range in.AvailabilityZoneIDs {
		i := slices.Index(ids, id)
		if i < 0 {
			return invalid("Invalid availability zone IDs: [%s]", id)
		}
		zones = append(zones, s.Network.VPC.Zones[i])
	}
	for _, name := range zones {
		if !slices.Contains(s.Network.VPC.Zones, name) {
			return invalid("Invalid availability zones: [%s]", name)
		}
	}
	var subnets, subnetZones []string
	if in.VPCZoneIdentifier != nil {
		for _, id := range splitList(*in.VPCZoneIdentifier) {
			name := s.Network.SubnetZone(tx, id)
			if name == "" {
				return invalid("The subnet ID '%s' does not exist", id)
			}
			subnets = append(subnets, id)
			if !slices.Contains(subnetZones, name) {
				subnetZones = append(subnetZones, name)
			}
		}
	}
	slices.Sort(subnetZones)
	slices.Sort(zones)
	zones = slices.Compact(zones)
	switch {
	case len(subnets) > 0 && len(zones) > 0 && !slices.Equal(zones, subnetZones):
		return invalid("The availability zones of the specified subnets and the Auto Scaling group do not match")
	case len(subnets) > 0:
		g.Subnets, g.Zones = subnets, subnetZones
	case len(zones) > 0:
		g.Subnets, g.Zones = nil, zones
	case len(g.Zones) == 0:
		return invalid("At least one Availability Zone or VPC Subnet is required.")
	}
	return nil
}

// attachments gives a new group its load balancers and other sources of traffic, whose health checks count at once.
func (in *createGroupInput) attachments(tx *state.Txn, g *region.AutoScalingGroup) error {
	sources, err := recordsOf(in.TrafficSources)
	if err != nil {
		return err
	}
	balancers, groups := balancersInput{LoadBalancerNames: in.LoadBalancerNames}, targetGroupsInput{TargetGroupARNs: in.TargetGroupARNs}
	sources = slices.Concat(balancers.sources(), groups.sources(), sources)
	if err := checkSources(tx, sources); err != nil {
		return err
	}
	addSources(g, sources)
	for _, source := range sourcesOf(*g) {
		g.Attachments = append(g.Attachments, region.Attachment{TrafficSource: source, State: attachmentInService})
	}
	return nil
}

package elb

import (
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxGroups is how many target groups there may be: AWS's default quota.
const maxGroups = 3000

type matcher struct {
	HTTPCode string `query:"HttpCode" xml:"HttpCode,omitempty" json:"HttpCode,omitempty"`
	GrpcCode string `xml:",omitempty" json:",omitempty"`
}

// checkSettings are what CreateTargetGroup and ModifyTargetGroup say of the health check.
type checkSettings struct {
	HealthCheckProtocol        string
	HealthCheckPort            string
	HealthCheckEnabled         *bool
	HealthCheckPath            string
	HealthCheckIntervalSeconds *int
	HealthCheckTimeoutSeconds  *int
	HealthyThresholdCount      *int
	UnhealthyThresholdCount    *int
	Matcher                    *matcher
}

type createTargetGroupInput struct {
	checkSettings
	Name              string
	Protocol          string
	ProtocolVersion   string
	Port              *int
	VPCID             string `query:"VpcId"`
	TargetType        string
	Tags              []tag
	IPAddressType     string `query:"IpAddressType"`
	TargetControlPort *int
}

type shownGroup struct {
	TargetGroupArn             string
	TargetGroupName            string
	Protocol                   string `xml:",omitempty" json:",omitempty"`
	Port                       int    `xml:",omitempty" json:",omitempty"`
	VPCID                      string `xml:"VpcId,omitempty" json:"VpcId,omitempty"`
	HealthCheckProtocol        string `xml:",omitempty" json:",omitempty"`
	HealthCheckPort            string `xml:",omitempty" json:",omitempty"`
	HealthCheckEnabled         bool
	HealthCheckIntervalSeconds int
	HealthCheckTimeoutSeconds  int
	HealthyThresholdCount      int
	UnhealthyThresholdCount    int
	HealthCheckPath            string   `xml:",omitempty" json:",omitempty"`
	Matcher                    *matcher `json:",omitempty"`
	LoadBalancerArns           wire.QueryList[string]
	TargetType                 string
	ProtocolVersion            string `xml:",omitempty" json:",omitempty"`
	IPAddressType              string `xml:"IpAddressType,omitempty" json:"IpAddressType,omitempty"`
	TargetControlPort          int    `xml:",omitempty" json:",omitempty"`
}

type groupsOutput struct {
	TargetGroups wire.QueryList[shownGroup]
	NextMarker   string `xml:",omitempty" json:",omitempty"`
}

func showGroup(tx *state.Txn, g region.TargetGroup) shownGroup {
	c := g.Check
	shown := shownGroup{TargetGroupArn: g.ARN, TargetGroupName: g.Name, Protocol: g.Protocol, Port: g.Port, VPCID: g.VPC,
		HealthCheckProtocol: c.Protocol, HealthCheckPort: c.Port, HealthCheckEnabled: c.Enabled,
		HealthCheckIntervalSeconds: c.Interval, HealthCheckTimeoutSeconds: c.Timeout, HealthyThresholdCount: c.Healthy,
		UnhealthyThresholdCount: c.Unhealthy, HealthCheckPath: c.Path, LoadBalancerArns: region.BalancersUsing(tx, g.ARN),
		TargetType: g.Type, ProtocolVersion: g.Version, IPAddressType: g.IPAddressType, TargetControlPort: g.ControlPort}
	switch {
	case c.Codes == "":
	case g.Version == "GRPC":
		shown.Matcher = &matcher{GrpcCode: c.Codes}
	default:
		shown.Matcher = &matcher{HTTPCode: c.Codes}
	}
	return shown
}

// defaultCheck is the health check of a new target group, as AWS has it for its kind.
func defaultCheck(g region.TargetGroup) region.HealthCheck {
	c := region.HealthCheck{Enabled: true, Protocol: "HTTP", Port: "traffic-port", Path: "/", Codes: "200", Interval: 30,
		Timeout: 5, Healthy: 5, Unhealthy: 2}
	switch {
	case g.Type == "lambda":
		return region.HealthCheck{Path: "/", Codes: "200", Interval: 35, Timeout: 30, Healthy: 5, Unhealthy: 2}
	case g.Type == "alb":
		c.Codes, c.Timeout = "200-399", 6
	case g.Version == "GRPC":
		c.Path, c.Codes = "/AWS.ALB/healthcheck", "12"
	case g.Protocol == "GENEVE":
		c = region.HealthCheck{Enabled: true, Protocol: "TCP", Port: "80", Interval: 10, Timeout: 5, Healthy: 5, Unhealthy: 2}
	case !strings.HasPrefix(g.Protocol, "HTTP"):
		c = region.HealthCheck{Enabled: true, Protocol: "TCP", Port: "traffic-port", Interval: 30, Timeout: 10, Healthy: 5,
			Unhealthy: 2}
	}
	return c
}

// lay lays what the call says over a group's health check.
func (in checkSettings) lay(g *region.TargetGroup) error {
	c := &g.Check
	for _, number := range []struct {
		to   *int
		from *int
	}{{&c.Interval, in.HealthCheckIntervalSeconds}, {&c.Timeout, in.HealthCheckTimeoutSeconds},
		{&c.Healthy, in.HealthyThresholdCount}, {&c.Unhealthy, in.UnhealthyThresholdCount}} {
		if number.from != nil {
			*number.to = *number.from
		}
	}
	if in.HealthCheckEnabled != nil {
		if !*in.HealthCheckEnabled && g.Type != "lambda" {
			return unsuitable("Health check enabled must be true for target groups with target type '%s'", g.Type)
		}
		c.Enabled = *in.HealthCheckEnabled
	}
	if in.HealthCheckProtocol != "" && in.HealthCheckProtocol != c.Protocol {
		c.Protocol = in.HealthCheckProtocol
		switch {
		case c.Protocol == "TCP":
			c.Path, c.Codes = "", ""
		case c.Path == "":
			c.Path, c.Codes = "/", "200-399"
			if in.HealthCheckTimeoutSeconds == nil {
				c.Timeout = 6
			}
		}
	}
	c.Port, c.Path = cmp.Or(in.HealthCheckPort, c.Port), cmp.Or(in.HealthCheckPath, c.Path)
	if in.Matcher != nil {
		if (in.Matcher.HTTPCode == "") == (in.Matcher.GrpcCode == "") || (in.Matcher.GrpcCode != "") != (g.Version == "GRPC") {
			return invalid("A matcher must have an HttpCode, or with the protocol version GRPC a GrpcCode")
		}
		c.Codes = in.Matcher.HTTPCode + in.Matcher.GrpcCode
	}
	return checkHealthCheck(*g)
}

// codes are the codes that a matcher may have: numbers and ranges of them.
var codes = regexp.MustCompile(`^\d{1,3}(-\d{1,3})?(,\d{1,3}(-\d{1,3})?)*$`)

// checkHealthCheck says whether a group can have its health check.
func checkHealthCheck(g region.TargetGroup) error {
	c, http := g.Check, strings.HasPrefix(g.Protocol, "HTTP")
	port, err := strconv.Atoi(c.Port)
	least, most := 200, 599
	switch {
	case g.Version == "GRPC":
		least, most = 0, 99
	case http || g.Type == "lambda":
		most = 499
	}
	switch {
	case !slices.Contains([]string{"HTTP", "HTTPS", "TCP", ""}, c.Protocol):
		return invalid("Health check protocol '%s' must be one of 'HTTP, HTTPS, TCP'", c.Protocol)
	case http && c.Protocol == "TCP":
		return unsuitable("Health check protocol 'TCP' is not supported for target groups with the protocol '%s'", g.Protocol)
	case g.Type == "alb" && c.Protocol == "TCP":
		return unsuitable("Health check protocol 'TCP' is not supported for target groups with target type 'alb'")
	case c.Protocol == "TCP" && (c.Path != "" || c.Codes != ""):
		return unsuitable("A health check path and a matcher are not supported for health checks with the protocol 'TCP'")
	case c.Protocol != "" && c.Port != "traffic-port" && (err != nil || port < 1 || port > 65535):
		return invalid("Health check port '%s' must be 'traffic-port' or between '1-65535' inclusive", wire.Clip(c.Port))
	case c.Path != "" && !strings.HasPrefix(c.Path, "/"):
		return invalid("Health check path '%s' must begin with a '/' character", wire.Clip(c.Path))
	case http && c.Timeout >= c.Interval:
		return invalid("Health check timeout '%d' must be smaller than the interval '%d'", c.Timeout, c.Interval)
	case c.Timeout > c.Interval:
		return invalid("Health check timeout '%d' must be smaller than or equal to the interval '%d'", c.Timeout, c.Interval)
	case c.Codes != "" && !codesWithin(c.Codes, least, most):
		return invalid("Health check matcher code '%s' must be within '%d-%d' inclusive", wire.Clip(c.Codes), least, most)
	}
	return nil
}

func codesWithin(text string, least, most int) bool {
	if !codes.MatchString(text) {
		return false
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, _ := strconv.Atoi(from)
		last := first
		if ranged {
			last, _ = strconv.Atoi(to)
		}
		if first < least || last > most || last < first {
			return false
		}
	}
	return true
}

func (s *Service) createTargetGroup(call *operation.Call, in *createTargetGroupInput) (*groupsOutput, error) {
	if err := checkName("Target group", in.Name); err != nil {
		return nil, err
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	want := region.TargetGroup{Name: in.Name, ARN: s.arn("targetgroup/" + in.Name + "/" + newID()), Tags: tags,
		Type: cmp.Or(in.TargetType, "instance"), Protocol: in.Protocol, Version: in.ProtocolVersion, VPC: in.VPCID,
		IPAddressType: in.IPAddressType, CreatedAt: s.now()}
	if in.Port != nil {
		want.Port = *in.Port
	}
	if in.TargetControlPort != nil {
		want.ControlPort = *in.TargetControlPort
	}
	if err := checkGroup(&want); err != nil {
		return nil, err
	}
	want.Check = defaultCheck(want)
	if err := in.lay(&want); err != nil {
		return nil, err
	}
	return change(s, call, func(tx *state.Txn, out *groupsOutput) error {
		g, err := s.createGroup(tx, want)
		if err == nil {
			out.TargetGroups = append(out.TargetGroups, showGroup(tx, g))
		}
		return err
	})
}

// checkGroup says whether there can be such a target group, and completes it.
func checkGroup(g *region.TargetGroup) error {
	if g.Type == "lambda" {
		for _, given := range []struct {
			is   bool
			what string
		}{{g.Protocol != "", "Protocol"}, {g.Port != 0, "Port"}, {g.VPC != "", "VPC ID"}, {g.Version != "", "Protocol version"}} {
			if given.is {
				return invalid("%s cannot be specified for target groups with target type 'lambda'", given.what)
			}
		}
		return nil
	}
	switch {
	case g.Protocol == "":
		return invalid("A protocol must be specified")
	case g.Port == 0:
		return invalid("A port must be specified")
	case g.VPC == "":
		return invalid("A VPC ID must be specified")
	case g.Type == "alb" && g.Protocol != "TCP":
		return unsuitable("Protocol '%s' is not supported for target groups with target type 'alb'", g.Protocol)
	case g.Protocol == "GENEVE" && g.Port != 6081:
		return invalid("Port must be '6081' for target groups with the protocol 'GENEVE'")
	case g.Version != "" && !strings.HasPrefix(g.Protocol, "HTTP"):
		return unsuitable("Protocol version is not supported for target groups with the protocol '%s'", g.Protocol)
	case !slices.Contains([]string{"", "HTTP1", "HTTP2", "GRPC"}, g.Version):
		return invalid("Protocol version '%s' must be one of 'HTTP1, HTTP2, GRPC'", wire.Clip(g.Version))
	case g.IPAddressType == "ipv6" && g.Type == "alb":
		return unsuitable("IP address type 'ipv6' is not supported for target groups with target type 'alb'")
	}
	if strings.HasPrefix(g.Protocol, "HTTP") {
		g.Version = cmp.Or(g.Version, "HTTP1")
	}
	g.IPAddressType = cmp.Or(g.IPAddressType, "ipv4")
	return nil
}

// createGroup writes a target group, or finds the one that is just like it.
func (s *Service) createGroup(tx *state.Txn, want region.TargetGroup) (region.TargetGroup, error) {
	if want.VPC != "" && !s.Network.HasVPC(tx, want.VPC) {
		return want, invalid("The VPC ID '%s' is not found", wire.Clip(want.VPC))
	}
	if there, found := region.TargetGroups.Get(tx, want.Name); found {
		same := there
		same.ARN, same.CreatedAt, same.Attributes = want.ARN, want.CreatedAt, want.Attributes
		if sameTags(same.Tags, want.Tags) {
			same.Tags = want.Tags
		}
		if reflect.DeepEqual(same, want) {
			return there, nil
		}
		return want, refuse("DuplicateTargetGroupName",
			"A target group with the same name '%s' exists, but with different settings", want.Name)
	}
	if !region.TargetGroups.Part("").Fewer(tx, maxGroups) {
		return want, refuse("TooManyTargetGroups", "You've reached the limit on the number of target groups for your AWS account.")
	}
	region.TargetGroups.Put(tx, want.Name, want)
	return want, nil
}

type modifyTargetGroupInput struct {
	checkSettings
	TargetGroupArn string
}

func (s *Service) modifyTargetGroup(call *operation.Call, in *modifyTargetGroupInput) (*groupsOutput, error) {
	return change(s, call, func(tx *state.Txn, out *groupsOutput) error {
		g, err := targetGroup(tx, in.TargetGroupArn)
		if err != nil {
			return err
		}
		if err := in.lay(&g); err != nil {
			return err
		}
		region.TargetGroups.Put(tx, g.Name, g)
		out.TargetGroups = append(out.TargetGroups, showGroup(tx, g))
		return nil
	})
}

// deleteTargetGroup deletes one that no listener or rule names; that there is none is no error.
func (s *Service) deleteTargetGroup(call *operation.Call, in *groupInput) (*none, error) {
	return change(s, call, func(tx *state.Txn, _ *none) error {
		g, err := targetGroup(tx, in.TargetGroupArn)
		if err != nil {
			return nil
		}
		if len(region.BalancersUsing(tx, g.ARN)) > 0 {
			return refuse("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", g.ARN)
		}
		for _, t := range region.TargetsOf(tx, g.Name) {
			region.ForgetTarget(tx, t)
		}
		region.TargetGroups.Delete(tx, g.Name)
		return nil
	})
}

type describeTargetGroupsInput struct {
	page
	LoadBalancerArn        string
	TargetGroupArns, Names []string
}

func (s *Service) describeTargetGroups(call *operation.Call, in *describeTargetGroupsInput) (*groupsOutput, error) {
	given := 0
	for _, is := range []bool{in.LoadBalancerArn != "", len(in.TargetGroupArns) > 0, len(in.Names) > 0} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, invalid("Target group names, target group ARNs and a load balancer ARN cannot be specified at the same time")
	}
	return view(s, call, func(tx *state.Txn, out *groupsOutput) (err error) {
		found, err := groupsFound(tx, in)
		if err != nil {
			return err
		}
		slices.SortFunc(found, func(a, b region.TargetGroup) int { return cmp.Compare(a.ARN, b.ARN) })
		found = slices.CompactFunc(found, func(a, b region.TargetGroup) bool { return a.ARN == b.ARN })
		page, next, err := cut(call, in.page, found, func(g region.TargetGroup) string { return g.ARN })
		for _, g := range page {
			out.TargetGroups = append(out.TargetGroups, showGroup(tx, g))
		}
		out.NextMarker = next
		return err
	})
}

// groupsFound are the groups that a call asks for.
func groupsFound(tx *state.Txn, in *describeTargetGroupsInput) (found []region.TargetGroup, err error) {
	if in.LoadBalancerArn+strings.Join(in.TargetGroupArns, "")+strings.Join(in.Names, "") == "" {
		return region.TargetGroups.List(tx), nil
	}
	arns := in.TargetGroupArns
	if in.LoadBalancerArn != "" {
		b, err := balancer(tx, in.LoadBalancerArn)
		if err != nil {
			return nil, err
		}
		for _, l := range region.ListenersOf(tx, b) {
			arns = append(arns, region.GroupsIn(l.Actions)...)
			for _, r := range region.RulesOf(tx, l) {
				arns = append(arns, region.GroupsIn(r.Actions)...)
			}
		}
	}
	for _, arn := range arns {
		g, err := targetGroup(tx, arn)
		if err != nil {
			return nil, refuse("TargetGroupNotFound", "One or more target groups not found")
		}
		found = append(found, g)
	}
	for _, name := range in.Names {
		g, there := region.TargetGroups.Get(tx, orNobody(name))
		if !there {
			return nil, refuse("TargetGroupNotFound", "One or more target groups not found")
		}
		found = append(found, g)
	}
	return found, nil
}

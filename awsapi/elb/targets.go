package elb

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxTargets is how many targets a group has: AWS's default quota.
const maxTargets = 1000

// target is a target in the API's form.
type target struct {
	ID               string `query:"Id" xml:"Id" json:"Id"`
	Port             int    `xml:",omitempty" json:",omitempty"`
	AvailabilityZone string `xml:",omitempty" json:",omitempty"`
	QuicServerID     string `query:"QuicServerId" xml:"QuicServerId,omitempty" json:"QuicServerId,omitempty"`
}

type targetsInput struct {
	TargetGroupArn string
	Targets        []target
}

func (s *Service) registerTargets(call *operation.Call, in *targetsInput) (*none, error) {
	now := s.now()
	return change(s, call, func(tx *state.Txn, _ *none) error {
		g, err := targetGroup(tx, in.TargetGroupArn)
		if err != nil {
			return err
		}
		var stopped []string
		for _, given := range in.Targets {
			t, err := s.newTarget(tx, g, given)
			if err != nil {
				return err
			}
			if g.Type == "instance" {
				if v, _ := region.Instances.Get(tx, t.ID); v.State != region.InstanceRunning && v.State != region.InstancePending {
					stopped = append(stopped, "'"+t.ID+"'")
					continue
				}
			}
			region.RegisterTarget(tx, t, now)
		}
		if len(stopped) > 0 {
			return refuse("InvalidTarget", "The following targets are not in a running state and cannot be registered: %s",
				strings.Join(stopped, ", "))
		}
		region.ForgetDrained(tx, g.Name, now)
		count := len(region.TargetsOf(tx, g.Name))
		switch {
		case g.Type == "alb" && count > 1, g.Type == "lambda" && count > 1:
			return refuse("TooManyTargets", "A target group with target type '%s' can have only one target", g.Type)
		case count > maxTargets:
			return refuse("TooManyTargets", "You've reached the limit on the number of targets.")
		}
		return nil
	})
}

var (
	instanceID = regexp.MustCompile(`^i-[0-9a-f]{8,17}$`)
	// sharedBlocks are those in which addresses outside of a VPC may be: RFC 1918 and RFC 6598.
	sharedBlocks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10")}
)

// newTarget is a target as a record, or AWS's refusal of what cannot be one of the group.
func (s *Service) newTarget(tx *state.Txn, g region.TargetGroup, given target) (region.Target, error) {
	t := namedTarget(g, given)
	t.QuicServerID = given.QuicServerID
	if strings.Contains(g.Protocol, "QUIC") != (t.QuicServerID != "") {
		return t, invalid("A QUIC server ID must be specified for targets of target groups with the protocol QUIC or TCP_QUIC, " +
			"and for no others")
	}
	switch g.Type {
	case "instance":
		return s.instanceTarget(tx, g, t)
	case "ip":
		return s.addressTarget(tx, g, t, given.AvailabilityZone)
	case "alb":
		b, err := balancer(tx, t.ID)
		switch {
		case err != nil || b.Type != region.ApplicationBalancer || b.VPC != g.VPC:
			return t, refuse("InvalidTarget", "'%s' is not an Application Load Balancer in the VPC '%s'", wire.Clip(t.ID), g.VPC)
		case !slices.ContainsFunc(region.ListenersOf(tx, b), func(l region.Listener) bool { return l.Port == t.Port }):
			return t, refuse("InvalidTarget", "Load balancer '%s' has no listener on port '%d'", t.ID, t.Port)
		}
		return t, nil
	}
	if !strings.HasPrefix(t.ID, "arn:aws:lambda:") {
		return t, invalid("Lambda function ARN '%s' is not valid", wire.Clip(t.ID))
	}
	return t, nil
}

func (s *Service) instanceTarget(tx *state.Txn, g region.TargetGroup, t region.Target) (region.Target, error) {
	if !instanceID.MatchString(t.ID) {
		return t, invalid("Instance ID '%s' is not valid", wire.Clip(t.ID))
	}
	v, found := region.Instances.Get(tx, t.ID)
	switch {
	case !found:
		return t, refuse("InvalidTarget", "The following targets are not valid instances: '%s'", t.ID)
	case v.VPCID != g.VPC:
		return t, refuse("InvalidTarget", "The following targets are not in the target group VPC '%s': '%s'", g.VPC, t.ID)
	}
	t.Zone = v.Zone
	return t, nil
}

// addressTarget is a target that is an address: one of the VPC's, which is in a zone, or one outside, which is in all.
func (s *Service) addressTarget(tx *state.Txn, g region.TargetGroup, t region.Target, zone string) (region.Target, error) {
	a, err := netip.ParseAddr(t.ID)
	kind := "IPv4"
	if g.IPAddressType == "ipv6" {
		kind = "IPv6"
	}
	if err != nil || a.Is4() != (kind == "IPv4") {
		return t, invalid("The IP address '%s' is not a valid %s address", wire.Clip(t.ID), kind)
	}
	t.Zone = s.Network.ZoneOf(tx, g.VPC, a)
	switch inside := t.Zone != ""; {
	case inside && zone != "" && zone != "all" && zone != t.Zone:
		return t, invalid("The IP address '%s' is not in the Availability Zone '%s'", t.ID, wire.Clip(zone))
	case inside && zone == "all":
		t.Zone = zone
	case inside:
	case !slices.ContainsFunc(sharedBlocks, func(p netip.Prefix) bool { return p.Contains(a) }):
		return t, invalid("The IP address '%s' is not within the VPC '%s' or a private address range", t.ID, g.VPC)
	case zone != "all":
		return t, invalid("The IP address '%s' is outside of the VPC '%s': the Availability Zone must be 'all'", t.ID, g.VPC)
	default:
		t.Zone = zone
	}
	return t, nil
}

// namedTarget is the target that a call names.
func namedTarget(g region.TargetGroup, given target) region.Target {
	t := region.Target{Group: g.Name, ID: given.ID, Port: given.Port}
	if a, err := netip.ParseAddr(t.ID); err == nil && g.Type == "ip" {
		t.ID = a.String() // in one spelling
	}
	if t.Port == 0 {
		t.Port = g.Port
	}
	if g.Type == "lambda" {
		t.Port = 0
	}
	return t
}

// deregisterTargets has targets drain. Without a port all of them with that id do; one that is none is no error.
func (s *Service) deregisterTargets(call *operation.Call, in *targetsInput) (*none, error) {
	now := s.now()
	return change(s, call, func(tx *state.Txn, _ *none) error {
		g, err := targetGroup(tx, in.TargetGroupArn)
		if err != nil {
			return err
		}
		delay := g.DrainDelay(tx)
		region.ForgetDrained(tx, g.Name, now)
		for _, given := range in.Targets {
			named := namedTarget(g, given)
			for _, t := range region.TargetsByID.Of(named.ID).List(tx) {
				if t.Group == g.Name && (given.Port == 0 || t.Port == named.Port) {
					region.DeregisterTarget(tx, t.Key(), delay, now)
				}
			}
		}
		return nil
	})
}

type describeTargetHealthInput struct {
	TargetGroupArn string
	Targets        []target
	Include        []string
}

type targetHealth struct {
	State       string
	Reason      string `xml:",omitempty" json:",omitempty"`
	Description string `xml:",omitempty" json:",omitempty"`
}

type anomaly struct{ Result, MitigationInEffect string }

type targetHealthDescription struct {
	Target                 target
	HealthCheckPort        string `xml:",omitempty" json:",omitempty"`
	TargetHealth           targetHealth
	AnomalyDetection       *anomaly      `json:",omitempty"`
	AdministrativeOverride *targetHealth `json:",omitempty"`
}

type targetHealthOutput struct {
	TargetHealthDescriptions wire.QueryList[targetHealthDescription]
}

func (s *Service) describeTargetHealth(call *operation.Call, in *describeTargetHealthInput) (*targetHealthOutput, error) {
	now := s.now()
	return view(s, call, func(tx *state.Txn, out *targetHealthOutput) error {
		g, err := targetGroup(tx, in.TargetGroupArn)
		if err != nil {
			return err
		}
		use := g.Use(tx)
		describe := func(t region.Target, v region.TargetVerdict) {
			shown := showHealth(g, t, v)
			if g.Type != "lambda" {
				shown.AdministrativeOverride = overrideOf(tx, g, t.Zone, now)
			}
			if len(in.Include) > 0 && strings.HasPrefix(g.Protocol, "HTTP") {
				shown.AnomalyDetection = &anomaly{"normal", "no"}
			}
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, shown)
		}
		if len(in.Targets) == 0 {
			for _, t := range region.LiveTargets(tx, g.Name, now) {
				describe(t, targetVerdict(tx, t, use))
			}
			return nil
		}
		for _, given := range in.Targets {
			named := namedTarget(g, given)
			t, found := region.Targets.Get(tx, named.Key())
			if !found || t.IsGone(now) {
				describe(named, region.NotRegistered())
				continue
			}
			describe(t, targetVerdict(tx, t, use))
		}
		return nil
	})
}

// targetVerdict is a target's health: what the data plane has found, and what its instance is.
func targetVerdict(tx *state.Txn, t region.Target, use region.TargetUse) region.TargetVerdict {
	if instanceID.MatchString(t.ID) {
		use.Stopped = stoppedState(tx, t.ID)
	}
	return t.Verdict(use, region.ReportsOf(tx, t))
}

// stoppedState is the state of an instance that does not run; empty: it does.
func stoppedState(tx *state.Txn, id string) string {
	v, found := region.Instances.Get(tx, id)
	switch {
	case !found:
		return string(region.InstanceTerminated)
	case v.State == region.InstanceRunning || v.State == region.InstancePending:
		return ""
	}
	return string(v.State)
}

func showHealth(g region.TargetGroup, t region.Target, v region.TargetVerdict) targetHealthDescription {
	shown := targetHealthDescription{Target: target{ID: t.ID, Port: t.Port, QuicServerID: t.QuicServerID},
		HealthCheckPort: g.Check.Port, TargetHealth: targetHealth{string(v.State), v.Reason, v.Description}}
	if g.Type == "ip" {
		shown.Target.AvailabilityZone = t.Zone
	}
	if g.Check.Port == "traffic-port" {
		shown.HealthCheckPort = strconv.Itoa(t.Port)
	}
	if g.Type == "lambda" {
		shown.HealthCheckPort = ""
	}
	return shown
}

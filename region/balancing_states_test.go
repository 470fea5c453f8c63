package region

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/state"
)

const balancing = "arn:aws:elasticloadbalancing:us-east-1:123456789012:"

var (
	webBalancer = LoadBalancer{Name: "web", ID: "0123456789abcdef", Type: ApplicationBalancer,
		ARN: balancing + "loadbalancer/app/web/0123456789abcdef", Scheme: SchemeInternal}
	webListener = Listener{ARN: balancing + "listener/app/web/0123456789abcdef/fedcba9876543210", Port: 80,
		LoadBalancer: webBalancer.ARN, Actions: forwardTo("front")}
	webRule = ListenerRule{ARN: balancing + "listener-rule/app/web/0123456789abcdef/fedcba9876543210/0011223344556677",
		Listener: webListener.ARN, Priority: 7, Actions: forwardTo("back")}
)

func groupARN(name string) string { return balancing + "targetgroup/" + name + "/00112233aabbccdd" }

func forwardTo(name string) []RuleAction {
	return []RuleAction{{Type: ActionForward, Forward: &ForwardAction{Groups: []WeightedGroup{{groupARN(name), 1}}}}}
}

// Every state is tried from every other: what balancerStates has is done, and what it has not changes nothing.
func TestBalancerTransitions(t *testing.T) {
	for from := range balancerStates {
		for next := range balancerStates {
			if from == noBalancer || next == noBalancer {
				continue
			}
			b := webBalancer
			b.State = from
			m := NewMemory(func(tx *state.Txn) { LoadBalancers.Put(tx, b.Key(), b) })
			err := m.Update(context.Background(), func(tx *state.Txn) error { return MoveBalancer(tx, b.Key(), next, "why") })
			var after LoadBalancer
			m.View(func(tx *state.Txn) error { after, _ = FindBalancer(tx, b.ARN); return nil })
			if allowed := from.MayBecome(next); allowed != (err == nil) || allowed != (after.StateReason == "why") ||
				allowed && after.State != next {
				t.Errorf("%s -> %s: %v, and it is %s", from, next, err, after.State)
			}
		}
	}
}

func TestBalancerGoesWithItsListenersAndWhatWasFoundOfItsTargets(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := NewMemory(func(tx *state.Txn) {
		Listeners.Put(tx, webListener.Key(), webListener)
		ListenerRules.Put(tx, webRule.Key(), webRule)
		RegisterTarget(tx, Target{Group: "front", ID: "i-1", Port: 80}, now)
		RegisterTarget(tx, Target{Group: "back", ID: "10.0.0.1", Port: 80}, now)
	})
	update := func(fn func(tx *state.Txn) error) error { return m.Update(context.Background(), fn) }
	create := func(tx *state.Txn) error { _, err := CreateBalancer(tx, webBalancer, true, now); return err }
	if err := update(create); err != nil {
		t.Fatal(err)
	}
	if err := update(create); err == nil {
		t.Error("a name is taken twice")
	}
	for _, group := range []string{"front", "back"} {
		err := update(func(tx *state.Txn) error {
			target := TargetsOf(tx, group)[0]
			return ReportTarget(tx, TargetReport{Group: group, ID: target.ID, Port: 80, Zone: "us-east-1a", State: TargetHealthy})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	m.View(func(tx *state.Txn) error {
		for _, group := range []string{"front", "back"} {
			if users := BalancersUsing(tx, groupARN(group)); !slices.Equal(users, []string{webBalancer.ARN}) {
				t.Errorf("%s is used by %v", group, users)
			}
		}
		return nil
	})
	update(func(tx *state.Txn) error { DeleteBalancer(tx, webBalancer); return nil })
	m.View(func(tx *state.Txn) error {
		if left := len(Listeners.List(tx)) + len(ListenerRules.List(tx)) + len(TargetReports.List(tx)); left > 0 {
			t.Errorf("%d records are left", left)
		}
		if len(Targets.List(tx)) != 2 {
			t.Error("target groups lose their targets")
		}
		return nil
	})
}

func TestReportsFollowOneAnother(t *testing.T) {
	for from := range reported {
		for next := range reported {
			if from == "" || next == "" {
				continue
			}
			r := TargetReport{Group: "g", ID: "i-1", Port: 80, Zone: "us-east-1a", State: from}
			m := NewMemory(func(tx *state.Txn) {
				Targets.Put(tx, TargetKey("g", "i-1", 80), Target{Group: "g", ID: "i-1", Port: 80})
				TargetReports.Put(tx, r.Key(), r)
			})
			r.State = next
			err := m.Update(context.Background(), func(tx *state.Txn) error { return ReportTarget(tx, r) })
			if from.MayBecome(next) != (err == nil) {
				t.Errorf("%s -> %s: %v", from, next, err)
			}
		}
	}
	m := NewMemory(func(*state.Txn) {})
	if m.Update(context.Background(), func(tx *state.Txn) error {
		return ReportTarget(tx, TargetReport{Group: "g", ID: "i-1", Zone: "us-east-1a", State: TargetHealthy})
	}) == nil {
		t.Error("what is no target has a report")
	}
}

func TestTargetsDrainAndComeBack(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	target := Target{Group: "g", ID: "i-1", Port: 80}
	m := NewMemory(func(tx *state.Txn) { RegisterTarget(tx, target, now) })
	step := func(at time.Duration, fn func(tx *state.Txn, now time.Time)) (left []Target) {
		at2 := now.Add(at)
		m.Update(context.Background(), func(tx *state.Txn) error { fn(tx, at2); return nil })
		m.View(func(tx *state.Txn) error { left = LiveTargets(tx, "g", at2); return nil })
		return left
	}
	deregister := func(tx *state.Txn, now time.Time) { DeregisterTarget(tx, target.Key(), time.Minute, now) }
	nothing := func(*state.Txn, time.Time) {}
	if left := step(0, deregister); len(left) != 1 || !left[0].IsDraining() {
		t.Errorf("after its deregistration: %+v", left)
	}
	step(50*time.Second, deregister) // does not begin anew
	if left := step(time.Minute, nothing); len(left) != 0 {
		t.Errorf("after its time: %+v", left)
	}
	if left := step(time.Minute, func(tx *state.Txn, now time.Time) { RegisterTarget(tx, target, now) }); len(left) != 1 ||
		left[0].IsDraining() || !left[0].RegisteredAt.Equal(now.Add(time.Minute)) {
		t.Errorf("registered again: %+v", left)
	}
	step(time.Minute, deregister)
	step(time.Hour, func(tx *state.Txn, now time.Time) { ForgetDrained(tx, "g", now) })
	m.View(func(tx *state.Txn) error {
		if len(Targets.List(tx)) != 0 {
			t.Error("what has drained is kept")
		}
		return nil
	})
}

func TestVerdictIsTheWorstOfAllZones(t *testing.T) {
	report := func(zone string, s TargetHealth, reason string) TargetReport {
		return TargetReport{Zone: zone, State: s, Reason: reason}
	}
	healthy, failing := report("a", TargetHealthy, ""), report("b", TargetUnhealthy, ReasonTimeout)
	used := TargetUse{InUse: true, Zones: []string{"a", "b"}}
	draining := Target{DrainingSince: time.Unix(1, 0)}
	for name, c := range map[string]struct {
		target Target
		use    TargetUse
		found  []TargetReport
		want   string
	}{
		"nobody has looked":           {Target{Zone: "a"}, used, nil, "initial Elb.RegistrationInProgress"},
		"one zone finds it healthy":   {Target{}, used, []TargetReport{healthy}, "healthy "},
		"one zone finds it unhealthy": {Target{}, used, []TargetReport{healthy, failing}, "unhealthy Target.Timeout"},
		"that zone is not used": {Target{}, TargetUse{InUse: true, Zones: []string{"a"}}, []TargetReport{healthy, failing},
			"healthy "},
		"it drains":              {draining, used, []TargetReport{failing}, "draining Target.DeregistrationInProgress"},
		"no load balancer":       {Target{}, TargetUse{}, nil, "unused Target.NotInUse"},
		"its zone is not used":   {Target{Zone: "c"}, used, nil, "unused Target.NotInUse"},
		"it is outside of zones": {Target{Zone: "all"}, used, []TargetReport{healthy}, "healthy "},
		"its instance is stopped": {Target{}, TargetUse{InUse: true, Stopped: "stopped"}, nil,
			"unused Target.InvalidState"},
		"nobody is to look": {Target{}, TargetUse{InUse: true, Unchecked: true}, nil,
			"unavailable Target.HealthCheckDisabled"},
	} {
		if got := c.target.Verdict(c.use, c.found); string(got.State)+" "+got.Reason != c.want {
			t.Errorf("%s: %+v, not %s", name, got, c.want)
		}
	}
}

func TestBalancersHaveAWSsNamesBelowLocalhost(t *testing.T) {
	for _, c := range []struct {
		kind                 BalancerType
		scheme, begins, ends string
	}{
		{NetworkBalancer, SchemeInternal, "Web-0123456789abcdef", ".elb.us-east-1.localhost"},
		{ApplicationBalancer, SchemeInternal, "internal-Web-", ".us-east-1.elb.localhost"},
		{ApplicationBalancer, SchemeInternetFacing, "Web-", ".us-east-1.elb.localhost"},
		{ClassicBalancer, SchemeInternetFacing, "Web-", ".us-east-1.elb.localhost"},
	} {
		got := BalancerDNSName(c.kind, c.scheme, "Web", webBalancer.ID, "us-east-1")
		if !strings.HasPrefix(got, c.begins) || !strings.HasSuffix(got, c.ends) {
			t.Errorf("%s %s: %s", c.kind, c.scheme, got)
		}
	}
}

func TestARNsLeadToRecords(t *testing.T) {
	m := NewMemory(func(tx *state.Txn) { LoadBalancers.Put(tx, webBalancer.Key(), webBalancer) })
	m.View(func(tx *state.Txn) error {
		for arn, want := range map[string]bool{webBalancer.ARN: true, webListener.ARN: false,
			balancing + "loadbalancer/app/web/0000": false, balancing + "loadbalancer/web": false, "": false,
			balancing + "loadbalancer/net/web/0123456789abcdef": false, balancing + "loadbalancer/app": false} {
			if _, found := FindBalancer(tx, arn); found != want {
				t.Errorf("%s: found is %v", arn, found)
			}
		}
		return nil
	})
	if name := TargetGroupName(groupARN("front")); name != "front" {
		t.Errorf("the target group is %q", name)
	}
	if key := webRule.Key(); !strings.HasPrefix(key, webListener.Key()+"/") || !strings.HasPrefix(key, webBalancer.Path()+"/") {
		t.Errorf("a rule's key is %q", key)
	}
	if !strings.HasPrefix(webListener.DefaultRuleARN(), strings.TrimSuffix(webRule.ARN, "0011223344556677")) {
		t.Errorf("the default rule is %s", webListener.DefaultRuleARN())
	}
}

func TestDefaultsFollowTheProtocol(t *testing.T) {
	for _, c := range []struct {
		g          TargetGroup
		name, want string
	}{
		{TargetGroup{Type: "instance", Protocol: "HTTP"}, "stickiness.type", "lb_cookie"},
		{TargetGroup{Type: "instance", Protocol: "TCP"}, "preserve_client_ip.enabled", "true"},
		{TargetGroup{Type: "ip", Protocol: "TCP"}, "preserve_client_ip.enabled", "false"},
		{TargetGroup{Type: "ip", Protocol: "TCP_UDP"}, "preserve_client_ip.enabled", "true"},
		{TargetGroup{Type: "lambda"}, "deregistration_delay.timeout_seconds", ""},
		{TargetGroup{Type: "ip", Protocol: "TCP", Attributes: map[string]string{"stickiness.enabled": "true"}},
			"stickiness.enabled", "true"},
	} {
		if got := c.g.Attribute(c.name); got != c.want {
			t.Errorf("%s of %s %s is %q, not %q", c.name, c.g.Protocol, c.g.Type, got, c.want)
		}
	}
	if got := (LoadBalancer{Type: NetworkBalancer}).Attribute("load_balancing.cross_zone.enabled"); got != "false" {
		t.Errorf("network load balancers are cross-zone: %s", got)
	}
}

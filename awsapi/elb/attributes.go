package elb

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// attribute is an attribute of a load balancer, a listener or a target group.
type attribute struct{ Key, Value string }

// values says which values an attribute takes: one of a few, a number, or what a pattern has.
type values struct {
	among       []string
	least, most int
	pattern     *regexp.Regexp
}

var (
	switches = values{among: []string{"true", "false"}}
	anyText  = values{pattern: regexp.MustCompile(`(?s)^.*$`)}
	percents = values{pattern: regexp.MustCompile(`^(off|[1-9][0-9]?|100)$`)}
)

func numbers(least, most int) values { return values{least: least, most: most} }

func words(among ...string) values { return values{among: among} }

// attributeValues are the values of attributes that are no switches, after AWS's documentation.
var attributeValues = map[string]values{
	"access_logs.s3.bucket": anyText, "access_logs.s3.prefix": anyText,
	"connection_logs.s3.bucket": anyText, "connection_logs.s3.prefix": anyText,
	"health_check_logs.s3.bucket": anyText, "health_check_logs.s3.prefix": anyText,
	"client_keep_alive.seconds":               numbers(60, 604800),
	"idle_timeout.timeout_seconds":            numbers(1, 4000),
	"routing.http.desync_mitigation_mode":     words("monitor", "defensive", "strictest"),
	"routing.http.xff_header_processing.mode": words("append", "preserve", "remove"),
	"dns_record.client_routing_policy": words("any_availability_zone", "availability_zone_affinity",
		"partial_availability_zone_affinity"),
	"secondary_ips.auto_assigned.per_subnet": numbers(0, 7),

	"tcp.idle_timeout.seconds": numbers(60, 6000),

	"deregistration_delay.timeout_seconds":        numbers(0, 3600),
	"load_balancing.algorithm.anomaly_mitigation": words("on", "off"),
	"load_balancing.algorithm.type":               words("round_robin", "least_outstanding_requests", "weighted_random"),
	"slow_start.duration_seconds":                 numbers(0, 900),
	"stickiness.app_cookie.cookie_name":           anyText,
	"stickiness.app_cookie.duration_seconds":      numbers(1, 604800),
	"stickiness.lb_cookie.duration_seconds":       numbers(1, 604800),
	"stickiness.type": words("lb_cookie", "app_cookie", "source_ip", "source_ip_dest_ip",
		"source_ip_dest_ip_proto"),
	"target_failover.on_deregistration":                                              words("rebalance", "no_rebalance"),
	"target_failover.on_unhealthy":                                                   words("rebalance", "no_rebalance"),
	"target_health_state.unhealthy.draining_interval_seconds":                        numbers(0, 360000),
	"target_group_health.dns_failover.minimum_healthy_targets.count":                 {pattern: regexp.MustCompile(`^(off|[1-9][0-9]{0,3})$`)},
	"target_group_health.dns_failover.minimum_healthy_targets.percentage":            percents,
	"target_group_health.unhealthy_state_routing.minimum_healthy_targets.count":      numbers(1, 1000),
	"target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": percents,
}

// valuesOf are those that an attribute takes.
func valuesOf(key, byDefault string) values {
	if v, special := attributeValues[key]; special {
		return v
	}
	switch {
	case strings.HasSuffix(key, ".header_value"), strings.HasSuffix(key, ".header_name"):
		return anyText
	case byDefault == "use_load_balancer_configuration": // of a target group; a load balancer's is a switch
		return words("true", "false", byDefault)
	}
	return switches
}

// check refuses what is no value of the attribute.
func (v values) check(a attribute) error {
	switch {
	case v.among != nil:
		if !slices.Contains(v.among, a.Value) {
			return invalid("'%s' must be one of [%s], not '%s'", a.Key, strings.Join(v.among, ", "), wire.Clip(a.Value))
		}
	case v.pattern != nil:
		if !v.pattern.MatchString(a.Value) {
			return invalid("The value of '%s' is not valid: '%s'", a.Key, wire.Clip(a.Value))
		}
	default:
		if n, err := strconv.Atoi(a.Value); err != nil || n < v.least || n > v.most {
			return invalid("'%s' must be between '%d-%d' inclusive, not '%s'", a.Key, v.least, v.most, wire.Clip(a.Value))
		}
	}
	return nil
}

// attributed are the attributes of something, and how sentences speak of it.
type attributed struct {
	noun     string            // Load balancer
	what     string            // load balancers with type 'network'
	defaults map[string]string // all that it has
	others   func(key string) bool
}

// set lays attributes over those that were set.
func (of attributed) set(before map[string]string, given []attribute) (map[string]string, error) {
	after := map[string]string{}
	maps.Copy(after, before)
	for i, a := range given {
		byDefault, known := of.defaults[a.Key]
		twice := slices.ContainsFunc(given[:i], func(other attribute) bool { return other.Key == a.Key })
		switch {
		case a.Key == "":
			return nil, invalid("%s attribute key must be specified", of.noun)
		case twice:
			return nil, invalid("%s attribute key '%s' was specified more than once", of.noun, wire.Clip(a.Key))
		case !known && of.others(a.Key):
			return nil, unsuitable("%s attribute key '%s' is not supported on %s", of.noun, wire.Clip(a.Key), of.what)
		case !known:
			return nil, invalid("%s attribute key '%s' is not recognized", of.noun, wire.Clip(a.Key))
		}
		if err := valuesOf(a.Key, byDefault).check(a); err != nil {
			return nil, err
		}
		after[a.Key] = a.Value
	}
	return after, nil
}

// shown are all attributes, each as it was set or by default.
func (of attributed) shown(set map[string]string) (all wire.QueryList[attribute]) {
	for _, key := range slices.Sorted(maps.Keys(of.defaults)) {
		value, found := set[key]
		if !found {
			value = of.defaults[key]
		}
		all = append(all, attribute{key, value})
	}
	return all
}

func attributedBalancer(b region.LoadBalancer) attributed {
	return attributed{"Load balancer", "load balancers with type '" + string(b.Type) + "'", region.BalancerDefaults(b.Type),
		func(key string) bool {
			for _, kind := range []region.BalancerType{region.ApplicationBalancer, region.NetworkBalancer} {
				if _, has := region.BalancerDefaults(kind)[key]; has {
					return true
				}
			}
			return false
		}}
}

func attributedListener(l region.Listener) attributed {
	return attributed{"Listener", "listeners with the protocol '" + l.Protocol + "'", region.ListenerDefaults(l.Protocol),
		func(key string) bool {
			_, http := region.ListenerDefaults("HTTPS")[key]
			_, tcp := region.ListenerDefaults("TCP")[key]
			return http || tcp
		}}
}

func attributedGroup(g region.TargetGroup) attributed {
	what := "target groups with the protocol '" + g.Protocol + "'"
	if g.Type == "lambda" || g.Type == "alb" {
		what = "target groups with target type '" + g.Type + "'"
	}
	return attributed{"Target group", what, g.Defaults(), func(key string) bool {
		for _, other := range []region.TargetGroup{{Type: "instance", Protocol: "HTTP"}, {Type: "instance", Protocol: "TCP"},
			{Type: "lambda"}, {Type: "instance", Protocol: "GENEVE"}} {
			if _, has := other.Defaults()[key]; has {
				return true
			}
		}
		return false
	}}
}

type attributesOutput struct{ Attributes wire.QueryList[attribute] }

type balancerAttributesInput struct {
	LoadBalancerArn string
	Attributes      []attribute
}

func (s *Service) modifyLoadBalancerAttributes(call *operation.Call, in *balancerAttributesInput) (*attributesOutput, error) {
	return change(s, call, func(tx *state.Txn, out *attributesOutput) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		if err != nil {
			return err
		}
		of := attributedBalancer(b)
		if b.Attributes, err = of.set(b.Attributes, in.Attributes); err != nil {
			return err
		}
		for _, logs := range []string{"access_logs", "connection_logs", "health_check_logs"} {
			if b.Attribute(logs+".s3.enabled") == "true" && b.Attribute(logs+".s3.bucket") == "" {
				return unsuitable("The value of '%s.s3.bucket' cannot be empty when '%s.s3.enabled' is 'true'", logs, logs)
			}
		}
		region.LoadBalancers.Put(tx, b.Key(), b)
		out.Attributes = of.shown(b.Attributes)
		return nil
	})
}

func (s *Service) describeLoadBalancerAttributes(call *operation.Call, in *arnInput) (*attributesOutput, error) {
	return view(s, call, func(tx *state.Txn, out *attributesOutput) error {
		b, err := balancer(tx, in.LoadBalancerArn)
		out.Attributes = attributedBalancer(b).shown(b.Attributes)
		return err
	})
}

type listenerAttributesInput struct {
	ListenerArn string
	Attributes  []attribute
}

func (s *Service) modifyListenerAttributes(call *operation.Call, in *listenerAttributesInput) (*attributesOutput, error) {
	return change(s, call, func(tx *state.Txn, out *attributesOutput) error {
		l, _, err := listener(tx, in.ListenerArn)
		if err != nil {
			return err
		}
		if l.Attributes, err = attributedListener(l).set(l.Attributes, in.Attributes); err != nil {
			return err
		}
		region.Listeners.Put(tx, l.Key(), l)
		out.Attributes = attributedListener(l).shown(l.Attributes)
		return nil
	})
}

type listenerInput struct{ ListenerArn string }

func (s *Service) describeListenerAttributes(call *operation.Call, in *listenerInput) (*attributesOutput, error) {
	return view(s, call, func(tx *state.Txn, out *attributesOutput) error {
		l, _, err := listener(tx, in.ListenerArn)
		out.Attributes = attributedListener(l).shown(l.Attributes)
		return err
	})
}

type groupAttributesInput struct {
	TargetGroupArn string
	Attributes     []attribute
}

func (s *Service) modifyTargetGroupAttributes(call *operation.Call, in *groupAttributesInput) (*attributesOutput, error) {
	return change(s, call, func(tx *state.Txn, out *attributesOutput) error {
		g, err := targetGroup(tx, in.TargetGroupArn)
		if err != nil {
			return err
		}
		if g.Attributes, err = attributedGroup(g).set(g.Attributes, in.Attributes); err != nil {
			return err
		}
		if err := checkStickiness(g); err != nil {
			return err
		}
		region.TargetGroups.Put(tx, g.Name, g)
		out.Attributes = attributedGroup(g).shown(g.Attributes)
		return nil
	})
}

// stickinessTypes are those of a target group's protocol.
func stickinessTypes(g region.TargetGroup) []string {
	switch {
	case g.Protocol == "GENEVE":
		return []string{"source_ip_dest_ip_proto", "source_ip_dest_ip"}
	case strings.HasPrefix(g.Protocol, "HTTP"), g.Type == "lambda":
		return []string{"lb_cookie", "app_cookie"}
	}
	return []string{"source_ip"}
}

func checkStickiness(g region.TargetGroup) error {
	kind := g.Attribute("stickiness.type")
	switch {
	case !slices.Contains(stickinessTypes(g), kind):
		return unsuitable("Stickiness type '%s' is not supported for target groups with the %s protocol", kind, g.Protocol)
	case g.Attribute("stickiness.enabled") != "true":
		return nil
	case g.Protocol == "TLS":
		return unsuitable("You cannot enable stickiness on target groups with the TLS protocol")
	case kind == "app_cookie" && g.Attribute("stickiness.app_cookie.cookie_name") == "":
		return unsuitable("You must set an application cookie name to enable stickiness of type 'app_cookie'")
	}
	return nil
}

type groupInput struct{ TargetGroupArn string }

func (s *Service) describeTargetGroupAttributes(call *operation.Call, in *groupInput) (*attributesOutput, error) {
	return view(s, call, func(tx *state.Txn, out *attributesOutput) error {
		g, err := targetGroup(tx, in.TargetGroupArn)
		out.Attributes = attributedGroup(g).shown(g.Attributes)
		return err
	})
}

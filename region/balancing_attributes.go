package region

import (
	"maps"
	"strings"
)

// Attribute is the value of a load balancer's attribute: that which was set, or the default of its type; empty where its
// type has no such attribute.
func (b LoadBalancer) Attribute(name string) string {
	return valueOr(b.Attributes, BalancerDefaults(b.Type), name)
}

// Attribute is the value of a listener's attribute.
func (l Listener) Attribute(name string) string {
	return valueOr(l.Attributes, ListenerDefaults(l.Protocol), name)
}

// Attribute is the value of a target group's attribute.
func (g TargetGroup) Attribute(name string) string { return valueOr(g.Attributes, g.Defaults(), name) }

// AllAttributes are the target group's, with the defaults of those that were not set.
func (g TargetGroup) AllAttributes() map[string]string {
	all := g.Defaults()
	maps.Copy(all, g.Attributes)
	return all
}

func valueOr(set, defaults map[string]string, name string) string {
	if value, found := set[name]; found {
		return value
	}
	return defaults[name]
}

// BalancerDefaults are the attributes of load balancers of a type, with AWS's defaults. Those of classic ones have the
// names of the other API where that has the same, and connection_draining.enabled and .timeout.
func BalancerDefaults(kind BalancerType) map[string]string { return balancerDefaults[kind] }

var balancerDefaults = map[BalancerType]map[string]string{
	ApplicationBalancer: withLogs(map[string]string{
		"client_keep_alive.seconds":                                "3600",
		"connection_logs.s3.bucket":                                "",
		"connection_logs.s3.enabled":                               "false",
		"connection_logs.s3.prefix":                                "",
		"deletion_protection.enabled":                              "false",
		"health_check_logs.s3.bucket":                              "",
		"health_check_logs.s3.enabled":                             "false",
		"health_check_logs.s3.prefix":                              "",
		"idle_timeout.timeout_seconds":                             "60",
		"ipv6.deny_all_igw_traffic":                                "false",
		"load_balancing.cross_zone.enabled":                        "true",
		"routing.http.desync_mitigation_mode":                      "defensive",
		"routing.http.drop_invalid_header_fields.enabled":          "false",
		"routing.http.preserve_host_header.enabled":                "false",
		"routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
		"routing.http.xff_client_port.enabled":                     "false",
		"routing.http.xff_header_processing.mode":                  "append",
		"routing.http2.enabled":                                    "true",
		"waf.fail_open.enabled":                                    "false",
		"zonal_shift.config.enabled":                               "false",
	}),
	NetworkBalancer: withLogs(map[string]string{
		"deletion_protection.enabled":            "false",
		"dns_record.client_routing_policy":       "any_availability_zone",
		"ipv6.deny_all_igw_traffic":              "false",
		"load_balancing.cross_zone.enabled":      "false",
		"secondary_ips.auto_assigned.per_subnet": "0",
		"zonal_shift.config.enabled":             "false",
	}),
	GatewayBalancer: {
		"deletion_protection.enabled":       "false",
		"load_balancing.cross_zone.enabled": "false",
	},
	ClassicBalancer: withLogs(map[string]string{
		"access_logs.emit_interval":           "60",
		"connection_draining.enabled":         "false",
		"connection_draining.timeout":         "300",
		"idle_timeout.timeout_seconds":        "60",
		"load_balancing.cross_zone.enabled":   "false",
		"routing.http.desync_mitigation_mode": "defensive",
	}),
}

func withLogs(of map[string]string) map[string]string {
	of["access_logs.s3.bucket"], of["access_logs.s3.enabled"], of["access_logs.s3.prefix"] = "", "false", ""
	return of
}

// ListenerDefaults are the attributes of listeners of a protocol, with AWS's defaults.
func ListenerDefaults(protocol string) map[string]string {
	switch protocol {
	case "HTTP", "HTTPS":
		all := map[string]string{"routing.http.response.server.enabled": "true"}
		for _, name := range ResponseHeaders {
			all["routing.http.response."+name+".header_value"] = ""
		}
		if protocol == "HTTPS" {
			for _, name := range requestHeaders {
				all["routing.http.request."+name+".header_name"] = ""
			}
		}
		return all
	case "TCP", "GENEVE", "TCP_UDP":
		return map[string]string{"tcp.idle_timeout.seconds": "350"}
	}
	return nil
}

// ResponseHeaders are the headers that listeners of application load balancers set, as their attributes are called:
// routing.http.response.NAME.header_value. requestHeaders are those whose names they change.
var (
	ResponseHeaders = []string{"access_control_allow_credentials", "access_control_allow_headers",
		"access_control_allow_methods", "access_control_allow_origin", "access_control_expose_headers",
		"access_control_max_age", "content_security_policy", "strict_transport_security", "x_content_type_options",
		"x_frame_options"}
	requestHeaders = []string{"x_amzn_mtls_clientcert", "x_amzn_mtls_clientcert_issuer", "x_amzn_mtls_clientcert_leaf",
		"x_amzn_mtls_clientcert_serial_number", "x_amzn_mtls_clientcert_subject", "x_amzn_mtls_clientcert_validity",
		"x_amzn_tls_cipher_suite", "x_amzn_tls_version"}
)

// Defaults are the attributes of target groups of this one's type and protocol, with AWS's defaults.
func (g TargetGroup) Defaults() map[string]string {
	all := map[string]string{}
	if g.Type == "lambda" {
		all["lambda.multi_value_headers.enabled"] = "false"
	} else {
		all["deregistration_delay.timeout_seconds"] = "300"
	}
	if g.Protocol == "GENEVE" {
		maps.Copy(all, map[string]string{"stickiness.enabled": "false", "stickiness.type": "source_ip_dest_ip_proto",
			"target_failover.on_deregistration": "no_rebalance", "target_failover.on_unhealthy": "no_rebalance"})
		return all
	}
	all["stickiness.enabled"], all["load_balancing.cross_zone.enabled"] = "false", "use_load_balancer_configuration"
	for _, what := range []string{"dns_failover", "unhealthy_state_routing"} {
		all["target_group_health."+what+".minimum_healthy_targets.count"] = "1"
		all["target_group_health."+what+".minimum_healthy_targets.percentage"] = "off"
	}
	if g.Type == "lambda" || strings.HasPrefix(g.Protocol, "HTTP") {
		maps.Copy(all, map[string]string{
			"load_balancing.algorithm.anomaly_mitigation": "off",
			"load_balancing.algorithm.type":               "round_robin",
			"slow_start.duration_seconds":                 "0",
			"stickiness.app_cookie.cookie_name":           "",
			"stickiness.app_cookie.duration_seconds":      "86400",
			"stickiness.lb_cookie.duration_seconds":       "86400",
			"stickiness.type":                             "lb_cookie",
		})
		return all
	}
	udp := g.Protocol == "UDP" || g.Protocol == "TCP_UDP" || strings.Contains(g.Protocol, "QUIC")
	maps.Copy(all, map[string]string{
		"deregistration_delay.connection_termination.enabled":          yes(false),
		"preserve_client_ip.enabled":                                   yes(udp || g.Type == "instance"),
		"proxy_protocol_v2.enabled":                                    yes(false),
		"stickiness.type":                                              "source_ip",
		"target_health_state.unhealthy.connection_termination.enabled": yes(true),
		"target_health_state.unhealthy.draining_interval_seconds":      "0",
	})
	return all
}

func yes(is bool) string {
	if is {
		return "true"
	}
	return "false"
}

package monitoring

// Dashboards are all that come with Tripod.
var Dashboards = []Dashboard{region, failover, etcd, apiServers, nodes, calls, cronJobs}

var region = Dashboard{Name: "region", Title: "Region by zone", Rows: []Row{
	{"Now", []Panel{
		now("Zones that are ready", "short", Query{"sum(tripod_zone_up)", ""}),
		now("Quorum", "short", Query{"tripod_quorum", "1 while there is one"}),
		list("Faults in force", "short", Query{"tripod_fault == 1", ""}),
	}},
	{"Zones", []Panel{
		states("Zone is ready", Query{"tripod_zone_up", "{{zone}}"}),
		states("Processes are ready", Query{"tripod_instance_up", "{{cluster}} {{component}} {{zone}}"}),
		lines("Starts of processes in 15 minutes", "short",
			Query{"increase(tripod_instance_restarts_total[15m])", "{{cluster}} {{component}} {{zone}}"}),
	}},
	{"Ways", []Panel{
		states("Balancers' targets are healthy", Query{"tripod_lb_target_healthy", "{{balancer}} {{target}}"}),
		states("Links between zones are well", Query{"tripod_gateway_link_healthy", "{{zone}} to {{to}}"}),
		lines("Connections through gateways", "short",
			Query{"sum by (zone, to) (tripod_gateway_open_connections)", "{{zone}} to {{to}}"}),
		lines("New connections through gateways, by outcome", "reqps",
			Query{"sum by (outcome) (rate(tripod_gateway_connections_total[2m]))", "{{outcome}}"}),
		lines("Open connections of balancers", "short",
			Query{"sum by (balancer, target) (tripod_lb_connections_open)", "{{balancer}} {{target}}"}),
		lines("Bytes of balancers", "Bps", Query{"sum by (balancer, direction) (rate(tripod_lb_bytes_total[2m]))",
			"{{balancer}} {{direction}}"}),
	}},
	{"Machine", []Panel{
		lines("Memory of the region", "bytes", Query{"tripod_memory_bytes", "all processes"}),
		lines("Processes of the machine that wait", "percentunit", Query{"tripod_machine_pressure_ratio", "for the {{resource}}"}),
		states("The machine is too busy", Query{"tripod_machine_overloaded", "overloaded"}),
	}},
}}

var failover = Dashboard{Name: "failover", Title: "Failover", Clusters: true, Rows: []Row{
	{"Who led when", []Panel{
		states("Regional state", Query{`tripod_leader{component="regional-state"}`, "{{zone}}"}),
		states("etcd", Query{`tripod_leader{cluster="$cluster", component="etcd"}`, "{{zone}}"}),
		states("Controllers and scheduler",
			Query{`tripod_leader{cluster="$cluster", component=~"kube-.*|cloud-.*"}`, "{{component}} {{zone}}"}),
	}},
	{"Gaps", []Panel{
		lines("Writes that API servers have answered well", "reqps", Query{`sum by (zone) (rate(apiserver_request_total{job="apiserver", ` +
			`cluster="$cluster", verb=~"POST|PUT|PATCH|DELETE", code=~"2.."}[1m]))`, "{{zone}}"}),
		lines("Requests that failed", "reqps", Query{`sum by (zone, code) (rate(apiserver_request_total{job="apiserver", ` +
			`cluster="$cluster", code=~"5.."}[1m]))`, "{{zone}} {{code}}"}),
		lines("Proposals to etcd", "reqps", Query{`rate(etcd_server_proposals_committed_total{job="etcd", cluster="$cluster"}[1m])`,
			"committed {{zone}}"}, Query{`rate(etcd_server_proposals_failed_total{job="etcd", cluster="$cluster"}[1m])`, "failed {{zone}}"}),
	}},
	{"Endpoint", []Panel{
		states("Targets are healthy", Query{`tripod_lb_target_healthy{balancer="$cluster"}`, "{{target}}"}),
		lines("New connections", "reqps", Query{`rate(tripod_lb_connections_total{balancer="$cluster"}[1m])`, "{{target}}"}),
		lines("Connections that were reset, or left a target", "reqps",
			Query{`rate(tripod_lb_resets_total{balancer="$cluster"}[1m])`, "reset {{target}}"},
			Query{`rate(tripod_lb_retries_total{balancer="$cluster"}[1m])`, "left {{target}}"}),
	}},
	{"Regional state", []Panel{
		lines("Term", "short", Query{"tripod_region_term", "{{zone}}"}),
		lines("Time since voters heard one another", "s", Query{"tripod_region_last_contact_seconds", "{{zone}} {{voter}}"}),
		lines("Changes behind the newest", "short",
			Query{"max(tripod_region_commit_index) - on () group_right () tripod_region_applied_index", "{{zone}}"}),
	}},
}}

var calls = Dashboard{Name: "aws", Title: "IAM and AWS calls", Rows: []Row{
	{"Calls", []Panel{
		lines("Calls by service", "reqps", Query{"sum by (service) (rate(tripod_aws_requests_total[2m]))", "{{service}}"}),
		lines("Calls by result", "reqps", Query{"sum by (code) (rate(tripod_aws_requests_total[2m]))", "{{code}}"}),
		lines("99th percentile", "s", Query{
			"histogram_quantile(0.99, sum by (service, le) (rate(tripod_aws_request_duration_seconds_bucket[5m])))", "{{service}}"}),
	}},
	{"IAM", []Panel{
		lines("Calls that are denied", "reqps", Query{
			`sum by (service, operation) (rate(tripod_aws_requests_total{code=~"AccessDenied.*|UnauthorizedOperation"}[2m]))`,
			"{{service}} {{operation}}"}),
		list("Who was denied what, in 15 minutes", "short", Query{
			`sum by (principal, service, operation) (increase(tripod_aws_requests_total{code=~"AccessDenied.*|UnauthorizedOperation"}[15m])) > 0`,
			""}),
		list("Calls by principal, in 15 minutes", "short",
			Query{"sum by (principal) (increase(tripod_aws_requests_total[15m])) > 0", ""}),
	}},
	{"Limits and faults", []Panel{
		lines("Calls that were throttled", "reqps", Query{
			`sum by (service, operation) (rate(tripod_aws_requests_total{code=~"Throttling.*|RequestLimitExceeded|TooManyRequests.*"}[2m]))`,
			"{{service}} {{operation}}"}),
		lines("Faults that calls met", "reqps", Query{"sum by (service, fault) (rate(tripod_aws_faults_total[2m]))", "{{service}} {{fault}}"}),
		lines("Calls that the history lost", "short", Query{"increase(tripod_aws_history_lost_total[15m])", "{{zone}}"}),
	}},
}}

package monitoring

var etcd = Dashboard{Name: "etcd", Title: "etcd", Clusters: true, Rows: []Row{
	{"Members", []Panel{
		states("Members answer", Query{`up{job="etcd", cluster="$cluster"}`, "{{zone}}"}),
		states("Members know a leader", Query{`etcd_server_has_leader{job="etcd", cluster="$cluster"}`, "{{zone}}"}),
		lines("Changes of the leader in an hour", "short",
			Query{`increase(etcd_server_leader_changes_seen_total{job="etcd", cluster="$cluster"}[1h])`, "{{zone}}"}),
	}},
	{"Writes", []Panel{
		lines("Proposals that wait", "short", Query{`etcd_server_proposals_pending{job="etcd", cluster="$cluster"}`, "{{zone}}"}),
		lines("fsync of the log, 99th percentile", "s", Query{`histogram_quantile(0.99, sum by (zone, le) ` +
			`(rate(etcd_disk_wal_fsync_duration_seconds_bucket{job="etcd", cluster="$cluster"}[5m])))`, "{{zone}}"}),
		lines("Commit, 99th percentile", "s", Query{`histogram_quantile(0.99, sum by (zone, le) ` +
			`(rate(etcd_disk_backend_commit_duration_seconds_bucket{job="etcd", cluster="$cluster"}[5m])))`, "{{zone}}"}),
	}},
	{"Database and peers", []Panel{
		lines("Size, and what is in use of it", "bytes",
			Query{`etcd_mvcc_db_total_size_in_bytes{job="etcd", cluster="$cluster"}`, "size {{zone}}"},
			Query{`etcd_mvcc_db_total_size_in_use_in_bytes{job="etcd", cluster="$cluster"}`, "in use {{zone}}"}),
		lines("To a peer and back, 99th percentile", "s", Query{`histogram_quantile(0.99, sum by (zone, To, le) ` +
			`(rate(etcd_network_peer_round_trip_time_seconds_bucket{job="etcd", cluster="$cluster"}[5m])))`, "{{zone}} to {{To}}"}),
		lines("Memory", "bytes", Query{`process_resident_memory_bytes{job="etcd", cluster="$cluster"}`, "{{zone}}"}),
	}},
}}

var apiServers = Dashboard{Name: "apiservers", Title: "API servers", Clusters: true, Rows: []Row{
	{"Requests", []Panel{
		states("API servers answer", Query{`up{job="apiserver", cluster="$cluster"}`, "{{zone}}"}),
		lines("Requests", "reqps",
			Query{`sum by (zone, verb) (rate(apiserver_request_total{job="apiserver", cluster="$cluster"}[2m]))`, "{{zone}} {{verb}}"}),
		lines("Errors", "reqps", Query{
			`sum by (zone, code) (rate(apiserver_request_total{job="apiserver", cluster="$cluster", code=~"[45].."}[2m]))`,
			"{{zone}} {{code}}"}),
		lines("99th percentile without watches", "s", Query{`histogram_quantile(0.99, sum by (verb, le) ` +
			`(rate(apiserver_request_duration_seconds_bucket{job="apiserver", cluster="$cluster", verb!~"WATCH|CONNECT"}[5m])))`,
			"{{verb}}"}),
		lines("Requests under way", "short",
			Query{`apiserver_current_inflight_requests{job="apiserver", cluster="$cluster"}`, "{{zone}} {{request_kind}}"}),
		lines("Watches", "short", Query{
			`sum by (zone) (apiserver_longrunning_requests{job="apiserver", cluster="$cluster", verb="WATCH"})`, "{{zone}}"}),
	}},
	{"Behind and around them", []Panel{
		lines("Requests to etcd, 99th percentile", "s", Query{`histogram_quantile(0.99, sum by (zone, le) ` +
			`(rate(etcd_request_duration_seconds_bucket{job="apiserver", cluster="$cluster"}[5m])))`, "{{zone}}"}),
		lines("Admission webhooks, 99th percentile", "s", Query{`histogram_quantile(0.99, sum by (name, le) ` +
			`(rate(apiserver_admission_webhook_admission_duration_seconds_bucket{job="apiserver", cluster="$cluster"}[5m])))`,
			"{{name}}"}),
		lines("Queues of the controllers", "short", Query{
			`sum by (name) (workqueue_depth{job="kube-controller-manager", cluster="$cluster"}) > 0`, "{{name}}"}),
		lines("Pods that the scheduler has waiting", "short",
			Query{`sum by (queue) (scheduler_pending_pods{job="kube-scheduler", cluster="$cluster"})`, "{{queue}}"}),
		lines("Pods scheduled", "reqps", Query{
			`sum by (result) (rate(scheduler_schedule_attempts_total{job="kube-scheduler", cluster="$cluster"}[2m]))`, "{{result}}"}),
		lines("Memory", "bytes", Query{`process_resident_memory_bytes{job="apiserver", cluster="$cluster"}`, "{{zone}}"}),
	}},
}}

const kubeState = `{job="kube-state-metrics", cluster="$cluster"`

var nodes = Dashboard{Name: "nodes", Title: "Nodes and pods", Clusters: true, Rows: []Row{
	{"Nodes", []Panel{
		states("Nodes are ready",
			Query{`kube_node_status_condition` + kubeState + `, condition="Ready", status="true"}`, "{{node}}"}),
		lines("Nodes by zone", "short", Query{`count by (label_topology_kubernetes_io_zone) (kube_node_labels` + kubeState + `})`,
			"{{label_topology_kubernetes_io_zone}}"}),
		lines("CPU requested of what there is", "percentunit", Query{
			`sum by (node) (kube_pod_container_resource_requests` + kubeState + `, resource="cpu", node!=""}) / ` +
				`sum by (node) (kube_node_status_allocatable` + kubeState + `, resource="cpu"})`, "{{node}}"}),
		lines("CPU used", "short", Query{
			`sum by (node) (rate(node_cpu_usage_seconds_total{job="kubelet", cluster="$cluster", metrics_path="/metrics/resource"}[2m]))`,
			"{{node}}"}),
		lines("Memory used", "bytes", Query{
			`sum by (node) (node_memory_working_set_bytes{job="kubelet", cluster="$cluster", metrics_path="/metrics/resource"})`, "{{node}}"}),
		lines("Pods", "short", Query{`sum by (node) (kubelet_running_pods{job="kubelet", cluster="$cluster"})`, "{{node}}"}),
	}},
	{"Pods", []Panel{
		lines("Pods by phase", "short", Query{`sum by (phase) (kube_pod_status_phase` + kubeState + `})`, "{{phase}}"}),
		lines("CPU by namespace", "short", Query{`sum by (namespace) (rate(container_cpu_usage_seconds_total{job="kubelet", ` +
			`cluster="$cluster", metrics_path="/metrics/cadvisor", container!=""}[2m]))`, "{{namespace}}"}),
		lines("Memory by namespace", "bytes", Query{`sum by (namespace) (container_memory_working_set_bytes{job="kubelet", ` +
			`cluster="$cluster", metrics_path="/metrics/cadvisor", container!=""})`, "{{namespace}}"}),
		lines("Starts of containers in 15 minutes", "short", Query{
			`sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total` + kubeState + `}[15m])) > 0`,
			"{{namespace}}/{{pod}}"}),
		list("Containers that wait", "short", Query{`kube_pod_container_status_waiting_reason` + kubeState + `} > 0`, ""}),
		lines("Replicas that autoscalers have and want", "short",
			Query{`kube_horizontalpodautoscaler_status_current_replicas` + kubeState + `}`, "{{horizontalpodautoscaler}} has"},
			Query{`kube_horizontalpodautoscaler_status_desired_replicas` + kubeState + `}`, "{{horizontalpodautoscaler}} wants"}),
	}},
	{"Workloads", []Panel{
		lines("Deployments' replicas that are missing", "short", Query{`kube_deployment_spec_replicas` + kubeState +
			`} - kube_deployment_status_replicas_available` + kubeState + `} > 0`, "{{namespace}}/{{deployment}}"}),
		lines("Stateful sets' replicas that are missing", "short", Query{`kube_statefulset_replicas` + kubeState +
			`} - kube_statefulset_status_replicas_ready` + kubeState + `} > 0`, "{{namespace}}/{{statefulset}}"}),
		lines("Daemon sets' pods that are missing", "short", Query{`kube_daemonset_status_desired_number_scheduled` + kubeState +
			`} - kube_daemonset_status_number_available` + kubeState + `} > 0`, "{{namespace}}/{{daemonset}}"}),
	}},
}}

// ofCronJobs are series of jobs with the label cronjob, of those that a CronJob has made.
func ofCronJobs(series string) string {
	return `label_replace(` + series + ` * on (cluster, namespace, job_name) group_left (owner_name) kube_job_owner` + kubeState +
		`, owner_kind="CronJob"}, "cronjob", "$1", "owner_name", "(.+)")`
}

var cronJobs = Dashboard{Name: "cronjobs", Title: "CronJobs", Clusters: true, Rows: []Row{
	{"Starts", []Panel{
		list("Last starts", "dateTimeFromNow", Query{`kube_cronjob_status_last_schedule_time` + kubeState + `} * 1000`, ""}),
		list("Last successes", "dateTimeFromNow", Query{`kube_cronjob_status_last_successful_time` + kubeState + `} * 1000`, ""}),
		list("Next starts", "dateTimeFromNow", Query{`kube_cronjob_next_schedule_time` + kubeState + `} * 1000`, ""}),
		lines("Overdue: missed, when it grows beyond the interval", "s", Query{
			`clamp_min(time() - kube_cronjob_next_schedule_time` + kubeState + `}, 0)`, "{{namespace}}/{{cronjob}}"}),
		lines("Lateness of the last start", "s", Query{`max by (namespace, cronjob) (` +
			ofCronJobs(`kube_job_status_start_time`+kubeState+`}`) + `) - on (namespace, cronjob) max by (namespace, cronjob) ` +
			`(kube_cronjob_status_last_schedule_time` + kubeState + `})`, "{{namespace}}/{{cronjob}}"}),
		states("Suspended", Query{`kube_cronjob_spec_suspend` + kubeState + `}`, "{{namespace}}/{{cronjob}}"}),
	}},
	{"Runs", []Panel{
		lines("Jobs that run", "short", Query{`kube_cronjob_status_active` + kubeState + `}`, "{{namespace}}/{{cronjob}}"}),
		lines("Durations of runs", "s", Query{`max by (namespace, cronjob) (` + ofCronJobs(`(kube_job_status_completion_time`+kubeState+
			`} - kube_job_status_start_time`+kubeState+`})`) + `)`, "{{namespace}}/{{cronjob}}"}),
		lines("Failed jobs that are kept", "short", Query{`sum by (namespace, cronjob) (` +
			ofCronJobs(`kube_job_failed`+kubeState+`, condition="true"}`) + `)`, "{{namespace}}/{{cronjob}}"}),
	}},
}}

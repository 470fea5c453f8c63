package api

import (
	"net/http"
	"slices"
)

// Route is a call of the control API. Package emulator answers it; docs/openapi.json and docs/control-api.md describe it from here
// (package internal/openapi).
type Route struct {
	Name   string // status
	Method string
	// Path is below ControlRoot, with its parameters in braces.
	Path string
	// Looks says that it only looks, or has the region sleep: a region that sleeps is not woken by it.
	Looks bool
	// Scraped says that it is served at the port for a Prometheus too, whose token is good for nothing else.
	Scraped bool
	// Summary is what it does, as a headline; Detail says what else a caller has to know.
	Summary, Detail string
	Params          []Param
	// Body is a value of the type that the request's JSON has; nil: it has no body.
	Body any
	// Answer is a value of the type that the answer's JSON has; nil: the answer is what Media says, or 204 without a body.
	Answer any
	// Media is the answer's media type; empty: application/json. MediaLines has an Answer in each line, MediaUpgrade is a 101
	// and then a raw connection.
	Media string
}

// ControlRoot is before the paths of all Routes.
const ControlRoot = "/v1"

// KubeState is before a cluster's name where the metrics of its objects are meant: kube-state/demo.
const KubeState = "kube-state"

// The media types of answers other than application/json.
const (
	MediaLines   = "application/jsonl"
	MediaMetrics = "text/plain; version=0.0.4; charset=utf-8"
	MediaUpgrade = "tcp"
)

// Param is a part of a call's path or query.
type Param struct {
	Name  string
	Query bool // else it is a part of the path
	// Kind is its JSON type: string, integer or boolean. Values are those that there are; nil: any.
	Kind   string
	Values []string
	Help   string
}

// Refused is the answer to a call that cannot be followed.
type Refused struct {
	Error string `json:"error"` // one sentence, which says what to do
}

var zoneParam = Param{Name: "zone", Query: true, Kind: "string", Help: "the zone's name or its last letter"}

var clusterParam = Param{Name: "name", Kind: "string", Help: "the cluster's name"}

// Routes are all calls of the control API, in the order of its page.
var Routes = slices.Concat(lookRoutes, orderRoutes, questionRoutes)

// lookRoutes do not change anything.
var lookRoutes = []Route{
	{Name: "status", Looks: true, Method: http.MethodGet, Path: "/status", Summary: "Tell the state of the region", Answer: Status{},
		Detail: "A region that sleeps is not woken by it.",
		Params: []Param{{Name: "watching", Query: true, Kind: "boolean",
			Help: "the caller asks again and again: while that goes on the region does not fall asleep by itself"},
			{Name: "cronJobs", Query: true, Kind: "boolean", Help: "read the clusters' CronJobs too, of clusters that have a quorum"}}},
	{Name: "events", Looks: true, Method: http.MethodGet, Path: "/events", Summary: "Tell what has happened, oldest first",
		Answer: Event{}, Media: MediaLines,
		Params: []Param{
			{Name: "since", Query: true, Kind: "integer", Help: "only events after the one with this number"},
			{Name: "follow", Query: true, Kind: "boolean", Help: "go on with what happens, until the caller leaves or the region stops"}}},
	{Name: "metrics", Looks: true, Scraped: true, Method: http.MethodGet, Path: "/metrics",
		Summary: "Tell the region's metrics, in Prometheus' text format", Media: MediaMetrics, Params: []Param{
			{Name: "zones", Query: true, Kind: "boolean", Help: "false leaves out what the zones' agents tell; where it is left out, they do"}}},
	{Name: "nodeMetrics", Scraped: true, Method: http.MethodGet, Path: "/metrics/node/{cluster}/{node}",
		Summary: "Tell the metrics of a node's kubelet", Media: MediaMetrics, Params: []Param{
			{Name: "cluster", Kind: "string", Help: "the cluster's name"}, {Name: "node", Kind: "string", Help: "the node's name"}, zoneParam,
			{Name: "path", Query: true, Kind: "string", Values: KubeletMetrics, Help: "where the kubelet has them"}}},
	{Name: "podMetrics", Scraped: true, Method: http.MethodGet, Path: "/metrics/pod/{cluster}/{namespace}/{pod}",
		Summary: "Tell the metrics of a pod whose annotations ask for that", Media: MediaMetrics,
		Detail: `Which has the annotation prometheus.io/scrape: "true"; prometheus.io/port, path and scheme say where its metrics are.`,
		Params: []Param{
			{Name: "cluster", Kind: "string", Help: "the cluster's name"}, {Name: "namespace", Kind: "string", Help: "the pod's namespace"},
			{Name: "pod", Kind: "string", Help: "the pod's name"}, zoneParam,
			{Name: "port", Query: true, Kind: "integer", Help: "the annotated port, or one that a container declares where none is"}}},
	{Name: "kubeState", Scraped: true, Method: http.MethodGet, Path: "/metrics/" + KubeState + "/{cluster}",
		Summary: "Tell the state of a cluster's objects, as kube-state-metrics does", Media: MediaMetrics,
		Detail: "The objects are listed anew, by the first zone whose API server answers; those who ask within three seconds get the same " +
			"answer. It is compressed where the request allows gzip.",
		Params: []Param{{Name: "cluster", Kind: "string", Help: "the cluster's name"}}},
	{Name: "instanceMetrics", Scraped: true, Method: http.MethodGet, Path: "/metrics/{component}/{zone}",
		Summary: "Tell the metrics of one process of a zone", Media: MediaMetrics, Params: []Param{
			{Name: "component", Kind: "string", Help: "etcd, apiserver, controllers or another component of the zone, or az: the zone's agent"},
			{Name: "zone", Kind: "string", Help: "the zone's name, its last letter or its id"},
			{Name: "cluster", Query: true, Kind: "string", Help: "whose process; may be left out where there is one cluster"},
			{Name: "of", Query: true, Kind: "string", Values: []string{JobController, JobScheduler},
				Help: "which of the two that a controllers process runs; both where it is left out. Both have what is the process's"}}},
	{Name: "prometheusTargets", Looks: true, Scraped: true, Method: http.MethodGet, Path: "/prometheus/targets/{job}",
		Summary: "Tell a Prometheus what it is to scrape", Answer: []TargetGroup{},
		Detail: "It is Prometheus' HTTP service discovery. What is of a zone that is down stays a target, which is down.",
		Params: []Param{{Name: "job", Kind: "string", Values: PrometheusJobs, Help: "the job of 'tripod prometheus'"}}},
	{Name: "query", Looks: true, Method: http.MethodPost, Path: "/query", Body: MetricsQuestion{}, Answer: MetricsAnswer{},
		Summary: "Answer a question in PromQL about the last hour of the region's metrics",
		Detail: "The region's own metrics are kept always, those of API servers, etcd members and controllers from the first question about a " +
			"metric that is not the region's until an hour after the last one. A region that sleeps keeps none."},
	{Name: "openapi", Looks: true, Method: http.MethodGet, Path: "/openapi.json", Summary: "Give this description of the API",
		Answer: map[string]any{}, Detail: "It is an OpenAPI 3.1 document."},
}

// orderRoutes change the region.
var orderRoutes = []Route{
	{Name: "verb", Method: http.MethodPost, Path: "/targets/{kind}/{name}/{verb}",
		Summary: "Kill, pause, stop or mend a zone or a process of it",
		Detail:  "It is answered when the effect is there.", Params: []Param{
			{Name: "kind", Kind: "string", Values: TargetKinds, Help: "what is meant in the zone: az is the zone itself"},
			{Name: "name", Kind: "string", Help: "the zone's name, its last letter or its id"},
			{Name: "verb", Kind: "string", Values: VerbNames(), Help: "what is done to it"},
			{Name: "cluster", Query: true, Kind: "string", Help: "whose process; all clusters' where it is left out"},
			{Name: "for", Query: true, Kind: "string", Help: "after how long the fault of kill, pause or stop is taken back, such as 30s"}}},
	{Name: "fault", Method: http.MethodPost, Path: "/faults/{verb}", Body: FaultOrder{}, Answer: FaultDone{},
		Summary: "Put a fault of what is no process in force, or take it back",
		Detail:  "The faults of pods, nodes, capacity, disks, spot instances, updates and calls of AWS's APIs: docs/faults.md has them all.",
		Params: []Param{{Name: "verb", Kind: "string", Values: []string{FaultVerb, Reset},
			Help: "reset takes back all faults of the target, and looks at no option"}}},
	{Name: "link", Method: http.MethodPost, Path: "/links", Body: LinkOrder{},
		Summary: "Cut, slow or heal a link between zones, or between a zone and clients"},
	{Name: "logLevel", Method: http.MethodPost, Path: "/log-level", Body: LogLevelOrder{},
		Summary: "Say how much a process logs from now on, until it ends"},
	{Name: "reset", Method: http.MethodPost, Path: "/reset", Summary: "Take back every fault",
		Detail: "It is answered when everything in the region is healthy."},
	{Name: "sleep", Looks: true, Method: http.MethodPost, Path: "/sleep",
		Summary: "Stop all processes of the zones as they are, until somebody speaks with the region"},
	{Name: "wake", Method: http.MethodPost, Path: "/wake", Summary: "Let a region that sleeps go on"},
	{Name: "snapshot", Method: http.MethodPost, Path: "/snapshots", Body: SnapshotRequest{}, Answer: SnapshotAnswer{}, Media: MediaLines,
		Summary: "Save the region as one file while it runs",
		Detail: "The lines before the last one tell how far it is; the last one has what was saved, or an error. When the caller leaves before " +
			"that, nothing is left of it. The file is written by the user of the region."},
	{Name: "prometheus", Looks: true, Method: http.MethodPost, Path: "/prometheus", Body: PrometheusOrder{}, Answer: Prometheus{},
		Summary: "Open or close the port at which a Prometheus reads metrics",
		Detail: "It is a port of 127.0.0.1, by HTTPS, which stays the same over starts of the region, and takes the token of the answer's file " +
			"for what has metrics and nothing else."},
	{Name: "down", Method: http.MethodPost, Path: "/down", Answer: Event{}, Media: MediaLines,
		Summary: "Stop the region in order, and tell how it goes",
		Detail:  "The answer ends when everything but the region's own process has ended."},
}

// questionRoutes ask something of a zone.
var questionRoutes = []Route{
	{Name: "whoami", Method: http.MethodPost, Path: "/clusters/{name}/whoami", Body: TokenQuestion{}, Answer: Identity{},
		Summary: "Say whom a cluster takes the bearer of a token for", Detail: "A refusal of the token is no error.",
		Params: []Param{clusterParam}},
	{Name: "canI", Method: http.MethodPost, Path: "/clusters/{name}/can-i", Body: AccessQuestion{}, Answer: Access{},
		Summary: "Say what a principal may do in a cluster, and who decides", Detail: "A no is no error.", Params: []Param{clusterParam}},
	{Name: "canReach", Method: http.MethodPost, Path: "/clusters/{name}/can-reach", Body: ReachQuestion{}, Answer: Reach{},
		Summary: "Say whether a connection passes in a cluster's network, and by which rules", Detail: "A no is no error.",
		Params: []Param{clusterParam}},
	{Name: "connect", Method: http.MethodPost, Path: "/clusters/{name}/connect", Body: Connection{}, Media: MediaUpgrade,
		Summary: "Connect to a Service, a pod or a node of a cluster's network",
		Detail: "The request has the headers Connection: Upgrade and Upgrade: tcp. Refusals are 504 (rules do not let the connection " +
			"pass), 403 (it leads where nobody may be led to), 404 (no zone has the cluster now) and 502 (whatever else is in its way).",
		Params: []Param{clusterParam}},
	{Name: "root", Method: http.MethodPost, Path: "/root", Answer: Credentials{},
		Summary: "Give the credentials of the account's root user, which are made where there are none"},
	{Name: "nodeCredentials", Method: http.MethodPost, Path: "/nodes/{name}/credentials", Answer: Credentials{},
		Summary: "Give the credentials that a node's instance metadata service would give",
		Params:  []Param{{Name: "name", Kind: "string", Help: "the node's name, or its instance's id"}}},
}

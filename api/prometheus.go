package api

// The jobs of `tripod prometheus`, named as the rules and dashboards of kubernetes-mixin and of etcd have them.
const (
	JobRegion     = "tripod"
	JobAPIServer  = "apiserver"
	JobEtcd       = "etcd"
	JobController = "kube-controller-manager"
	JobScheduler  = "kube-scheduler"
	JobKubelet    = "kubelet"
	JobState      = "kube-state-metrics"
	JobPods       = "pods"
)

// PrometheusJobs are those jobs, in the order of the configuration.
var PrometheusJobs = []string{JobRegion, JobAPIServer, JobEtcd, JobController, JobScheduler, JobKubelet, JobState, JobPods}

// KubeletMetrics are the paths below which a node's kubelet has metrics.
var KubeletMetrics = []string{"/metrics", "/metrics/cadvisor", "/metrics/resource", "/metrics/probes"}

// PrometheusOrder opens or closes the port at which a Prometheus of this machine reads metrics.
type PrometheusOrder struct {
	// Port of 127.0.0.1; 0: the one that it has, or else a free one.
	Port int `json:"port,omitempty"`
	// Off closes it, for later starts of the region as well.
	Off bool `json:"off,omitempty"`
}

// Prometheus is how a Prometheus of this machine comes to the region's metrics.
type Prometheus struct {
	Address   string `json:"address"`   // 127.0.0.1:PORT, by HTTPS
	TokenFile string `json:"tokenFile"` // of the token that is to be shown
	CAFile    string `json:"caFile"`    // of the authority that has signed the port's certificate
}

// TargetGroup is a part of an answer of Prometheus' HTTP service discovery.
type TargetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// Scraped is what a zone has of a cluster that has metrics, beside its processes.
type Scraped struct {
	Nodes []ScrapedNode `json:"nodes"`
	Pods  []ScrapedPod  `json:"pods"` // those that say prometheus.io/scrape: "true"
}

// ScrapedNode is a node that runs.
type ScrapedNode struct {
	Name    string `json:"name"`
	Address string `json:"address"` // with the kubelet's port
}

// ScrapedPod is how a pod says that its metrics are read.
type ScrapedPod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Node      string `json:"node"`
	Address   string `json:"address"` // without port
	Ports     []int  `json:"ports"`   // each has metrics
	Path      string `json:"path"`
	Scheme    string `json:"scheme"` // http or https
}

package launch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Tuning are the settings of a cluster's components that its owner can change: by EKS's scaling tiers and its
// control-plane parameters. What is zero stays as Kubernetes has it.
type Tuning struct {
	RequestSeats   int            // how many requests the API server works on at once
	EventTTL       string         // "30m"
	NodePorts      string         // "30000-32767"
	PodsPerSecond  int            // that the scheduler may bind; 0: as many as the machine gives
	Scoring        string         // of the scheduler: LeastAllocated or MostAllocated
	ScoringWeights map[string]int // by resource
	HPASyncPeriod  string         // "15s"
	TerminatedPods int            // that are kept until the oldest are deleted
}

// controllersQPS is how many requests a second each controller may make. Kubernetes' defaults (50 of the scheduler, 20 of
// the others) spare API servers that many clusters' worth of controllers ask; here the machine is the limit, and 2,000 pods
// would wait 40 s for their bindings alone. Priority and fairness keeps the controllers from what others ask.
const controllersQPS = 1000

func (t Tuning) apiServerFlags() (flags []string) {
	if t.RequestSeats > 0 {
		writes := t.RequestSeats / 3 // as in Kubernetes' defaults, 400 and 200
		flags = append(flags, fmt.Sprintf("--max-requests-inflight=%d", t.RequestSeats-writes),
			fmt.Sprintf("--max-mutating-requests-inflight=%d", writes))
	}
	return append(flags, unlessEmpty("--event-ttl=", t.EventTTL, "--service-node-port-range=", t.NodePorts)...)
}

func (t Tuning) controllerManagerFlags() []string {
	flags := unlessEmpty("--horizontal-pod-autoscaler-sync-period=", t.HPASyncPeriod)
	if t.TerminatedPods > 0 {
		flags = append(flags, fmt.Sprintf("--terminated-pod-gc-threshold=%d", t.TerminatedPods))
	}
	return flags
}

// unlessEmpty are flags of pairs of name and value, where there is a value.
func unlessEmpty(pairs ...string) (flags []string) {
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			flags = append(flags, pair[0]+pair[1])
		}
	}
	return flags
}

// schedulerConfig is the scheduler's file: of what it says there are no flags, or such that Kubernetes ignores beside
// it.
func (t Tuning) schedulerConfig(kubeconfig string) string {
	rate := cmp.Or(t.PodsPerSecond, controllersQPS) // each pod is bound by one request
	text := fmt.Sprintf(`apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection: {kubeconfig: %q, qps: %d, burst: %d}
leaderElection: {leaderElect: false}
enableProfiling: false
`, kubeconfig, rate, 2*rate)
	if t.Scoring == "" {
		return text
	}
	var resources []string
	for name, weight := range t.ScoringWeights {
		resources = append(resources, fmt.Sprintf("{name: %q, weight: %d}", name, weight))
	}
	slices.Sort(resources)
	return text + fmt.Sprintf(`profiles:
- schedulerName: default-scheduler
  pluginConfig:
  - name: NodeResourcesFit
    args:
      apiVersion: kubescheduler.config.k8s.io/v1
      kind: NodeResourcesFitArgs
      scoringStrategy: {type: %s, resources: [%s]}
`, t.Scoring, strings.Join(resources, ", "))
}

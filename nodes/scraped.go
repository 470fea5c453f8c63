package nodes

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod/api"
	"tripod/nodes/podset"
)

// The annotations by which pods ask to be scraped, as the example configuration of Prometheus and the charts of most programs have them.
const (
	scrapeAnnotation = "prometheus.io/scrape"
	pathAnnotation   = "prometheus.io/path"
	portAnnotation   = "prometheus.io/port"
	schemeAnnotation = "prometheus.io/scheme"
)

// Scraped are the zone's nodes and the pods on them that ask to be scraped. It is put together when somebody asks.
func (s *Simulator) Scraped() (scraped api.Scraped) {
	z := s.current()
	if z == nil {
		return scraped
	}
	for _, n := range z.roster.all() {
		scraped.Nodes = append(scraped.Nodes, api.ScrapedNode{Name: n.name,
			Address: net.JoinHostPort(n.addr.String(), strconv.Itoa(kubeletPort))})
		for _, pod := range z.pods.OfNode(n.name) {
			if asks, ok := scrapedPod(pod); ok {
				scraped.Pods = append(scraped.Pods, asks)
			}
		}
	}
	slices.SortFunc(scraped.Nodes, func(a, b api.ScrapedNode) int { return cmp.Compare(a.Name, b.Name) })
	return scraped
}

// HasNode says whether a node is one of the zone's.
func (s *Simulator) HasNode(name string) bool {
	z := s.current()
	if z == nil {
		return false
	}
	_, found := z.roster.named(name)
	return found
}

// ScrapedPod is how a pod of the zone asks to be scraped, if it does.
func (s *Simulator) ScrapedPod(namespace, name string) (asks api.ScrapedPod, ok bool) {
	z := s.current()
	if z == nil {
		return asks, false
	}
	pod := z.pods.Pod(namespace, name)
	if pod == nil {
		return asks, false
	}
	return scrapedPod(pod)
}

// NodeMetrics answers for the kubelet that the request's Host names: its metrics alone, and without asking who may, since the region's
// user does.
func (s *Simulator) NodeMetrics(w http.ResponseWriter, r *http.Request) {
	z := s.current()
	if z == nil {
		http.Error(w, errStopped.Error(), http.StatusServiceUnavailable)
		return
	}
	z.metrics.ServeHTTP(w, r)
}

// scrapedPod reads a pod's annotations: where no port is named there, each that a container declares has metrics, or else 80.
func scrapedPod(pod *corev1.Pod) (asks api.ScrapedPod, ok bool) {
	if pod.Annotations[scrapeAnnotation] != "true" || !podset.Alive(pod) || pod.Status.PodIP == "" {
		return asks, false
	}
	asks = api.ScrapedPod{Namespace: pod.Namespace, Name: pod.Name, Node: pod.Spec.NodeName, Address: pod.Status.PodIP,
		Path: cmp.Or(pod.Annotations[pathAnnotation], "/metrics"), Scheme: "http"}
	if !strings.HasPrefix(asks.Path, "/") {
		asks.Path = "/" + asks.Path
	}
	if pod.Annotations[schemeAnnotation] == "https" {
		asks.Scheme = "https"
	}
	port, err := strconv.ParseUint(pod.Annotations[portAnnotation], 10, 16)
	switch {
	case err == nil && port > 0:
		asks.Ports = []int{int(port)}
	default:
		for i := range pod.Spec.Containers {
			for _, p := range pod.Spec.Containers[i].Ports {
				if (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) && !slices.Contains(asks.Ports, int(p.ContainerPort)) {
					asks.Ports = append(asks.Ports, int(p.ContainerPort))
				}
			}
		}
	}
	if len(asks.Ports) == 0 {
		asks.Ports = []int{80}
	}
	return asks, true
}

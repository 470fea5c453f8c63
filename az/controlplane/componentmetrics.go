package controlplane

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/apiserver/launch"
	"tripod/az/instance"
)

// component is a component of the control plane that EKS tells the metrics of, as its user guide has them ("Fetch control plane raw
// metrics in Prometheus format").
type component struct {
	lease string
	path  string // of its process
	has   func(family string) bool
}

// componentsPath is where a zone has the components' metrics that lead there, for others.
const componentsPath = "components/"

// components by their paths below the API. The two run in one process here, whose metrics are told apart by their names:
// what both have, such as those of Go and of their requests, is told for both.
var components = map[string]component{
	"ksh/container/metrics": {"kube-scheduler", "/metrics", func(family string) bool {
		return slices.ContainsFunc(schedulersOwn, func(prefix string) bool { return strings.HasPrefix(family, prefix) }) || isCommon(family)
	}},
	"ksh/container/resourcemetrics": {"kube-scheduler", launch.SchedulerResourcesPath, func(string) bool { return true }},
	"kcm/container/metrics": {"kube-controller-manager", "/metrics", func(family string) bool {
		return !slices.ContainsFunc(schedulersOwn, func(prefix string) bool { return strings.HasPrefix(family, prefix) })
	}},
}

// schedulersOwn begin the names of what only a scheduler has.
var schedulersOwn = []string{"scheduler_"}

// isCommon says whether every component of Kubernetes has a metric.
func isCommon(family string) bool {
	for _, prefix := range []string{"go_", "process_", "rest_client_", "leader_election_", "kubernetes_", "apiserver_", "authentication_",
		"authorization_", "registered_metrics_", "hidden_metrics_", "disabled_metrics_", "cardinality_"} {
		if strings.HasPrefix(family, prefix) {
			return true
		}
	}
	return false
}

// The discovery documents of the API. EKS has no resources there: its paths are made for RBAC alone.
const (
	eksGroup = `{"kind":"APIGroup","apiVersion":"v1","name":"metrics.eks.amazonaws.com","versions":[{"groupVersion":` +
		`"metrics.eks.amazonaws.com/v1","version":"v1"}],"preferredVersion":{"groupVersion":"metrics.eks.amazonaws.com/v1","version":"v1"}}` + "\n"
	eksResources = `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"metrics.eks.amazonaws.com/v1","resources":[]}` + "\n"
)

// componentMetrics answers EKS's own API: the metrics of the instance that leads, in whatever zone.
func (e *extensions) componentMetrics(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/apis/metrics.eks.amazonaws.com"), "/")
	name, isVersion := strings.CutPrefix(path, "v1/")
	_, known := components[name]
	switch {
	case path == "":
		writeJSON(w, eksGroup)
	case path == "v1":
		writeJSON(w, eksResources)
	case !isVersion || !known:
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
	case r.Method != http.MethodGet:
		refuse(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed,
			"the server does not allow this method on the requested resource")
	default:
		response, err := e.leading(r.Context(), name)
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable,
				"the metrics of "+name+" cannot be had now: "+err.Error())
			return
		}
		defer response.Body.Close()
		w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
		io.Copy(w, response.Body) // the client has gone if this fails
	}
}

// leading asks all zones for a component's metrics. Only the one where it leads has them.
func (e *extensions) leading(ctx context.Context, name string) (found *http.Response, err error) {
	var group sync.WaitGroup
	var mu sync.Mutex
	for _, zone := range e.zones {
		group.Go(func() {
			response, err := zone(ctx, componentsPath+name)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if response.StatusCode != http.StatusOK || found != nil {
				response.Body.Close()
				return
			}
			found = response
		})
	}
	group.Wait()
	if found == nil {
		return nil, errNobodyLeads
	}
	return found, nil
}

// ownComponent answers with the metrics of a component if it leads in this zone.
func (e *extensions) ownComponent(w http.ResponseWriter, r *http.Request, name string) {
	of, known := components[name]
	if !known || !slices.Contains(e.part.controllers.Status().Leads, of.lease) {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), instance.MetricsTimeout)
	defer cancel()
	response, err := e.part.controllers.Get(ctx, of.path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	instance.CopyFamilies(w, response.Body, of.has) // the client has gone if this fails
}

package az

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tripod/api"
	"tripod/az/plan"
	"tripod/internal/diskfault"
	"tripod/internal/link"
	"tripod/internal/loglevel"
	"tripod/internal/loss"
	"tripod/internal/upgrade"
	"tripod/region"
)

// route is one of the agent's, as http.ServeMux has it: a method, and a path whose values stand in braces.
type route string

const (
	routeFound           route = "POST /v1/found"
	routeRoot            route = "POST /v1/root"
	routeNodeCredentials route = "POST /v1/nodes/{name}/credentials"
	routeEndpoint        route = "POST /v1/clusters/{id}/endpoint"
	routeFault           route = "POST /v1/faults/{verb}"
	routeStopExperiments route = "POST /v1/experiments/stop"
	routeWhoAmI          route = "POST /v1/clusters/{name}/whoami"
	routeCanI            route = "POST /v1/clusters/{name}/can-i"
	routeCanReach        route = "POST /v1/clusters/{name}/can-reach"
	routeConnect         route = "POST /v1/clusters/{name}/connect"
	routeInstance        route = "POST /v1/instances/{component}/{verb}"
	routeUnreachable     route = "POST /v1/unreachable"
	routeLinks           route = "POST /v1/links"
	routeDisk            route = "POST " + diskfault.Path
	routeLoss            route = "POST " + loss.Path
	routeSuspension      route = "POST " + loss.SuspensionPath
	routeQuiesce         route = "POST /v1/quiesce"
	routeLogLevel        route = "POST " + loglevel.Path + "/{component}"
	routeMetrics         route = "GET /v1/metrics"
	routeInstanceMetrics route = "GET /v1/metrics/{component}"
	routeKubeState       route = "GET /v1/clusters/{name}/kube-state"
	routeCronJobs        route = "GET /v1/clusters/{name}/cron-jobs"
	routeScraped         route = "GET /v1/scraped"
	routeNodeMetrics     route = "GET /v1/clusters/{name}/nodes/{node}/metrics"
	routePodMetrics      route = "GET /v1/clusters/{name}/pods/{namespace}/{pod}/metrics"
)

func (r route) method() string {
	method, _, _ := strings.Cut(string(r), " ")
	return method
}

// path is the route's with the values in the places of its braces.
func (r route) path(values ...string) string {
	_, path, _ := strings.Cut(string(r), " ")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i], values = url.PathEscape(values[0]), values[1:]
		}
	}
	return strings.Join(parts, "/")
}

// Agent gives orders to a zone's agent.
type Agent struct {
	RunDir string // the zone's
}

// Founding is what a new region is founded with; what is there already is left alone.
type Founding struct {
	User      region.User      `json:"user"`
	AccessKey region.AccessKey `json:"accessKey"`
	// Cluster lacks its secrets, which the zone makes. Without an ID no cluster is made.
	Cluster region.Cluster `json:"cluster"`
}

// Found founds a region.
func (a Agent) Found(ctx context.Context, founding Founding) error {
	return a.call(ctx, order{route: routeFound, in: founding})
}

// RootCredentials are those of the account's root user, which are made where there are none.
func (a Agent) RootCredentials(ctx context.Context) (root api.Credentials, err error) {
	err = a.call(ctx, order{route: routeRoot, out: &root})
	return root, err
}

// NodeCredentials are those of a node's machine, by the name of the node.
func (a Agent) NodeCredentials(ctx context.Context, node string) (credentials api.Credentials, err error) {
	err = a.call(ctx, order{route: routeNodeCredentials, values: []string{node}, out: &credentials})
	return credentials, err
}

// ReportEndpoint tells how it stands with a cluster's endpoint.
func (a Agent) ReportEndpoint(ctx context.Context, clusterID string, report EndpointReport) error {
	return a.call(ctx, order{route: routeEndpoint, values: []string{clusterID}, in: report})
}

// Fault puts a fault of api.RecordFaults in force, or takes it back by the verb reset. The error of an order that cannot
// be followed as it was given is a *Refusal.
func (a Agent) Fault(ctx context.Context, verb string, o api.FaultOrder) (answer FaultAnswer, err error) {
	err = a.call(ctx, order{route: routeFault, values: []string{verb}, in: o, out: &answer})
	return answer, err
}

// StopExperiments stops all experiments of Fault Injection Service, and returns when they have taken back what they did.
func (a Agent) StopExperiments(ctx context.Context) error {
	return a.call(ctx, order{route: routeStopExperiments})
}

// WhoAmI says whom a cluster takes the bearer of a token for.
func (a Agent) WhoAmI(ctx context.Context, cluster string, question api.TokenQuestion) (identity api.Identity, err error) {
	err = a.call(ctx, order{route: routeWhoAmI, values: []string{cluster}, in: question, out: &identity})
	return identity, err
}

// CanI says what a principal may do in a cluster.
func (a Agent) CanI(ctx context.Context, cluster string, question api.AccessQuestion) (access api.Access, err error) {
	err = a.call(ctx, order{route: routeCanI, values: []string{cluster}, in: question, out: &access})
	return access, err
}

// CanReach says whether a connection passes in a cluster's network.
func (a Agent) CanReach(ctx context.Context, cluster string, question api.ReachQuestion) (reach api.Reach, err error) {
	err = a.call(ctx, order{route: routeCanReach, values: []string{cluster}, in: question, out: &reach})
	return reach, err
}

// Connect connects to something in a cluster's network. Where that fails the agent's answer is returned, whose body the caller
// closes.
func (a Agent) Connect(ctx context.Context, cluster string, to api.Connection) (net.Conn, *http.Response, error) {
	body, err := json.Marshal(to)
	if err != nil {
		return nil, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, routeConnect.method(), "http://agent"+routeConnect.path(cluster), bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", plan.ControlSocket(a.RunDir))
	if err != nil {
		return nil, nil, err
	}
	return upgrade.Ask(ctx, conn, request)
}

// Instance applies a verb to a component's process of a cluster, and returns when the effect is there.
func (a Agent) Instance(ctx context.Context, component, cluster, verb string) (state State, err error) {
	err = a.call(ctx, order{route: routeInstance, values: []string{component, verb}, cluster: cluster, out: &state})
	return state, err
}

// SetUnreachable says which zones ("us-east-1b") and targets ("etcd/b") answer nobody.
func (a Agent) SetUnreachable(ctx context.Context, names []string) error {
	return a.call(ctx, order{route: routeUnreachable, in: names})
}

// SetLinks says what is wrong with the zone's links, by the names of the other zones.
func (a Agent) SetLinks(ctx context.Context, settings link.Settings) error {
	return a.call(ctx, order{route: routeLinks, in: settings})
}

// SetDisk says what is wrong with the zone's disk.
func (a Agent) SetDisk(ctx context.Context, settings diskfault.Settings) error {
	return a.call(ctx, order{route: routeDisk, in: settings})
}

// TellLoss tells of a process that is gone.
func (a Agent) TellLoss(ctx context.Context, l loss.Loss) error {
	return a.call(ctx, order{route: routeLoss, in: l})
}

// TellSuspension tells that all zones are about to be stopped as a whole, or go on.
func (a Agent) TellSuspension(ctx context.Context, s loss.Suspension) error {
	return a.call(ctx, order{route: routeSuspension, in: s})
}

// Quiesce ends all that needs a quorum.
func (a Agent) Quiesce(ctx context.Context) error { return a.call(ctx, order{route: routeQuiesce}) }

// Metrics writes the agent's own.
func (a Agent) Metrics(ctx context.Context, to io.Writer) error {
	return a.call(ctx, order{route: routeMetrics, out: to})
}

// InstanceMetrics writes those of a component's process; of the only cluster where none is named.
func (a Agent) InstanceMetrics(ctx context.Context, component, cluster string, to io.Writer) error {
	return a.call(ctx, order{route: routeInstanceMetrics, values: []string{component}, cluster: cluster, out: to})
}

// KubeState writes the state of a cluster's objects, as kube-state-metrics tells it, as a gzip file.
func (a Agent) KubeState(ctx context.Context, cluster string, to io.Writer) error {
	return a.call(ctx, order{route: routeKubeState, values: []string{cluster}, out: to})
}

// CronJobs tells how the CronJobs of a cluster do.
func (a Agent) CronJobs(ctx context.Context, cluster string) (told []api.CronJob, err error) {
	err = a.call(ctx, order{route: routeCronJobs, values: []string{cluster}, out: &told})
	return told, err
}

// SetLogLevel says how much the agent (component az), or a process of its, logs from now on.
func (a Agent) SetLogLevel(ctx context.Context, component, cluster string, level loglevel.Level) error {
	return a.call(ctx, order{route: routeLogLevel, values: []string{component}, cluster: cluster, in: level})
}

// Scraped is what the zone has of each cluster, by its name, that has metrics beside the processes.
func (a Agent) Scraped(ctx context.Context) (scraped map[string]api.Scraped, err error) {
	err = a.call(ctx, order{route: routeScraped, out: &scraped})
	return scraped, err
}

// Scrape answers with metrics as they come. The caller closes the answer's body.
func (a Agent) Scrape(ctx context.Context, of Scrape) (*http.Response, error) {
	o := order{route: routeMetrics, cluster: of.Cluster, query: url.Values{}}
	switch {
	case of.Pod != "":
		o.route, o.values, o.cluster = routePodMetrics, []string{of.Cluster, of.Namespace, of.Pod}, ""
		o.query.Set("port", strconv.Itoa(of.Port))
	case of.Node != "":
		o.route, o.values, o.cluster = routeNodeMetrics, []string{of.Cluster, of.Node}, ""
		o.query.Set("path", of.Path)
	case of.Component != "":
		o.route, o.values = routeInstanceMetrics, []string{of.Component}
	}
	return a.send(ctx, o)
}

// Scrape says whose metrics are asked for: a pod's, a kubelet's, a component's or, where it says nothing, the agent's own.
type Scrape struct {
	Cluster        string // empty: the only one, for a component
	Component      string
	Node, Path     string // a path of api.KubeletMetrics
	Namespace, Pod string
	Port           int // one of the pod's api.ScrapedPod
}

// order is one call.
type order struct {
	route   route
	values  []string // of the route's braces
	cluster string   // the name that narrows it down; may be empty
	query   url.Values
	in      any // the body, encoded; nil: none
	out     any // takes the answer, decoded; an io.Writer takes it as it is, and nil not at all
}

func (o order) path() string {
	path, query := o.route.path(o.values...), maps.Clone(o.query)
	if o.cluster != "" {
		if query == nil {
			query = url.Values{}
		}
		query.Set("cluster", o.cluster)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

func (a Agent) call(ctx context.Context, o order) error {
	response, err := a.send(ctx, o)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch out := o.out.(type) {
	case nil:
		return nil
	case io.Writer:
		_, err = io.Copy(out, response.Body)
		return err
	default:
		return json.NewDecoder(response.Body).Decode(out)
	}
}

// send returns an answer whose status is below 400; the caller closes its body.
func (a Agent) send(ctx context.Context, o order) (*http.Response, error) {
	transport := &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", plan.ControlSocket(a.RunDir))
		}}
	body, err := encodeBody(o.in)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, o.route.method(), "http://agent"+o.path(), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", "identity") // it does not leave the machine
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("the zone's agent does not answer: %w", err)
	}
	if response.StatusCode < 400 {
		return response, nil
	}
	defer response.Body.Close()
	var failure struct{ Error string }
	if json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&failure) != nil || failure.Error == "" {
		failure.Error = "the zone's agent answers " + response.Status
	}
	if response.StatusCode == http.StatusUnprocessableEntity {
		return nil, &Refusal{failure.Error}
	}
	return nil, errors.New(failure.Error)
}

func encodeBody(in any) (io.Reader, error) {
	if in == nil {
		return http.NoBody, nil
	}
	read, write := io.Pipe()
	go func() { write.CloseWithError(json.NewEncoder(write).Encode(in)) }()
	return read, nil
}

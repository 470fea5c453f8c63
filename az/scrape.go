package az

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"tripod/api"
	"tripod/az/controlplane"
	"tripod/az/instance"
)

// mostOfPod is how many bytes of metrics a pod may have: whoever makes pods decides what they answer.
const mostOfPod = 16 << 20

// handleMetrics passes on what the instance's own process serves.
func (z *Zone) handleMetrics(w http.ResponseWriter, r *http.Request) {
	i, err := z.find(r.PathValue("component"), r.FormValue("cluster"))
	if err != nil {
		answer(w, http.StatusNotFound, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), instance.MetricsTimeout)
	defer cancel()
	response, err := i.Metrics(ctx)
	if err != nil {
		answer(w, http.StatusBadGateway, err)
		return
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	passOn(w, response.Body)
}

// passOn copies metrics. An answer that is not whole breaks off, so that nobody takes it for one.
func passOn(w http.ResponseWriter, body io.Reader) {
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// handleScraped tells of the nodes and pods that have metrics, of clusters whose nodes have started.
func (z *Zone) handleScraped(w http.ResponseWriter, _ *http.Request) {
	scraped := map[string]api.Scraped{}
	for _, c := range z.parts() {
		if workers := c.Nodes(); workers != nil {
			scraped[c.Name()] = workers.Scraped()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(scraped)
}

// workersOf are the zone's nodes of the cluster that a request names. nil: it is answered.
func (z *Zone) workersOf(w http.ResponseWriter, r *http.Request) controlplane.Workers {
	name := r.PathValue("name")
	if c := z.clusterNamed(name); c != nil {
		if workers := c.Nodes(); workers != nil {
			return workers
		}
	}
	answer(w, http.StatusNotFound, fmt.Errorf("zone %s does not run nodes of cluster %q yet", z.config.Zone, name))
	return nil
}

// handleNodeMetrics answers as a node's kubelet does.
func (z *Zone) handleNodeMetrics(w http.ResponseWriter, r *http.Request) {
	workers, node, path := z.workersOf(w, r), r.PathValue("node"), r.FormValue("path")
	switch {
	case workers == nil:
		return
	case !slices.Contains(api.KubeletMetrics, path):
		answer(w, http.StatusBadRequest, fmt.Errorf("a kubelet has its metrics at one of %q, not at %q", api.KubeletMetrics, path))
		return
	case !workers.HasNode(node):
		answer(w, http.StatusNotFound, fmt.Errorf("zone %s has no node %q", z.config.Zone, node))
		return
	}
	asked := r.Clone(r.Context())
	asked.URL, asked.Host = &url.URL{Path: path}, node
	workers.NodeMetrics(w, asked)
}

// handlePodMetrics passes on the metrics of a pod that asks to be scraped, from the place of its node: what the annotations name is
// reached as everything else of the network, and nothing more of the machine than that.
func (z *Zone) handlePodMetrics(w http.ResponseWriter, r *http.Request) {
	workers, namespace, name := z.workersOf(w, r), r.PathValue("namespace"), r.PathValue("pod")
	if workers == nil {
		return
	}
	pod, found := workers.ScrapedPod(namespace, name)
	port, err := strconv.Atoi(r.FormValue("port"))
	if !found || err != nil || !slices.Contains(pod.Ports, port) {
		answer(w, http.StatusNotFound, fmt.Errorf("zone %s has no pod %s/%s that asks to be scraped at port %q", z.config.Zone,
			namespace, name, r.FormValue("port")))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), instance.MetricsTimeout)
	defer cancel()
	response, err := scrapePod(ctx, workers, pod, port)
	if err != nil {
		answer(w, statusOf(err), fmt.Errorf("pod %s/%s: %w", namespace, name, err))
		return
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer(w, http.StatusBadGateway, fmt.Errorf("pod %s/%s answers %s", namespace, name, response.Status))
		return
	}
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	passOn(w, http.MaxBytesReader(nil, response.Body, mostOfPod))
}

func scrapePod(ctx context.Context, network controlplane.Network, pod api.ScrapedPod, port int) (*http.Response, error) {
	address := net.JoinHostPort(pod.Address, strconv.Itoa(port))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, pod.Scheme+"://"+address, nil)
	if err != nil {
		return nil, err
	}
	if request.URL, err = request.URL.Parse(pod.Path); err != nil || request.URL.Host != address {
		return nil, errors.Join(fmt.Errorf("its annotation names a path that is none: %q", pod.Path), err)
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // nobody has said which authority pods have
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return network.Connect(ctx, api.KindNode+"/"+pod.Node, pod.Address, port)
		}}
	return transport.RoundTrip(request)
}

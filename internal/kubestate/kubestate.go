// Package kubestate tells the state of a cluster's objects as kube-state-metrics does: the same families, labels and types
// (https://github.com/kubernetes/kube-state-metrics/tree/main/docs), read when somebody asks.
package kubestate

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	clientmetadata "k8s.io/client-go/metadata"
)

// Clients ask the cluster's API server as somebody who may list everything.
type Clients struct {
	Objects  kubernetes.Interface
	Metadata clientmetadata.Interface // of those whose content is not asked for
}

// sources are all resources, in the order of the text.
var sources = []source{
	requests, configMaps, cronJobs, daemonSets, deployments, endpointSets, endpointSlices, autoscalers, ingresses, ingressClasses, jobs,
	leases, limitRanges, mutatingWebhooks, namespaces, networkPolicies, nodes, volumes, claims, budgets, pods, replicaSets, quotas,
	secrets, services, statefulSets, storageClasses, validatingWebhooks, attachments,
}

// Names are those of all families, in the order of the text.
func Names() []string {
	var names []string
	for _, s := range sources {
		for _, h := range s.heads() {
			names = append(names, h.name)
		}
	}
	return names
}

// Answer is the text of all families, as a gzip file.
type Answer struct{ packed []byte }

// Packed is the gzip file.
func (a *Answer) Packed() []byte { return a.packed }

// WriteTo writes the text.
func (a *Answer) WriteTo(w io.Writer) (int64, error) {
	plain, err := gzip.NewReader(bytes.NewReader(a.packed))
	if err != nil {
		return 0, err
	}
	return io.Copy(w, plain)
}

// ContentType is the text's.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// fresh is for how long an answer is given again: several who scrape at once cost what one does.
const fresh = 3 * time.Second

// Connect makes clients for one reading, and what lets go of their connections.
type Connect func() (clients Clients, done func(), err error)

// Reader reads a cluster's objects when somebody asks, and keeps nothing for longer than fresh.
type Reader struct {
	connect Connect

	reading chan struct{} // full while somebody reads

	mu   sync.Mutex
	last *Answer // nil: none that is fresh
}

// NewReader returns a Reader, which has asked nothing yet.
func NewReader(connect Connect) *Reader {
	return &Reader{connect: connect, reading: make(chan struct{}, 1)}
}

// Read tells the state of all objects. Those who come while it is read get the same answer.
func (r *Reader) Read(ctx context.Context) (*Answer, error) {
	select {
	case r.reading <- struct{}{}:
		defer func() { <-r.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if known := r.known(); known != nil {
		return known, nil
	}
	clients, done, err := r.connect()
	if err != nil {
		return nil, err
	}
	defer done()
	answer, err := read(ctx, clients)
	if err == nil {
		r.keep(answer)
	}
	return answer, err
}

func (r *Reader) known() *Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *Reader) keep(answer *Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = answer
	time.AfterFunc(fresh, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.last == answer {
			r.last = nil
		}
	})
}

func read(ctx context.Context, clients Clients) (*Answer, error) {
	zip, all := newZip(), &packed{}
	for _, s := range sources {
		t := newText(s.heads(), zip, all)
		if err := s.read(ctx, clients, t); err != nil {
			return nil, err
		}
		if err := all.take(t); err != nil {
			return nil, err
		}
	}
	err := all.flush(zip)
	return &Answer{packed: all.parts.Bytes()}, err
}

package resourcemetrics

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// The paths of the API.
const (
	groupPath    = "/apis/" + v1beta1.GroupName
	basePath     = groupPath + "/v1beta1"
	groupVersion = v1beta1.GroupName + "/v1beta1"
)

// API is the resource metrics API of a cluster. Who may ask, others have decided.
type API struct {
	// Zones ask a Zone each for what is at "nodes?..." or "pods?...". The context ends when it is not waited for any more.
	Zones  []func(ctx context.Context, path string) (*http.Response, error)
	Logger *slog.Logger
}

// mostAnswer bounds what is read of a zone's answer, in bytes.
const mostAnswer = 256 << 20

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	as, ok := negotiate(r)
	if !ok {
		reply{media: mediaJSON}.fail(w, notAcceptable())
		return
	}
	if err := a.answer(w, r, as); err != nil {
		as.fail(w, err)
	}
}

// answer answers a request, or says why not.
func (a *API) answer(w http.ResponseWriter, r *http.Request, as reply) error {
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case groupPath:
		as.object(w, http.StatusOK, apiGroup())
		return nil
	case basePath:
		as.object(w, http.StatusOK, apiResources())
		return nil
	}
	rest, found := strings.CutPrefix(r.URL.Path, basePath+"/")
	parts := strings.Split(rest, "/")
	q := query{labels: labels.Everything(), fields: fields.Everything(), form: as.form(r)}
	if len(parts) > 2 && parts[0] == "namespaces" {
		q.namespace, parts = parts[1], parts[2:]
	}
	of, known := kinds[parts[0]]
	inNamespace := q.namespace != ""
	if !found || !known || len(parts) > 2 || inNamespace && !of.namespaced || len(parts) == 2 && inNamespace != of.namespaced {
		return noSuchPath()
	}
	if r.Method != http.MethodGet {
		return apierrors.NewMethodNotSupported(of.resource(), strings.ToLower(r.Method))
	}
	if len(parts) == 2 {
		q.name = parts[1]
		return a.one(w, r, q, of, as)
	}
	if watch := r.URL.Query().Get("watch"); watch == "true" || watch == "1" {
		return apierrors.NewMethodNotSupported(of.resource(), "watch")
	}
	if err := q.selectBy(r); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	items, _, _ := a.ask(r.Context(), of, q)
	as.list(w, of, items)
	return nil
}

// selectBy takes a list's selectors.
func (q *query) selectBy(r *http.Request) (err error) {
	if q.labels, err = labels.Parse(r.URL.Query().Get("labelSelector")); err != nil {
		return err
	}
	q.fields, err = fields.ParseAndTransformSelector(r.URL.Query().Get("fieldSelector"), runtime.DefaultMetaV1FieldSelectorConversion)
	return err
}

// kind is what there are metrics of.
type kind struct {
	name, plural string // PodMetrics, pods
	namespaced   bool
}

var kinds = map[string]kind{"nodes": {"NodeMetrics", "nodes", false}, "pods": {"PodMetrics", "pods", true}}

func (k kind) resource() schema.GroupResource {
	return schema.GroupResource{Group: v1beta1.GroupName, Resource: k.plural}
}

// one answers a single pod's metrics, or a node's. What is not found is told in metrics-server's words.
func (a *API) one(w http.ResponseWriter, r *http.Request, q query, of kind, as reply) error {
	found, waits, silent := a.ask(r.Context(), of, q)
	switch {
	case len(found) > 0 && as.table:
		as.list(w, of, found[:1])
		return nil
	case len(found) > 0:
		as.item(w, of, found[0])
		return nil
	case of.namespaced && (waits || silent): // it may be one of a zone that does not answer
		return apierrors.NewNotFound(schema.GroupResource{Group: v1beta1.GroupName, Resource: "podmetrics"}, q.namespace+"/"+q.name)
	}
	return apierrors.NewNotFound(schema.GroupResource{Resource: of.plural}, q.name)
}

// ask asks all zones at once, and puts what those say that answer in order. waits says that one thing was asked for that runs
// and has no metrics yet, silent that a zone has not answered.
func (a *API) ask(ctx context.Context, of kind, q query) (all []part, waits, silent bool) {
	path := of.plural + "?" + q.values().Encode()
	answers := make([]answer, len(a.Zones))
	var group sync.WaitGroup
	for i, zone := range a.Zones {
		group.Go(func() { answers[i] = askZone(ctx, zone, path) })
	}
	group.Wait()
	total := 0
	for _, zone := range answers {
		total += len(zone.parts)
	}
	all = make([]part, 0, total)
	for _, zone := range answers {
		all = append(all, zone.parts...)
		waits, silent = waits || zone.waits, silent || zone.err != nil
		if zone.err != nil && a.Logger != nil {
			a.Logger.Debug("a zone tells no metrics", "error", zone.err)
		}
	}
	slices.SortFunc(all, func(x, y part) int { return bytes.Compare(x.key, y.key) })
	return all, waits, silent
}

// answer is what a zone has said.
type answer struct {
	parts []part
	waits bool
	err   error
}

func askZone(ctx context.Context, zone func(context.Context, string) (*http.Response, error), path string) answer {
	response, err := zone(ctx, path)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answer{err: fmt.Errorf("it answers %s", response.Status)}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return answer{err: err}
	}
	all, err := parts(body)
	return answer{all, response.Header.Get(waitingHeader) != "", err}
}

func apiGroup() *metav1.APIGroup {
	version := metav1.GroupVersionForDiscovery{GroupVersion: v1beta1.SchemeGroupVersion.String(), Version: "v1beta1"}
	return &metav1.APIGroup{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroup"}, Name: v1beta1.GroupName,
		Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version}
}

func apiResources() *metav1.APIResourceList {
	return &metav1.APIResourceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"},
		GroupVersion: v1beta1.SchemeGroupVersion.String(), APIResources: []metav1.APIResource{
			{Name: "nodes", Kind: "NodeMetrics", Verbs: metav1.Verbs{"get", "list"}},
			{Name: "pods", Kind: "PodMetrics", Namespaced: true, Verbs: metav1.Verbs{"get", "list"}},
		}}
}

// noSuchPath is an API server's answer where it has nothing.
func noSuchPath() error {
	return apierrors.NewGenericServerResponse(http.StatusNotFound, "get", schema.GroupResource{}, "", "404 page not found", 0, true)
}

func notAcceptable() error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotAcceptable,
		Reason: metav1.StatusReasonNotAcceptable, Message: "only the following media types are accepted: " + mediaJSON + ", " + mediaYAML +
			", " + protobuf}}
}

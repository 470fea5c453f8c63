package resourcemetrics

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// Zone answers for the nodes of one zone. It serves its part of a list at PATH/nodes and PATH/pods, to an API; whoever else must
// not reach it.
type Zone struct {
	// Read reads what the zone's nodes use now.
	Read func() []Node
	Now  func() time.Time // nil is time.Now

	mu     sync.Mutex
	last   *snapshot // nil: nobody has asked lately
	forget *time.Timer
}

// waitingHeader says that the only pod that was asked for runs, and has no metrics yet.
const waitingHeader = "Tripod-Waiting"

// query is what is asked of a zone.
type query struct {
	namespace, name string // empty: all
	labels          labels.Selector
	fields          fields.Selector
	form            form
}

// values are the query's as they go to a zone.
func (q query) values() url.Values {
	return url.Values{"namespace": {q.namespace}, "name": {q.name}, "labelSelector": {q.labels.String()},
		"fieldSelector": {q.fields.String()}, "form": {string(q.form)}}
}

func queryOf(values url.Values) (q query, err error) {
	q.namespace, q.name, q.form = values.Get("namespace"), values.Get("name"), form(values.Get("form"))
	if forms[q.form] == nil {
		return q, fmt.Errorf("there is no form %q", q.form)
	}
	if q.labels, err = labels.Parse(values.Get("labelSelector")); err != nil {
		return q, err
	}
	q.fields, err = fields.ParseSelector(values.Get("fieldSelector"))
	return q, err
}

// matches says whether something is asked for.
func (q query) matches(i *item) bool {
	return (q.namespace == "" || q.namespace == i.namespace) && (q.name == "" || q.name == i.name) &&
		(q.labels.Empty() || q.labels.Matches(labels.Set(i.labels))) &&
		(q.fields.Empty() || q.fields.Matches(fields.Set{"metadata.name": i.name, "metadata.namespace": i.namespace}))
}

func (z *Zone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q, err := queryOf(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var items []item
	s := z.current()
	switch path.Base(r.URL.Path) {
	case "nodes":
		items = s.nodes
	case "pods":
		items = s.pods
		if q.name != "" && s.waiting[types.NamespacedName{Namespace: q.namespace, Name: q.name}] {
			w.Header().Set(waitingHeader, "true")
		}
	default:
		http.NotFound(w, r)
		return
	}
	var out []byte
	if q.name == "" {
		out = make([]byte, 0, 400*len(items))
	}
	for i := range items {
		if q.matches(&items[i]) {
			out = appendPart(out, &items[i], q.form, s.at)
		}
	}
	w.Write(out) // the client has gone if this fails
}

// current is what the nodes use, as it was read lately, or else now.
func (z *Zone) current() *snapshot {
	now := time.Now
	if z.Now != nil {
		now = z.Now
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	at := now()
	if z.last != nil && at.Sub(z.last.at) < resolution {
		return z.last
	}
	before := z.last
	if before != nil && at.Sub(before.at) > mostWindow {
		before = nil
	}
	z.last = newSnapshot(z.Read(), at, before)
	if z.forget == nil {
		z.forget = time.AfterFunc(mostWindow, z.drop)
	}
	z.forget.Reset(mostWindow)
	return z.last
}

// drop forgets what was read.
func (z *Zone) drop() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.last = nil
}

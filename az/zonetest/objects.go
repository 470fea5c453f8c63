package zonetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
)

// Objects is an API server that has objects with annotations, takes merge patches of these, and nothing else.
type Objects struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[string]map[string]string // the annotations, by path
	made    map[string]int               // how often each was made
}

// NewObjects has objects with these annotations, by their paths. It is closed by its user.
func NewObjects(objects map[string]map[string]string) *Objects {
	o := &Objects{objects: map[string]map[string]string{}, made: map[string]int{}}
	for path, annotations := range objects {
		o.Make(path, annotations)
	}
	o.Server = httptest.NewServer(o)
	return o
}

// Make makes an object, anew where there is one.
func (o *Objects) Make(path string, annotations map[string]string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.made[path]++
	o.objects[path] = map[string]string{}
	for name, value := range annotations {
		o.objects[path][name] = value
	}
}

// Delete deletes an object.
func (o *Objects) Delete(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.objects, path)
}

// Annotation is what an object has; empty: it has none, or is not there.
func (o *Objects) Annotation(path, name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.objects[path][name]
}

func (o *Objects) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	annotations, found := o.objects[r.URL.Path]
	switch {
	case r.Method == http.MethodGet && r.FormValue("limit") != "":
		o.list(w, r)
		return
	case !found:
		w.WriteHeader(http.StatusNotFound)
		json.NewEncoder(w).Encode(map[string]string{"message": fmt.Sprintf("%q not found", r.URL.Path)})
		return
	case r.Method == http.MethodPatch:
		var patch struct {
			Metadata struct{ Annotations map[string]*string }
		}
		if r.Header.Get("Content-Type") != "application/merge-patch+json" || json.NewDecoder(r.Body).Decode(&patch) != nil {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		for name, value := range patch.Metadata.Annotations {
			if value == nil {
				delete(annotations, name)
			} else {
				annotations[name] = *value
			}
		}
	}
	json.NewEncoder(w).Encode(o.shown(r.URL.Path))
}

func (o *Objects) list(w http.ResponseWriter, r *http.Request) {
	var limit int
	fmt.Sscan(r.FormValue("limit"), &limit)
	var paths []string
	for object := range o.objects {
		if path.Dir(object) == r.URL.Path {
			paths = append(paths, object)
		}
	}
	slices.Sort(paths)
	items := []any{}
	for _, path := range paths[:min(limit, len(paths))] {
		items = append(items, o.shown(path))
	}
	json.NewEncoder(w).Encode(map[string]any{"items": items,
		"metadata": map[string]any{"remainingItemCount": len(paths) - len(items)}})
}

func (o *Objects) shown(path string) any {
	return map[string]any{"metadata": map[string]any{"name": path[strings.LastIndex(path, "/")+1:],
		"uid": fmt.Sprintf("%s-%d", path, o.made[path]), "annotations": o.objects[path]}}
}

package controlplane

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"tripod/az/zonetest"
)

func TestObjectsAreAnnotatedByMergePatch(t *testing.T) {
	server := zonetest.NewObjects(map[string]map[string]string{
		"/api/v1/namespaces/default/pods/web-0": {"keep": "it"}, "/api/v1/namespaces/default/pods/web-1": nil,
		"/api/v1/nodes/n": nil})
	t.Cleanup(server.Close)
	objects := Objects{URL: server.URL, Client: server.Client()}
	value := "crash-loop"
	pod := PodPath("default", "web-0")
	object, err := objects.Annotate(t.Context(), pod, map[string]*string{"tripod.internal/fault": &value})
	want := map[string]string{"keep": "it", "tripod.internal/fault": value}
	if err != nil || object.Name != "web-0" || object.UID == "" || !reflect.DeepEqual(object.Annotations, want) {
		t.Errorf("got %+v, %v; want the annotations %v", object, err, want)
	}
	if object, err = objects.Annotate(t.Context(), pod, map[string]*string{"tripod.internal/fault": nil}); err != nil ||
		len(object.Annotations) != 1 {
		t.Errorf("without the fault it is %+v, %v", object, err)
	}
	if again, err := objects.Get(t.Context(), pod); err != nil || !reflect.DeepEqual(again, object) {
		t.Errorf("got %+v, %v; want %+v", again, err, object)
	}
	for _, path := range []string{PodPath("default", "../web-0"), NodePath("none")} {
		if _, err := objects.Annotate(t.Context(), path, nil); !errors.Is(err, ErrNoObject) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if names, more, err := objects.Names(t.Context(), PodPath("default", ""), 1); err != nil || more != 1 ||
		len(names) != 1 || names[0] != "web-0" {
		t.Errorf("pods %v and %d more, %v", names, more, err)
	}
}

func TestObjectsSayWhatTheAPIServerSays(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		json.NewEncoder(w).Encode(map[string]string{"message": "nodes is forbidden"})
	}))
	objects := Objects{URL: server.URL, Client: server.Client()}
	if _, err := objects.Get(t.Context(), NodePath("n")); err == nil ||
		!strings.HasSuffix(err.Error(), "refuses it: nodes is forbidden") {
		t.Errorf("got %v", err)
	}
	server.Close()
	if _, err := objects.Get(t.Context(), NodePath("n")); err == nil ||
		!strings.HasPrefix(err.Error(), "the API server does not answer: ") || strings.Contains(err.Error(), "nodes/n") {
		t.Errorf("got %v", err)
	}
}

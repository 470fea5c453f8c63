package nodes

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
)

func TestStagesOfTheClusterAreFollowed(t *testing.T) {
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		crdResource: "CustomResourceDefinitionList", stageResource: "StageList",
	})
	var mu sync.Mutex
	names := "nothing"
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watchObjects(ctx, client, stageResource, func(stages []*v1alpha1.Stage) error {
			mu.Lock()
			defer mu.Unlock()
			names = ""
			for _, s := range stages {
				names += s.Name + " " + s.Spec.ResourceRef.Kind + ";"
			}
			return nil
		}, slog.New(slog.DiscardHandler))
	}()
	want := func(wanted string) {
		t.Helper()
		eventually(t, fmt.Sprintf("stages are %q", wanted), func() (string, bool) {
			mu.Lock()
			defer mu.Unlock()
			return names, names == wanted
		})
	}
	want("")
	create := func(gvr schema.GroupVersionResource, object map[string]any) {
		t.Helper()
		if _, err := client.Resource(gvr).Create(t.Context(), &unstructured.Unstructured{Object: object}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	stage := func(name string) map[string]any {
		return map[string]any{"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": map[string]any{"name": name},
			"spec": map[string]any{"resourceRef": map[string]any{"apiGroup": "v1", "kind": "Pod"}}}
	}
	create(stageResource, stage("b"))
	eventually(t, "definitions are watched", func() (string, bool) {
		for _, action := range client.Actions() {
			if action.Matches("watch", "customresourcedefinitions") {
				return "", true
			}
		}
		return "", false
	})
	create(crdResource, map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "stages.kwok.x-k8s.io"},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Established", "status": "True"}}},
	})
	want("b Pod;")
	if err := client.Resource(crdResource).Delete(t.Context(), "stages.kwok.x-k8s.io", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	want("")
	cancel()
	<-ended
}

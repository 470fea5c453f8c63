package addons

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// resources of the manifests' kinds. Asking the server (discovery) would cost more than writing the objects.
var resources = map[string]struct {
	name       string
	namespaced bool
}{
	"CSIDriver":                {"csidrivers", false},
	"ClusterRole":              {"clusterroles", false},
	"ClusterRoleBinding":       {"clusterrolebindings", false},
	"ConfigMap":                {"configmaps", true},
	"CustomResourceDefinition": {"customresourcedefinitions", false},
	"DaemonSet":                {"daemonsets", true},
	"Deployment":               {"deployments", true},
	"PodDisruptionBudget":      {"poddisruptionbudgets", true},
	"Role":                     {"roles", true},
	"RoleBinding":              {"rolebindings", true},
	"Service":                  {"services", true},
	"ServiceAccount":           {"serviceaccounts", true},
	"StorageClass":             {"storageclasses", false},
}

// pathOf is the URL path of an object.
func pathOf(object *unstructured.Unstructured) (string, error) {
	resource, ok := resources[object.GetKind()]
	if !ok {
		return "", fmt.Errorf("kind %q is not known", object.GetKind())
	}
	path := "/apis/" + object.GetAPIVersion()
	if object.GetAPIVersion() == "v1" {
		path = "/api/v1"
	}
	if resource.namespaced {
		path += "/namespaces/" + object.GetNamespace()
	}
	return path + "/" + resource.name + "/" + object.GetName(), nil
}

// unversioned makes conf fit for absolute paths.
func unversioned(conf *rest.Config) *rest.Config {
	conf.GroupVersion = &schema.GroupVersion{}
	conf.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	conf.ContentType = "application/json"
	conf.AcceptContentTypes = "application/json"
	return conf
}

package ebscsi

import (
	"bytes"
	_ "embed"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod/incluster/addons"
)

//go:embed manifests/driver.yaml
var manifest string

// Objects are what the add-on puts into a cluster.
func Objects(o addons.Options, version, roleARN string) ([]*unstructured.Unstructured, error) {
	text, err := template.New("driver.yaml").Parse(manifest)
	if err != nil {
		return nil, err
	}
	var rendered bytes.Buffer
	err = text.Execute(&rendered, map[string]string{"RoleARN": roleARN, "Registry": addons.Registry(o.Region),
		"Version": addons.ImageVersion(version), "Cluster": o.ClusterName})
	if err != nil {
		return nil, err
	}
	return addons.Parse("driver.yaml", rendered.String())
}

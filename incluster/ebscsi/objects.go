package ebscsi

import (
	"bytes"
	_ "embed"
	"text/template"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod/incluster/addons"
)

var (
	//go:embed manifests/driver.yaml
	driverManifest string
	//go:embed manifests/snapshots.yaml
	snapshotManifest string
)

// Objects are what the add-on puts into a cluster.
func Objects(o addons.Options, version, roleARN string) ([]*unstructured.Unstructured, error) {
	return render("driver.yaml", driverManifest, o, version, roleARN)
}

// SnapshotObjects are what the add-on snapshot-controller puts into a cluster.
func SnapshotObjects(o addons.Options) ([]*unstructured.Unstructured, error) {
	return render("snapshots.yaml", snapshotManifest, o, "", "")
}

func render(name, manifest string, o addons.Options, version, roleARN string) ([]*unstructured.Unstructured, error) {
	text, err := template.New(name).Parse(manifest)
	if err != nil {
		return nil, err
	}
	var rendered bytes.Buffer
	err = text.Execute(&rendered, map[string]string{"RoleARN": roleARN, "Registry": addons.Registry(o.Region),
		"Version": addons.ImageVersion(version), "Cluster": o.ClusterName})
	if err != nil {
		return nil, err
	}
	return addons.Parse(name, rendered.String())
}

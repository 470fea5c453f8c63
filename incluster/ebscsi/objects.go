package ebscsi

import (
	_ "embed"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tripod/incluster/addons"
	"tripod/incluster/csidriver"
)

var (
	//go:embed manifests/driver.yaml
	driverManifest string
	//go:embed manifests/snapshots.yaml
	snapshotManifest string
	//go:embed manifests/class.yaml
	classManifest string
)

// Objects are what the add-on puts into a cluster.
func Objects(o addons.Options, version, roleARN string) ([]*unstructured.Unstructured, error) {
	return csidriver.Render("driver.yaml", driverManifest, o, version, roleARN)
}

// SnapshotObjects are what the add-on snapshot-controller puts into a cluster.
func SnapshotObjects(o addons.Options) ([]*unstructured.Unstructured, error) {
	return csidriver.Render("snapshots.yaml", snapshotManifest, o, "", "")
}

// DefaultClass is what the add-on puts into a cluster, too, with defaultStorageClass.enabled.
func DefaultClass(o addons.Options) ([]*unstructured.Unstructured, error) {
	return csidriver.Render("class.yaml", classManifest, o, "", "")
}

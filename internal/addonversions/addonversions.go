// Package addonversions has the versions of the add-ons that every cluster runs: the EKS API offers them, and a new
// cluster gets the default ones without asking. Both look here, so that what a cluster runs is always offered, and
// never newer than all that is.
package addonversions

// Version is a version of an add-on, for clusters from one Kubernetes minor version to another.
type Version struct {
	Version string `json:"version"`
	From    int    `json:"from"` // 34 of 1.34
	To      int    `json:"to"`
	// Default says that it may be the one that EKS installs unless told; the newest such one that fits is.
	Default bool `json:"default"`
}

// Fits says whether the version runs in clusters of that minor version.
func (v Version) Fits(minor int) bool { return v.From <= minor && minor <= v.To }

// offered are newest first.
var offered = map[string][]Version{
	"coredns": {
		{"v1.14.3-eksbuild.1", 36, 37, true},
		{"v1.14.1-eksbuild.1", 36, 37, false},
		{"v1.13.2-eksbuild.4", 35, 37, true},
		{"v1.13.2-eksbuild.1", 35, 37, false},
		{"v1.13.1-eksbuild.1", 35, 36, false},
		{"v1.12.4-eksbuild.1", 34, 35, false},
		{"v1.12.3-eksbuild.1", 34, 34, true},
	},
	"kube-proxy": {
		{"v1.37.2-eksbuild.1", 37, 37, false},
		{"v1.37.0-eksbuild.2", 37, 37, true},
		{"v1.36.3-eksbuild.1", 36, 36, false},
		{"v1.36.1-eksbuild.2", 36, 36, true},
		{"v1.35.5-eksbuild.1", 35, 35, false},
		{"v1.35.0-eksbuild.2", 35, 35, true},
		{"v1.34.6-eksbuild.2", 34, 34, false},
		{"v1.34.0-eksbuild.2", 34, 34, true},
	},
	"vpc-cni": {
		{"v1.22.2-eksbuild.1", 35, 37, false},
		{"v1.21.1-eksbuild.3", 34, 37, true},
		{"v1.20.4-eksbuild.2", 34, 36, false},
	},
}

// Of are the versions of an add-on, newest first; nil for the add-ons that clusters do not have from the start.
func Of(addon string) []Version { return offered[addon] }

// Default is what clusters of that minor version get unless told; of a minor version that nothing fits, the newest of
// all.
func Default(addon string, minor int) string {
	for _, v := range offered[addon] {
		if v.Default && v.Fits(minor) {
			return v.Version
		}
	}
	return offered[addon][0].Version
}

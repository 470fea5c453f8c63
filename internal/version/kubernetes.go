package version

import "slices"

// Kubernetes is a Kubernetes version that clusters can have.
type Kubernetes struct {
	Minor string // "1.36"
	// Build is what API servers show at /version: the newest patch release and EKS build known when this Tripod was made.
	Build string
	// Node is the patch version of the AMIs of node groups.
	Node string
	// Released, Standard and Extended are the dates of the "Amazon EKS Kubernetes release calendar" of the EKS user guide:
	// when EKS has it, and when its support ends, in the ordinary way and for extra pay. They are empty where the calendar
	// does not know yet.
	Released, Standard, Extended string
}

// DefaultKubernetes is what `tripod up` and CreateCluster choose.
const DefaultKubernetes = "1.36"

// KubernetesVersions are all that clusters can have, the oldest first: the one list of them.
var KubernetesVersions = []Kubernetes{
	{Minor: "1.34", Build: "v1.34.9-eks-f69f56f", Node: "1.34.4", Released: "2025-10-02", Standard: "2026-12-02",
		Extended: "2027-12-02"},
	{Minor: "1.35", Build: "v1.35.6-eks-3a10415", Node: "1.35.2", Released: "2026-01-27", Standard: "2027-03-27",
		Extended: "2028-03-27"},
	{Minor: "1.36", Build: "v1.36.3-eks-8fcc1ab", Node: "1.36.1"},
	{Minor: "1.37", Build: "v1.37.2-eks-40737a8", Node: "1.37.0"},
}

// FindKubernetes finds a version by its minor version, such as "1.36". One that is not there is the zero value.
func FindKubernetes(minor string) (Kubernetes, bool) {
	i := slices.IndexFunc(KubernetesVersions, func(k Kubernetes) bool { return k.Minor == minor })
	if i < 0 {
		return Kubernetes{}, false
	}
	return KubernetesVersions[i], true
}

// KubernetesMinors are the minor versions, the oldest first.
func KubernetesMinors() []string {
	minors := make([]string, len(KubernetesVersions))
	for i, k := range KubernetesVersions {
		minors[i] = k.Minor
	}
	return minors
}

// KubernetesBuilds are the builds by minor version.
func KubernetesBuilds() map[string]string {
	builds := map[string]string{}
	for _, k := range KubernetesVersions {
		builds[k.Minor] = k.Build
	}
	return builds
}

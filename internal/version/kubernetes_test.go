package version

import (
	"strings"
	"testing"
	"time"
)

// TestKubernetesVersionsAreWhole: dates come three or none, and all that is said of a version is of that version.
func TestKubernetesVersionsAreWhole(t *testing.T) {
	for _, k := range KubernetesVersions {
		if !strings.HasPrefix(k.Build, "v"+k.Minor+".") || !strings.HasPrefix(k.Node, k.Minor+".") {
			t.Errorf("%s has the build %s and nodes of %s", k.Minor, k.Build, k.Node)
		}
		for _, date := range []string{k.Released, k.Standard, k.Extended} {
			if _, err := time.Parse(time.DateOnly, date); (err != nil) != (k.Released == "") {
				t.Errorf("%s has the date %q", k.Minor, date)
			}
		}
	}
	if _, found := FindKubernetes(DefaultKubernetes); !found {
		t.Errorf("the default %s is none of them", DefaultKubernetes)
	}
}

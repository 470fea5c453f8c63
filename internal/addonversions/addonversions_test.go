package addonversions

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// numbers are those of a version: 1, 14, 3 and 1 of v1.14.3-eksbuild.1.
func numbers(t *testing.T, version string) (all []int) {
	t.Helper()
	for _, text := range strings.Split(strings.Replace(strings.TrimPrefix(version, "v"), "-eksbuild", "", 1), ".") {
		number, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s is not of EKS's shape", version)
		}
		all = append(all, number)
	}
	return all
}

func TestVersionsAreNewestFirst(t *testing.T) {
	for addon, versions := range offered {
		for i, v := range versions[1:] {
			if slices.Compare(numbers(t, versions[i].Version), numbers(t, v.Version)) <= 0 {
				t.Errorf("%s: %s stands before %s", addon, versions[i].Version, v.Version)
			}
		}
	}
}

func TestEveryKubernetesVersionHasADefaultThatFitsIt(t *testing.T) {
	for addon, versions := range offered {
		for minor := 34; minor <= 37; minor++ {
			i := slices.IndexFunc(versions, func(v Version) bool { return v.Version == Default(addon, minor) })
			if i < 0 || !versions[i].Default || !versions[i].Fits(minor) {
				t.Errorf("%s of 1.%d: the default %s does not fit", addon, minor, Default(addon, minor))
			}
		}
		if got := Default(addon, 99); got != versions[0].Version {
			t.Errorf("%s of 1.99: got %s, want the newest", addon, got)
		}
	}
}

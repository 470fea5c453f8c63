// Package quota is how many of each thing an account, or a cluster, may have.
package quota

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The names of the quotas.
const (
	Users                   = "users"
	Roles                   = "roles"
	Groups                  = "groups"
	Policies                = "policies"
	InstanceProfiles        = "instance-profiles"
	AccessEntries           = "access-entries"            // of a cluster
	PodIdentityAssociations = "pod-identity-associations" // of a cluster
)

// defaults are AWS's own, before anybody asks for more.
var defaults = map[string]int{
	Users: 5000, Roles: 1000, Groups: 300, Policies: 1500, InstanceProfiles: 1000, AccessEntries: 5000,
	PodIdentityAssociations: 5000,
}

// Quotas are those that differ from AWS's defaults, by name. Nil are the defaults.
type Quotas map[string]int

// Of is the quota of that name.
func (q Quotas) Of(name string) int {
	if own, set := q[name]; set {
		return own
	}
	return defaults[name]
}

// Parse reads quotas as they are typed, such as users=20000. The error is a sentence for whoever typed them.
func Parse(texts []string) (Quotas, error) {
	quotas := Quotas{}
	for _, text := range texts {
		name, value, _ := strings.Cut(text, "=")
		if _, known := defaults[name]; !known {
			return nil, fmt.Errorf("there is no quota %q: use one of %s", name, strings.Join(Names(), ", "))
		}
		number, err := strconv.Atoi(value)
		if err != nil || number < 0 {
			return nil, fmt.Errorf("the quota %q is not a number: write it as %s=%d", text, name, defaults[name])
		}
		quotas[name] = number
	}
	return quotas, nil
}

// Names are those of all quotas, sorted.
func Names() []string { return slices.Sorted(maps.Keys(defaults)) }

package ec2

import (
	"cmp"
	"slices"
	"strings"

	"tripod/internal/instancetypes"
	"tripod/state"
)

// SubnetZone is the zone that a subnet is in; empty where there is no such subnet.
func (s *Service) SubnetZone(tx *state.Txn, subnetID string) string {
	v, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return ""
	}
	return v.Zone
}

// TypeDemand is what instance types are to have, at least and at most; 0: there is no such bound.
type TypeDemand struct {
	LeastVCPUs, MostVCPUs int
	LeastMiB, MostMiB     int
	LeastGPUs, MostGPUs   int
	// Allowed and Excluded are names, with * for any text; none allowed: all are.
	Allowed, Excluded []string
	// Makers are processors' manufacturers: intel, amd or amazon-web-services; none: any.
	Makers []string
	// Burstable says whether burstable types are left out, may be there, or are the only ones: excluded, included, required.
	Burstable string
}

// TypesMeeting are the names of the instance types that meet a demand, the smallest first.
func (s *Service) TypesMeeting(want TypeDemand) (names []string) {
	var fit []instanceType
	for _, t := range instancetypes.All() {
		v := described(t)
		if want.meets(v) {
			fit = append(fit, v)
		}
	}
	slices.SortStableFunc(fit, func(a, b instanceType) int {
		return cmp.Or(cmp.Compare(a.VCPUs.VCPUs, b.VCPUs.VCPUs), cmp.Compare(a.Memory.MiB, b.Memory.MiB))
	})
	return each(fit, func(v instanceType) string { return v.Name })
}

func (want TypeDemand) meets(v instanceType) bool {
	gpus := 0
	if v.GPUs != nil {
		for _, g := range v.GPUs.GPUs {
			gpus += g.Count
		}
	}
	within := func(n, least, most int) bool { return n >= least && (most == 0 || n <= most) }
	named := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return likeName(pattern, v.Name) })
	}
	maker := map[string]string{"Intel": "intel", "AMD": "amd", "AWS": "amazon-web-services"}[v.Processor.Manufacturer]
	return within(v.VCPUs.VCPUs, want.LeastVCPUs, want.MostVCPUs) && within(v.Memory.MiB, want.LeastMiB, want.MostMiB) &&
		within(gpus, want.LeastGPUs, want.MostGPUs) && (len(want.Allowed) == 0 || named(want.Allowed)) &&
		!named(want.Excluded) && (len(want.Makers) == 0 || slices.Contains(want.Makers, maker)) &&
		!(v.Burstable && (want.Burstable == "" || want.Burstable == "excluded")) && (v.Burstable || want.Burstable != "required")
}

// likeName says whether a name is as a pattern with * for any text.
func likeName(pattern, name string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	name, begins := strings.CutPrefix(name, first)
	if !begins {
		return false
	}
	for i := range len(name) + 1 {
		if likeName(rest, name[i:]) {
			return true
		}
	}
	return false
}

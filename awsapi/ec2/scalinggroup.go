package ec2

import (
	"slices"

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

// ImageArchitecture is the architecture of an AMI; empty where there is none with that id.
func ImageArchitecture(tx *state.Txn, imageID string) string {
	found, _ := findImage(tx, imageID)
	return found.Architecture
}

// HasArchitecture says whether an instance type runs images of an architecture; the empty one is any.
func HasArchitecture(instanceType, architecture string) bool {
	return architecture == "" || slices.Contains(architecturesOf(instanceType), architecture)
}

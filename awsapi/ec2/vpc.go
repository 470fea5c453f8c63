// Package ec2 is Amazon EC2 (API version 2016-11-15) as far as EKS users need it: networks and their gateways and
// routes, security groups, zones, instance types and launch templates.
//
// The default network is not stored but follows from account, region and zones, so that it is there before anything
// else. What calls change of it is stored over it; deleting it is refused with OperationNotPermitted (AWS allows it):
// clusters and their nodes live there.
package ec2

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// VPC is an account's default VPC in a region, with one subnet a zone. Its ids follow from account and region, so that
// every zone names the same ones without asking.
type VPC struct {
	AccountID, Region string
	// Zones are the zones' names, such as us-east-1a, in order.
	Zones []string
}

// ID is the VPC's own id.
func (v VPC) ID() string { return id("vpc", v.AccountID, v.Region) }

// SubnetIDs are the subnets' ids in the order of the zones.
func (v VPC) SubnetIDs() []string {
	ids := make([]string, len(v.Zones))
	for i, zone := range v.Zones {
		ids[i] = id("subnet", v.AccountID, zone)
	}
	return ids
}

// ClusterSecurityGroupID is the security group that EKS makes for the cluster with that ID.
func (v VPC) ClusterSecurityGroupID(clusterID string) string { return id("sg", v.AccountID, clusterID) }

// id is a resource's id in EC2's long form: the type, a dash and 17 hex digits of which the first is 0.
func id(kind string, parts ...string) string {
	sum := sha256.Sum256([]byte(kind + "/" + strings.Join(parts, "/")))
	return kind + "-0" + hex.EncodeToString(sum[:8])
}

// PublicSubnetIDs are the ids of the public subnets, one a zone, in the order of the zones.
func (v VPC) PublicSubnetIDs() []string {
	ids := make([]string, len(v.Zones))
	for i, zone := range v.Zones {
		ids[i] = id("subnet", v.AccountID, "public", zone)
	}
	return ids
}

// ZoneIDs are the zones' ids, such as use1-az1, in their order.
func (v VPC) ZoneIDs() []string {
	parts := strings.Split(v.Region, "-")
	short := parts[0]
	for _, word := range parts[1 : len(parts)-1] {
		if direction, found := directions[word]; found {
			short += direction
		} else {
			short += word[:min(1, len(word))]
		}
	}
	ids := make([]string, len(v.Zones))
	for i := range v.Zones {
		ids[i] = fmt.Sprintf("%s%s-az%d", short, parts[len(parts)-1], i+1)
	}
	return ids
}

// directions are how AWS shortens the middle of a region's name in the ids of its zones; other words by their first
// letter.
var directions = map[string]string{"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}

// defaultCIDR is the default VPC's range. On AWS it is 172.31.0.0/16: here the names of nodes, the data directories
// that are there and people's manifests know this one.
const defaultCIDR = "10.0.0.0/16"

// privateCIDR is the range of the i-th zone's private subnet, where nodes, pods and the control planes' interfaces are:
// az.Subnet(i).
func privateCIDR(i int) string { return fmt.Sprintf("10.0.%d.0/19", 32*i) }

// publicCIDR is the range of the i-th zone's public subnet, beyond the private ones.
func publicCIDR(i int) string { return fmt.Sprintf("10.0.%d.0/24", 96+i) }

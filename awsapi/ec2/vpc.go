// Package ec2 is Amazon EC2, so far as other services name its resources: the account's default VPC.
package ec2

import (
	"crypto/sha256"
	"encoding/hex"
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

package fis

import (
	"strings"

	"tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/state"
)

// disrupt is the action that cuts subnets off, by network ACLs.
var disrupt = action{id: "aws:network:disrupt-connectivity",
	description: "Deny the specified traffic to the target subnets by temporarily cloning their network ACLs.", key: "Subnets",
	resource: subnetType,
	parameters: []parameter{lasting,
		{"scope", "The type of traffic to deny: all, availability-zone or vpc.", true, isScope},
		{"prefixListIdentifier", "If the scope is prefix-list, the identifier of the customer managed prefix list.", false,
			func(*Service, map[string]string, string) error {
				return invalid("The parameter prefixListIdentifier is for the scope prefix-list.")
			}}},
	permissions: []string{"ec2:DescribeSubnets", "ec2:DescribeVpcs", "ec2:DescribeNetworkAcls", "ec2:DescribeManagedPrefixLists",
		"ec2:GetManagedPrefixListEntries", "ec2:CreateNetworkAcl", "ec2:CreateTags", "ec2:CreateNetworkAclEntry",
		"ec2:ReplaceNetworkAclAssociation", "ec2:DeleteNetworkAcl"},
	asks: (*Service).disruptAsks, begin: (*Service).beginDisruption, end: (*Service).endDisruption}

// isScope knows all that FIS has, and says of some why they are not here.
func isScope(_ *Service, _ map[string]string, value string) error {
	switch value {
	case ec2.DisruptAll, ec2.DisruptZones, ec2.DisruptVPC:
		return nil
	case "s3", "s3express", "dynamodb", "prefix-list":
		return invalid("Tripod does not have the scope %s: nothing in its subnets reaches that service or list. Use all, "+
			"availability-zone or vpc.", value)
	}
	return invalid("The scope %s is not valid: use one of all, availability-zone, vpc.", value)
}

// disruption is a subnet that an action has cut off: with which network ACL, and which one it had.
type disruption struct {
	Subnet string `json:"subnet"`
	Made   string `json:"made"`
	Before string `json:"before"`
}

// beginDisruption gives each subnet a network ACL of its own.
func (s *Service) beginDisruption(r *run) error {
	for _, id := range r.ids() {
		made, before, err := s.Network.Disrupt(r.tx, id, r.action.Parameters["scope"])
		if err != nil {
			return fromEC2(err)
		}
		r.effect.Subnets = append(r.effect.Subnets, disruption{id, made, before})
	}
	return nil
}

func (s *Service) endDisruption(r *run) (bool, error) {
	for _, d := range r.effect.Subnets {
		if err := s.Network.Restore(r.tx, d.Subnet, d.Made, d.Before); err != nil {
			return true, fromEC2(err)
		}
	}
	return true, nil
}

// disruptAsks is what a permission is needed on, as AWSFaultInjectionSimulatorNetworkAccess has it: of network ACLs those that FIS has
// tagged.
func (s *Service) disruptAsks(tx *state.Txn, permission string, subnets []asked) []asked {
	acl := asked{arn: "arn:aws:ec2:" + s.Region + ":" + s.AccountID + ":network-acl/*"}
	tagged := map[string]string{ec2.DisruptedTag: "true"}
	switch permission {
	case "ec2:CreateNetworkAcl", "ec2:CreateTags":
		acl.keys = iam.TagKeys("aws:RequestTag", tagged).With(iam.Keys{"aws:tagkeys": {ec2.DisruptedTag}})
		if permission == "ec2:CreateTags" {
			acl.keys = acl.keys.With(iam.Keys{"ec2:createaction": {"CreateNetworkAcl"}})
			return []asked{acl}
		}
		on, seen := []asked{acl}, map[string]bool{}
		for _, v := range s.Network.Subnets(tx) {
			for _, target := range subnets {
				if target.arn == v.ARN && !seen[v.VPCID] {
					seen[v.VPCID] = true
					on = append(on, asked{"arn:aws:ec2:" + s.Region + ":" + s.AccountID + ":vpc/" + v.VPCID, tagsOf(s.Network.TagsOf(tx, v.VPCID))})
				}
			}
		}
		return on
	case "ec2:CreateNetworkAclEntry", "ec2:DeleteNetworkAcl":
		acl.keys = tagsOf(tagged).With(iam.TagKeys("ec2:ResourceTag", tagged))
		return []asked{acl}
	case "ec2:GetManagedPrefixListEntries": // of the services' lists, which an account's policy names by a pattern
		return []asked{{arn: "arn:aws:ec2:" + s.Region + ":" + s.AccountID + ":prefix-list/*"}}
	case "ec2:ReplaceNetworkAclAssociation":
		return append([]asked{acl}, subnets...)
	}
	return []asked{{arn: "*"}} // these know no resources
}

// subnetCandidates are all subnets, with the paths of DescribeSubnets for filters.
func (s *Service) subnetCandidates(tx *state.Txn) (all []resource) {
	for _, v := range s.Network.Subnets(tx) {
		all = append(all, resource{arn: v.ARN, tags: s.Network.TagsOf(tx, v.ID), attributes: map[string]string{"SubnetId": v.ID,
			"VpcId": v.VPCID, "CidrBlock": v.CIDR, "AvailabilityZone": v.Zone, "AvailabilityZoneId": v.ZoneID, "State": "available",
			"SubnetArn": v.ARN, "OwnerId": s.AccountID}})
	}
	return all
}

// outside says whether a subnet is not one that the parameters of a target mean: FIS takes a VPC's id or ARN.
func (s *Service) outside(r resource, given map[string]string) bool {
	zone, vpc := given["availabilityZoneIdentifier"], given["vpc"]
	return zone != "" && r.attributes["AvailabilityZone"] != s.zoneOf(zone) ||
		vpc != "" && r.attributes["VpcId"] != vpc[strings.LastIndexByte(vpc, '/')+1:]
}

// subnetAsked is a subnet as its permissions are asked for.
func (s *Service) subnetAsked(tx *state.Txn, arn string) asked {
	return asked{arn, tagsOf(s.Network.TagsOf(tx, arn[strings.LastIndexByte(arn, '/')+1:]))}
}

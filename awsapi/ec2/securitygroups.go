package ec2

import (
	"fmt"
	"strings"

	"tripod/awsapi/wire"
	"tripod/region"
)

// securityGroup is a security group as stored and as EC2 shows it.
type securityGroup struct {
	GroupID     string           `xml:"groupId"`
	ARN         string           `xml:"securityGroupArn"`
	GroupName   string           `xml:"groupName"`
	Description string           `xml:"groupDescription"`
	VPCID       string           `xml:"vpcId"`
	OwnerID     string           `xml:"ownerId"`
	Rules       []rule           `xml:"-"`
	Ingress     list[permission] `xml:"ipPermissions" json:"-"`
	Egress      list[permission] `xml:"ipPermissionsEgress" json:"-"`
	Tags        list[tag]        `xml:"tagSet" json:"-"`
}

func (g securityGroup) isDefault() bool { return g.GroupName == "default" }

var groups = &kind[securityGroup]{
	table: region.NewTable[entry[securityGroup]]("ec2-security-group"), prefix: "sg", noun: "security group", code: "InvalidGroup",
	id:       func(v securityGroup) string { return v.GroupID },
	computed: func(s *Service, tx *region.Txn) []securityGroup { return s.computedGroups(tx) },
}

// computedGroups are each VPC's default group and the one that EKS makes for each cluster.
func (s *Service) computedGroups(tx *region.Txn) []securityGroup {
	var all []securityGroup
	for _, v := range vpcs.all(s, tx) {
		all = append(all, s.openInside(id("sg", v.VPCID, "default"), "default", "default VPC security group", v.VPCID))
	}
	for _, c := range s.clusters(tx) {
		all = append(all, s.openInside(s.VPC.ClusterSecurityGroupID(c.ID), "eks-cluster-sg-"+c.Name+"-"+strings.ToLower(c.ID)[:min(10, len(c.ID))],
			"EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.", c.VPCID))
	}
	return all
}

// openInside is a group whose members may speak with each other, and with everybody outwards.
func (s *Service) openInside(groupID, name, description, vpcID string) securityGroup {
	g := s.newGroup(groupID, name, description, vpcID)
	g.Rules = append(g.Rules, rule{ID: id("sgr", groupID, "in"), Protocol: "-1", FromPort: -1, ToPort: -1, Group: groupID})
	return g
}

// newGroup is a group with the rule that each begins with: everything outwards.
func (s *Service) newGroup(groupID, name, description, vpcID string) securityGroup {
	return securityGroup{GroupID: groupID, ARN: s.arn("security-group", groupID), GroupName: name, Description: description, VPCID: vpcID, OwnerID: s.VPC.AccountID,
		Rules: []rule{{ID: id("sgr", groupID, "out"), Egress: true, Protocol: "-1", FromPort: -1, ToPort: -1, CIDR: "0.0.0.0/0"}}}
}

func (s *Service) groupActions() map[string]action {
	return map[string]action{
		"CreateSecurityGroup": typed(s.createGroup), "DeleteSecurityGroup": typed(s.deleteGroup), "DescribeSecurityGroups": typed(s.describeGroups),
	}
}

type describeGroupsInput struct {
	IDs        []string `ec2:"GroupId"`
	Names      []string `ec2:"GroupName"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeGroupsOutput struct {
	Groups    list[securityGroup] `xml:"securityGroupInfo"`
	NextToken string              `xml:"nextToken,omitempty"`
}

func (s *Service) describeGroups(call *wire.Call, in *describeGroupsInput) (*describeGroupsOutput, error) {
	if len(in.Names) > 0 { // names are those of the default VPC's groups, as in EC2
		in.Filters = append(in.Filters, filter{"group-name", in.Names}, filter{"vpc-id", []string{s.VPC.ID()}})
	}
	var names map[string]string
	found, next, err := describe(s, call, groups, in.IDs, page{in.Filters, in.MaxResults, in.NextToken}, func(tx *region.Txn, g *securityGroup) {
		if names == nil {
			names = s.groupNames(tx)
		}
		g.Ingress, g.Egress = s.permissions(*g, false, names), s.permissions(*g, true, names)
		g.Tags = s.tagsOf(tx, g.GroupID)
	})
	return &describeGroupsOutput{found, next}, err
}

// groupNames are the names of all groups by id.
func (s *Service) groupNames(tx *region.Txn) map[string]string {
	names := map[string]string{}
	for _, g := range groups.all(s, tx) {
		names[g.GroupID] = g.GroupName
	}
	return names
}

type createGroupInput struct {
	Name           string             `ec2:"GroupName,required"`
	Description    string             `ec2:"GroupDescription,required"`
	VPCID          string             `ec2:"VpcId"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createGroupOutput struct {
	Return  bool      `xml:"return"`
	GroupID string    `xml:"groupId"`
	Tags    list[tag] `xml:"tagSet"`
	ARN     string    `xml:"securityGroupArn"`
}

func (s *Service) createGroup(call *wire.Call, in *createGroupInput) (*createGroupOutput, error) {
	switch {
	case strings.HasPrefix(in.Name, "sg-"), in.Name == "default", len(in.Name) > 255:
		return nil, refuse("InvalidParameterValue", "GroupName must be at most 255 characters, not \"default\", and must not begin with sg-.")
	case len(in.Description) > 255:
		return nil, refuse("InvalidParameterValue", "GroupDescription must be at most 255 characters.")
	case in.VPCID == "":
		in.VPCID = s.VPC.ID()
	}
	given, err := newTags(in.Specifications, "security-group")
	if err != nil {
		return nil, err
	}
	g := s.newGroup(newID("sg"), in.Name, in.Description, in.VPCID)
	return change(s, call, &createGroupOutput{true, g.GroupID, given, g.ARN}, func(tx *region.Txn) error {
		if _, err := vpcs.get(s, tx, in.VPCID); err != nil {
			return err
		}
		for _, other := range groups.all(s, tx) {
			if other.VPCID == in.VPCID && other.GroupName == in.Name {
				return refuse("InvalidGroup.Duplicate", fmt.Sprintf("The security group '%s' already exists for VPC '%s'", in.Name, in.VPCID))
			}
		}
		groups.put(s, tx, g)
		tags.Put(tx, g.GroupID, given)
		return nil
	})
}

type deleteGroupInput struct {
	GroupID string `ec2:"GroupId,required"`
}

func (s *Service) deleteGroup(call *wire.Call, in *deleteGroupInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *region.Txn) error {
		g, err := groups.get(s, tx, in.GroupID)
		switch {
		case err != nil:
			return err
		case g.isDefault():
			return refuse("CannotDelete", fmt.Sprintf("the specified group: \"%s\" name: \"default\" cannot be deleted by a user", g.GroupID))
		}
		if user := s.userOf(tx, g.GroupID); user != "" {
			return refuse("DependencyViolation", fmt.Sprintf("resource %s has a dependent object: %s uses it.", g.GroupID, user))
		}
		for _, r := range g.Rules {
			tags.Delete(tx, r.ID)
		}
		return groups.delete(s, tx, g.GroupID)
	})
}

// userOf names what uses a group: a cluster, or another group's rule; empty where nothing does.
func (s *Service) userOf(tx *region.Txn, groupID string) string {
	for _, c := range s.clusters(tx) {
		for _, used := range append([]string{s.VPC.ClusterSecurityGroupID(c.ID)}, c.SecurityGroupIDs...) {
			if used == groupID {
				return "the EKS cluster " + c.Name
			}
		}
	}
	for _, other := range groups.all(s, tx) {
		for _, r := range other.Rules {
			if other.GroupID != groupID && r.Group == groupID {
				return "a rule of " + other.GroupID
			}
		}
	}
	return ""
}

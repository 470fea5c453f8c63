package ec2

import (
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
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
	table: state.NewTable[entry[securityGroup]]("ec2-security-group"), prefix: "sg", noun: "security group",
	code:     "InvalidGroup",
	misnamed: "InvalidGroupId.Malformed",
	id:       func(v securityGroup) string { return v.GroupID },
	computed: func(s *Service, tx *state.Txn) []securityGroup { return s.computedGroups(tx) },
}

// computedGroups are each VPC's default group and the one that EKS makes for each cluster.
func (s *Service) computedGroups(tx *state.Txn) []securityGroup {
	var all []securityGroup
	for _, v := range vpcs.all(s, tx) {
		all = append(all, s.openInside(id("sg", v.VPCID, "default"), "default", "default VPC security group", v.VPCID))
	}
	for _, c := range s.clusters(tx) {
		all = append(all, s.openInside(s.VPC.ClusterSecurityGroupID(c.ID),
			clusterGroupName(c),
			"EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any "+
				"managed workloads.", c.VPCID))
	}
	return all
}

// clusterGroupName is that of the group that EKS makes for a cluster.
func clusterGroupName(c ClusterNetwork) string {
	return "eks-cluster-sg-" + c.Name + "-" + strings.ToLower(c.ID)[:min(10, len(c.ID))]
}

// openInside is a group whose members may speak with each other, and with everybody outwards.
func (s *Service) openInside(groupID, name, description, vpcID string) securityGroup {
	g := s.newGroup(groupID, name, description, vpcID)
	g.Rules = append(g.Rules, rule{ID: id("sgr", groupID, "in"), Protocol: "-1", FromPort: -1, ToPort: -1, Group: groupID})
	return g
}

// newGroup is a group with the rule that each begins with: everything outwards.
func (s *Service) newGroup(groupID, name, description, vpcID string) securityGroup {
	return securityGroup{GroupID: groupID, ARN: s.arn("security-group", groupID), GroupName: name,
		Description: description, VPCID: vpcID, OwnerID: s.VPC.AccountID,
		Rules: []rule{{ID: id("sgr", groupID, "out"), Egress: true, Protocol: "-1", FromPort: -1, ToPort: -1,
			CIDR: "0.0.0.0/0"}}}
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

func (s *Service) describeGroups(call *operation.Call, in *describeGroupsInput) (*describeGroupsOutput, error) {
	if err := s.groupsNamed(call, in.Names, &in.Filters); err != nil {
		return nil, err
	}
	var names func(string) string
	found, next, err := describe(s, call, groups, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, g *securityGroup) {
			if names == nil {
				names = s.groupNames(tx)
			}
			g.Ingress, g.Egress = s.permissions(*g, false, names), s.permissions(*g, true, names)
			g.Tags = s.tagsOf(tx, g.GroupID)
		})
	return &describeGroupsOutput{found, next}, err
}

// groupsNamed adds filters for the groups with these names, which are those of the default VPC, as in EC2. All must be
// there.
func (s *Service) groupsNamed(call *operation.Call, names []string, filters *[]filter) error {
	if len(names) == 0 {
		return nil
	}
	*filters = append(*filters, filter{"group-name", names}, filter{"vpc-id", []string{s.VPC.ID()}})
	err := s.State.View(func(tx *state.Txn) error {
		for _, name := range names {
			if _, err := s.group(tx, "", name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return wrap(call, err)
	}
	return nil
}

// group is the security group with that id, or that name in the default VPC.
func (s *Service) group(tx *state.Txn, groupID, name string) (securityGroup, error) {
	switch {
	case groupID != "" && name != "":
		return securityGroup{}, refuse("InvalidParameterCombination",
			"The parameters GroupName and GroupId may not be specified together")
	case groupID != "":
		return groups.get(s, tx, groupID)
	case name == "":
		return securityGroup{}, refuse("MissingParameter", "The request must contain the parameter groupName or groupId")
	}
	for _, g := range groups.all(s, tx) {
		if g.VPCID == s.VPC.ID() && g.GroupName == name {
			return g, nil
		}
	}
	return securityGroup{}, refuse("InvalidGroup.NotFound", "The security group '%s' does not exist in default VPC '%s'",
		clip(name), s.VPC.ID())
}

// groupNames tells the names of groups by id, each looked up once; empty where there is no such group.
func (s *Service) groupNames(tx *state.Txn) func(groupID string) string {
	names := map[string]string{}
	return func(groupID string) string {
		name, known := names[groupID]
		if !known {
			if g := groups.found(s, tx, []string{groupID}); len(g) > 0 {
				name = g[0].GroupName
			}
			names[groupID] = name
		}
		return name
	}
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

func (s *Service) createGroup(call *operation.Call, in *createGroupInput) (*createGroupOutput, error) {
	switch {
	case strings.HasPrefix(in.Name, "sg-"):
		return nil, refuse("InvalidParameterValue", "Invalid security group name. Group names may not be in the format sg-*")
	case in.Name == "default":
		return nil, refuse("InvalidParameterValue", "Cannot use reserved security group name: default")
	case len(in.Name) > 255:
		return nil, refuse("InvalidParameterValue", "GroupName must be at most 255 characters.")
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
	return change(s, call, &createGroupOutput{true, g.GroupID, given, g.ARN}, func(tx *state.Txn) error {
		if _, err := vpcs.get(s, tx, in.VPCID); err != nil {
			return err
		}
		for _, other := range groups.all(s, tx) {
			if other.VPCID == in.VPCID && other.GroupName == in.Name {
				return refuse("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", in.Name, in.VPCID)
			}
		}
		groups.put(s, tx, g)
		tags.Put(tx, g.GroupID, given)
		return nil
	})
}

type deleteGroupInput struct {
	GroupID string `ec2:"GroupId"`
	Name    string `ec2:"GroupName"`
}

type deleteGroupOutput struct {
	Return  bool   `xml:"return"`
	GroupID string `xml:"groupId"`
}

func (s *Service) deleteGroup(call *operation.Call, in *deleteGroupInput) (*deleteGroupOutput, error) {
	out := &deleteGroupOutput{Return: true}
	return change(s, call, out, func(tx *state.Txn) error {
		g, err := s.group(tx, in.GroupID, in.Name)
		out.GroupID = g.GroupID
		switch {
		case err != nil:
			return err
		case g.isDefault():
			return refuse("CannotDelete", "the specified group: \"%s\" name: \"default\" cannot be deleted by a user", g.GroupID)
		}
		if user := s.userOf(tx, g.GroupID); user != "" {
			call.Note(user + " uses " + g.GroupID)
			return refuse("DependencyViolation", "resource %s has a dependent object", g.GroupID)
		}
		for _, r := range g.Rules {
			tags.Delete(tx, r.ID)
		}
		return groups.delete(s, tx, g.GroupID)
	})
}

// userOf names what uses a group: a cluster, an endpoint, a load balancer, an instance, a network interface, or another
// group's rule; empty where nothing does.
func (s *Service) userOf(tx *state.Txn, groupID string) string {
	for _, c := range s.clusters(tx) {
		for _, used := range append([]string{s.VPC.ClusterSecurityGroupID(c.ID)}, c.SecurityGroupIDs...) {
			if used == groupID {
				return "the EKS cluster " + c.Name
			}
		}
	}
	if users := s.endpointUsers(tx, groupID); len(users) > 0 {
		return users[0]
	}
	if users := append(balancerUsers(tx, groupID), mountTargetUsers(tx, groupID)...); len(users) > 0 {
		return users[0]
	}
	for _, v := range region.Instances.List(tx) {
		if slices.Contains(v.Launch.Groups, groupID) {
			return v.ID
		}
	}
	for _, v := range region.InterfacesBySecurityGroup.Of(groupID).After(tx, "") {
		return v.ID
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

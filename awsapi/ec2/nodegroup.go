package ec2

import (
	"strconv"

	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// Template is one version of a launch template, as far as a managed node group looks at it.
type Template struct {
	ID, Name string
	Version  string // its number
	// ImageID, InstanceType and KeyName are empty where the template leaves them out.
	ImageID, InstanceType, KeyName string
	// Profile says that it names an instance profile, and Subnets that one of its interfaces names a subnet.
	Profile, Subnets bool
}

// FindTemplate is the launch template with that id or name, in that version: a number, $Latest, or $Default, which is
// also meant by none. The error is in EC2's words.
func (s *Service) FindTemplate(tx *state.Txn, templateID, name, version string) (Template, error) {
	if templateID != "" && name != "" {
		return Template{}, namedTwice()
	}
	return s.FindTemplateOf(tx, region.TemplateRef{ID: templateID, Name: name, Version: version})
}

// FindTemplateOf is FindTemplate by a stored reference, whose id counts where it has both.
func (s *Service) FindTemplateOf(tx *state.Txn, of region.TemplateRef) (Template, error) {
	t, v, err := s.versionOf(tx, of)
	if err != nil {
		return Template{}, err
	}
	found := Template{ID: t.TemplateID, Name: t.Name, Version: strconv.Itoa(v.Number), ImageID: v.Data.ImageID,
		InstanceType: v.Data.InstanceType,
		KeyName:      v.Data.KeyName, Profile: v.Data.Profile != nil}
	for _, one := range v.Data.Interfaces {
		found.Subnets = found.Subnets || one.SubnetID != ""
	}
	return found, nil
}

// sshPort is where node groups with an SSH key let people in.
const sshPort = 22

// OpenSSH makes the security group by which EKS lets people reach a node group's nodes by SSH: those of the groups, or
// everybody where there are none. The subnet is one of the node group's. The error is in EC2's words.
func (s *Service) OpenSSH(tx *state.Txn, name, subnetID string, sources []string) (groupID string, err error) {
	home, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return "", err
	}
	g := s.newGroup(newID("sg"), name, "Security group for all nodes in the nodeGroup to allow SSH access", home.VPCID)
	open := rule{Protocol: "tcp", FromPort: sshPort, ToPort: sshPort}
	if len(sources) == 0 {
		open.ID, open.CIDR = newID("sgr"), anywhere
		g.Rules = append(g.Rules, open)
	}
	for _, source := range sources {
		if _, err := groups.get(s, tx, source); err != nil {
			return "", err
		}
		open.ID, open.Group = newID("sgr"), source
		g.Rules = append(g.Rules, open)
	}
	groups.put(s, tx, g)
	return g.GroupID, nil
}

// CloseSSH removes the group that OpenSSH made, if it is still there.
func (s *Service) CloseSSH(tx *state.Txn, groupID string) {
	if _, err := groups.get(s, tx, groupID); err == nil {
		groups.delete(s, tx, groupID) // it is stored, so there is nothing to refuse
	}
}

// Words is the sentence of an error in EC2's words; empty where the error is none of these.
func Words(err error) string {
	if refusal, told := err.(*wire.Error); told {
		return refusal.Message
	}
	return ""
}

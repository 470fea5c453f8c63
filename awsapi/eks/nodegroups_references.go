package eks

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/ec2"
	"tripod/state"
)

// nodegroupReferences finds what a request for a node group names: its role, key, instance types and launch template,
// in the version that it means. The template is empty where the request names none, and in a lenient region where there
// is none of that name.
func (s *Service) nodegroupReferences(c change, a about, in *eks.CreateNodegroupInput) (ec2.Template, error) {
	if err := s.nodeRoleFor(c, a, aws.ToString(in.NodeRole)); err != nil {
		return ec2.Template{}, err
	}
	if err := c.inWordsOfEC2(a, ec2.CheckInstanceTypes(in.InstanceTypes)); err != nil {
		return ec2.Template{}, err
	}
	if access := in.RemoteAccess; access != nil && access.Ec2SshKey != nil {
		if err := c.inWordsOfEC2(a, s.network().CheckKeyPair(c.tx, *access.Ec2SshKey)); err != nil {
			return ec2.Template{}, err
		}
	}
	template, err := s.templateOf(c, a, in.LaunchTemplate)
	if err != nil || template.ID == "" {
		return template, err
	}
	return template, fitsTemplate(a, in, template)
}

// inWordsOfEC2 is the refusal of a call because of what it names, where EC2 does not have it.
func (c change) inWordsOfEC2(a about, err error) error {
	if words := ec2.Words(err); words != "" {
		return c.unresolved(a.invalidParameter("%s", words))
	}
	return err
}

// templateOf is the launch template that a request names; empty where it names none.
func (s *Service) templateOf(c change, a about, want *types.LaunchTemplateSpecification) (ec2.Template, error) {
	if want == nil {
		return ec2.Template{}, nil
	}
	template, err := s.network().FindTemplate(c.tx, aws.ToString(want.Id), aws.ToString(want.Name),
		aws.ToString(want.Version))
	return template, c.inWordsOfEC2(a, err)
}

// fitsTemplate refuses what cannot be asked for beside what a launch template says: "Launch template configuration
// basics" of the user guide.
func fitsTemplate(a about, in *eks.CreateNodegroupInput, template ec2.Template) error {
	switch {
	case template.InstanceType != "" && len(in.InstanceTypes) > 0:
		return a.invalidRequest("Cannot specify instance types in launch template and API request")
	case template.Profile:
		return a.invalidParameter("Launch template should not specify an instance profile. The noderole in your request " +
			"will be used to construct an instance profile.")
	case template.Subnets:
		return a.invalidParameter("Launch template should not specify subnets: the node group has those of the request.")
	case template.ImageID != "" && in.AmiType != "" && in.AmiType != types.AMITypesCustom:
		return a.invalidParameter("You cannot specify an AMI Type other than CUSTOM, when specifying an image id in your " +
			"launch template.")
	case template.ImageID != "" && (in.Version != nil || in.ReleaseVersion != nil):
		return a.invalidParameter("You cannot specify version or releaseVersion with a launch template that has an image " +
			"id: the AMI has them.")
	case template.ImageID == "" && in.AmiType == types.AMITypesCustom:
		return a.invalidParameter("The AMI type CUSTOM needs a launch template that names the AMI.")
	}
	return nil
}

// fillFromTemplate gives a node group what follows from its launch template.
func fillFromTemplate(g *types.Nodegroup, template ec2.Template) {
	if template.ID == "" {
		return
	}
	g.LaunchTemplate = &types.LaunchTemplateSpecification{Id: &template.ID, Name: &template.Name,
		Version: &template.Version}
	switch {
	case template.ImageID != "":
		g.AmiType = types.AMITypesCustom
	case g.AmiType == "" && template.InstanceType != "":
		g.AmiType = defaultAMI([]string{template.InstanceType})
	}
	if template.InstanceType == "" && len(g.InstanceTypes) == 0 {
		g.InstanceTypes = []string{defaultInstanceType}
	}
}

// openSSH gives a node group with an SSH key the security group that lets people in.
func (s *Service) openSSH(c change, a about, g *types.Nodegroup) error {
	if g.RemoteAccess == nil || g.RemoteAccess.Ec2SshKey == nil {
		return nil
	}
	groupID, err := s.network().OpenSSH(c.tx, "eks-remoteAccess-"+c.id, g.Subnets[0], g.RemoteAccess.SourceSecurityGroups)
	if err != nil {
		return c.inWordsOfEC2(a, err)
	}
	g.Resources.RemoteAccessSecurityGroup = &groupID
	return nil
}

// closeSSH removes a node group's security group.
func (s *Service) closeSSH(tx *state.Txn, g *types.Nodegroup) {
	if g.Resources != nil && g.Resources.RemoteAccessSecurityGroup != nil {
		s.network().CloseSSH(tx, *g.Resources.RemoteAccessSecurityGroup)
	}
}

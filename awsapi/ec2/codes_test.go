package ec2

import (
	"errors"
	"strings"
	"testing"

	"tripod/awsapi/wire"
)

// TestErrorsReadAsThoseOfEC2 pins the codes and sentences that clients match, as "Error codes" of the EC2 API reference
// and what people met tell them.
func TestErrorsReadAsThoseOfEC2(t *testing.T) {
	s := newService()
	must(t, s, "CreateLaunchTemplate", "LaunchTemplateName=nodes", "LaunchTemplateData.InstanceType=m5.large")
	vpc, none := s.VPC.ID(), "-00000000000000000"
	for _, tt := range []struct{ want, call, params string }{
		{"InvalidGroupId.Malformed: Invalid id: \"x\" (expecting \"sg-...\")", "DescribeSecurityGroups", "GroupId.1=x"},
		{"InvalidGroup.NotFound: The security group 'sg" + none + "' does not exist", "DeleteSecurityGroup",
			"GroupId=sg" + none},
		{"InvalidGroup.NotFound: The security group 'x' does not exist in default VPC '" + vpc + "'", "DeleteSecurityGroup",
			"GroupName=x"},
		{"InvalidGroup.NotFound: The security group 'x' does not exist in default VPC '" + vpc + "'",
			"DescribeSecurityGroups",
			"GroupName.1=x"},
		{"MissingParameter: The request must contain the parameter groupName or groupId", "DeleteSecurityGroup", ""},
		{"InvalidParameterValue: Cannot use reserved security group name: default", "CreateSecurityGroup",
			"GroupName=default&GroupDescription=d"},
		{"InvalidVpcID.Malformed: Invalid id: \"x\" (expecting \"vpc-...\")", "DescribeVpcs", "VpcId.1=x"},
		{"InvalidSubnetID.NotFound: The subnet ID 'subnet" + none + "' does not exist", "DeleteSubnet",
			"SubnetId=subnet" + none},
		{"InvalidRouteTableId.Malformed: Invalid id: \"x\" (expecting \"rtb-...\")", "DescribeRouteTables",
			"RouteTableId.1=x"},
		{"InvalidRouteTableID.NotFound: The routeTable ID 'rtb" + none + "' does not exist", "DescribeRouteTables",
			"RouteTableId.1=rtb" + none},
		{"InvalidInternetGatewayId.Malformed: Invalid id: \"x\" (expecting \"igw-...\")", "DeleteInternetGateway",
			"InternetGatewayId=x"},
		{"InvalidNetworkAclId.Malformed: Invalid id: \"x\" (expecting \"acl-...\")", "DeleteNetworkAcl", "NetworkAclId=x"},
		{"InvalidNetworkInterfaceId.Malformed: Invalid id: \"x\" (expecting \"eni-...\")", "DescribeNetworkInterfaces",
			"NetworkInterfaceId.1=x"},
		{"NatGatewayMalformed: Invalid id: \"x\" (expecting \"nat-...\")", "DeleteNatGateway", "NatGatewayId=x"},
		{"NatGatewayNotFound: The Nat Gateway nat" + none + " was not found", "DeleteNatGateway", "NatGatewayId=nat" + none},
		{"InvalidDhcpOptionsId.Malformed: Invalid id: \"x\" (expecting \"dopt-...\")", "DeleteDhcpOptions",
			"DhcpOptionsId=x"},
		{"InvalidDhcpOptionID.NotFound: The dhcpOption ID 'dopt" + none + "' does not exist", "DeleteDhcpOptions",
			"DhcpOptionsId=dopt" + none},
		{"InvalidVolumeID.Malformed: Invalid id: \"x\" (expecting \"vol-...\")", "DescribeVolumes", "VolumeId.1=x"},
		{"InvalidSnapshotID.Malformed: Invalid id: \"x\" (expecting \"snap-...\")", "DescribeSnapshots", "SnapshotId.1=x"},
		{"InvalidLaunchTemplateId.NotFound: The specified launch template, with template ID lt" + none + ", does not exist.",
			"DescribeLaunchTemplateVersions", "LaunchTemplateId=lt" + none},
		{"InvalidLaunchTemplateName.NotFoundException: The specified launch template, with template name x, does not exist.",
			"DescribeLaunchTemplateVersions", "LaunchTemplateName=x"},
		{"InvalidLaunchTemplateName.NotFoundException: At least one of the launch templates specified in the request " +
			"does not exist.",
			"DescribeLaunchTemplates", "LaunchTemplateName.1=xyz"},
		{"InvalidLaunchTemplateName.AlreadyExistsException: Launch template name already in use.", "CreateLaunchTemplate",
			"LaunchTemplateName=nodes&LaunchTemplateData.ImageId=ami-1"},
		{"MissingParameter: To describe the launch template data for all your launch templates, for ‘--versions’",
			"DescribeLaunchTemplateVersions", ""},
		{"InvalidParameterValue: To describe the launch template data for all your launch templates, for ‘--versions’",
			"DescribeLaunchTemplateVersions", "LaunchTemplateVersion.1=1"},
		{"MissingParameter: The request must contain the parameter launch template ID or launch template name",
			"DeleteLaunchTemplate", ""},
		{"InvalidParameterCombination: Either provide launch template ID or launch template name to modify the template.",
			"ModifyLaunchTemplate", "LaunchTemplateId=x&LaunchTemplateName=nodes&SetDefaultVersion=2"},
		{"InvalidLaunchTemplateId.VersionNotFound: The launch template version 2 is not found for the specified " +
			"launch template.",
			"ModifyLaunchTemplate", "LaunchTemplateName=nodes&SetDefaultVersion=2"},
		{"InvalidLaunchTemplateId.VersionNotFound: Could not find the specified version 2 for the launch template " +
			"with ID lt-",
			"DescribeLaunchTemplateVersions", "LaunchTemplateName=nodes&LaunchTemplateVersion.1=2"},
	} {
		var params []string
		if tt.params != "" {
			params = strings.Split(tt.params, "&")
		}
		_, err := ask(s, tt.call, params...)
		var refusal *wire.Error
		if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Error(), tt.want) {
			t.Errorf("%s %s: got %v\nwant %s", tt.call, tt.params, err, tt.want)
		}
	}
}

func TestGroupsOfTheDefaultVPCGoByTheirNames(t *testing.T) {
	s := newService()
	groupID := element(t, must(t, s, "CreateSecurityGroup", "GroupName=web", "GroupDescription=d"), "groupId")
	must(t, s, "AuthorizeSecurityGroupIngress", "GroupName=web", "IpProtocol=tcp", "FromPort=0", "ToPort=0",
		"CidrIp=10.0.0.0/8")
	if got := element(t, must(t, s, "DescribeSecurityGroups", "GroupName.1=web"), "fromPort"); got != "0" {
		t.Errorf("fromPort is %s, want 0", got)
	}
	if got := element(t, must(t, s, "DeleteSecurityGroup", "GroupName=web"), "groupId"); got != groupID {
		t.Errorf("deleted %s, want %s", got, groupID)
	}
}

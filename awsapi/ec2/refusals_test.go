package ec2

import (
	"errors"
	"net/http"
	"testing"

	"tripod/awsapi/wire"
	"tripod/state"
)

// TestEveryOperationAnswersGarbageWithA400 sends each operation what no client would, and wants EC2's error or an
// answer, never more.
func TestEveryOperationAnswersGarbageWithA400(t *testing.T) {
	s := newService()
	for name := range s.actions() {
		for _, params := range [][]string{
			nil, {"Nonsense=1"}, {"Filter=x"}, {"Filter.1.Name=x", "Filter.1.Value.1=y"}, {"MaxResults=-1"}, {"NextToken=!"},
			{"DryRun=perhaps"}, {"Filter.x.Name=1"},
			{"GroupId=x"}, {"GroupId.1=x"},
			{"GroupId=sg-00000000000000000", "IpPermissions.1.IpProtocol=x", "IpPermissions.1.IpRanges.1.CidrIp=y"},
			{"GroupId=sg-00000000000000000", "IpProtocol=tcp"}, {"RouteTableId=rtb-00000000000000000",
				"DestinationCidrBlock=x", "GatewayId=y"},
			{"RouteTableId=rtb-00000000000000000", "DestinationCidrBlock=::/0"}, {"AssociationId=x"}, {"AllocationId=x"},
			{"SubnetId=x", "AllocationId=y"},
			{"InternetGatewayId=x", "VpcId=y"}, {"NatGatewayId=x"},
			{"LaunchTemplateId=x", "SetDefaultVersion=y", "LaunchTemplateVersion.1=z"},
			{"LaunchTemplateName=abc", "LaunchTemplateData=x"}, {"LaunchTemplateName=abc",
				"LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=x"},
			{"LaunchTemplateName=abc", "SetDefaultVersion=99999999999999999999", "LaunchTemplateVersion.1=-1"},
		} {
			_, err := ask(s, name, params...)
			var refusal *wire.Error
			if err != nil && (!errors.As(err, &refusal) || refusal.Status != http.StatusBadRequest || refusal.Message == "") {
				t.Errorf("%s %v: got %v, want a 400", name, params, err)
			}
		}
	}
}

func TestReferencedGroupCannotBeDeleted(t *testing.T) {
	s := newService()
	used := element(t, must(t, s, "CreateSecurityGroup", "GroupName=used", "GroupDescription=d"), "groupId")
	user := element(t, must(t, s, "CreateSecurityGroup", "GroupName=user", "GroupDescription=d"), "groupId")
	permission := []string{"GroupId=" + user, "IpPermissions.1.IpProtocol=tcp", "IpPermissions.1.FromPort=443",
		"IpPermissions.1.ToPort=443", "IpPermissions.1.Groups.1.GroupId=" + used}
	must(t, s, "AuthorizeSecurityGroupIngress", permission...)
	if _, err := ask(s, "DeleteSecurityGroup", "GroupId="+used); code(err) != "DependencyViolation" {
		t.Errorf("got %v, want DependencyViolation", err)
	}
	must(t, s, "RevokeSecurityGroupIngress", permission...)
	must(t, s, "DeleteSecurityGroup", "GroupId="+used)
}

func TestSubnetIsPublicWhileItsTableLeadsToAnInternetGateway(t *testing.T) {
	s := newService()
	subnetID := s.VPC.SubnetIDs()[0]
	private := func() bool {
		t.Helper()
		var private bool
		err := s.State.View(func(tx *state.Txn) (err error) { private, err = s.IsPrivate(tx, subnetID); return err })
		if err != nil {
			t.Fatal(err)
		}
		return private
	}
	tableID := element(t, must(t, s, "CreateRouteTable", "VpcId="+s.VPC.ID()), "routeTableId")
	gatewayID := element(t, must(t, s, "DescribeInternetGateways"), "internetGatewayId")
	must(t, s, "CreateRoute", "RouteTableId="+tableID, "DestinationCidrBlock=0.0.0.0/0", "GatewayId="+gatewayID)
	association := element(t, must(t, s, "AssociateRouteTable", "RouteTableId="+tableID, "SubnetId="+subnetID),
		"associationId")
	if private() {
		t.Errorf("%s is private with a route to %s", subnetID, gatewayID)
	}
	must(t, s, "DisassociateRouteTable", "AssociationId="+association)
	if !private() {
		t.Errorf("%s is not private without its table", subnetID)
	}
}

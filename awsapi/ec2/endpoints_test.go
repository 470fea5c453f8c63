package ec2

import (
	"strings"
	"testing"
)

func TestGatewayEndpointsAreInTheirTables(t *testing.T) {
	s := newService()
	vpcID := element(t, must(t, s, "CreateVpc", "CidrBlock=10.9.0.0/16"), "vpcId")
	tableID := element(t, must(t, s, "CreateRouteTable", "VpcId="+vpcID), "routeTableId")
	const service = "com.amazonaws.us-east-1.s3"
	made := must(t, s, "CreateVpcEndpoint", "VpcId="+vpcID, "ServiceName="+service, "RouteTableId.1="+tableID,
		"TagSpecification.1.ResourceType=vpc-endpoint",
		"TagSpecification.1.Tag.1.Key=Name", "TagSpecification.1.Tag.1.Value=s3")
	endpointID := element(t, made, "vpcEndpointId")
	if element(t, made, "vpcEndpointType") != "Gateway" || element(t, made, "state") != "available" ||
		element(t, made, "privateDnsEnabled") != "false" ||
		!strings.Contains(element(t, made, "policyDocument"), "2008-10-17") {
		t.Errorf("got %s", made)
	}
	listID := element(t, must(t, s, "DescribePrefixLists", "Filter.1.Name=prefix-list-name",
		"Filter.1.Value.1="+service), "prefixListId")
	table := must(t, s, "DescribeRouteTables", "Filter.1.Name=route.destination-prefix-list-id",
		"Filter.1.Value.1="+listID)
	if !strings.Contains(table, "<gatewayId>"+endpointID+"</gatewayId>") || element(t, table, "routeTableId") != tableID {
		t.Errorf("got %s", table)
	}
	for _, filter := range []string{"vpc-id=" + vpcID, "service-name=" + service, "vpc-endpoint-type=Gateway",
		"vpc-endpoint-state=available", "tag:Name=s3"} {
		name, value, _ := strings.Cut(filter, "=")
		if got := element(t, must(t, s, "DescribeVpcEndpoints", "Filter.1.Name="+name, "Filter.1.Value.1="+value),
			"vpcEndpointId"); got != endpointID {
			t.Errorf("%s: got %s", filter, got)
		}
	}
	_, err := ask(s, "CreateVpcEndpoint", "VpcId="+vpcID, "ServiceName="+service, "RouteTableId.1="+tableID)
	said(t, err, "RouteAlreadyExists: route table "+tableID+" already has a route with destination-prefix-list-id "+listID)
	_, err = ask(s, "DeleteVpc", "VpcId="+vpcID)
	if code(err) != "DependencyViolation" {
		t.Errorf("got %v", err)
	}
	must(t, s, "ModifyVpcEndpoint", "VpcEndpointId="+endpointID, "RemoveRouteTableId.1="+tableID, "PolicyDocument={}")
	if shown := must(t, s, "DescribeVpcEndpoints"); strings.Contains(shown, tableID) ||
		element(t, shown, "policyDocument") != "{}" {
		t.Errorf("got %s", shown)
	}
	must(t, s, "ModifyVpcEndpoint", "VpcEndpointId="+endpointID, "AddRouteTableId.1="+tableID, "ResetPolicy=true")
	must(t, s, "DeleteRouteTable", "RouteTableId="+tableID)
	deleted := must(t, s, "DeleteVpcEndpoints", "VpcEndpointId.1="+endpointID, "VpcEndpointId.2=vpce-00000000000000000")
	if element(t, deleted, "code") != "InvalidVpcEndpointId.NotFound" ||
		element(t, deleted, "resourceId") != "vpce-00000000000000000" {
		t.Errorf("got %s", deleted)
	}
	_, err = ask(s, "DescribeVpcEndpoints", "VpcEndpointId.1="+endpointID)
	said(t, err, "InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id '"+endpointID+"' does not exist")
	must(t, s, "DeleteVpc", "VpcId="+vpcID)
}

func TestInterfaceEndpointsHaveInterfaces(t *testing.T) {
	s := newService()
	const service = "com.amazonaws.us-east-1.ecr.api"
	group := element(t, must(t, s, "CreateSecurityGroup", "GroupName=endpoints", "GroupDescription=d"), "groupId")
	create := []string{"VpcEndpointType=Interface", "VpcId=" + s.VPC.ID(), "ServiceName=" + service}
	made := must(t, s, "CreateVpcEndpoint",
		append(create, "SubnetId.1="+s.VPC.SubnetIDs()[0], "SubnetId.2="+s.VPC.SubnetIDs()[1], "SecurityGroupId.1="+group)...)
	endpointID := element(t, made, "vpcEndpointId")
	for _, want := range []string{"<privateDnsEnabled>true<", "<dnsName>ecr.api.us-east-1.amazonaws.com<",
		".vpce.amazonaws.com<", "<groupId>" + group} {
		if !strings.Contains(made, want) {
			t.Errorf("%s is not in %s", want, made)
		}
	}
	shown := must(t, s, "DescribeNetworkInterfaces", "Filter.1.Name=interface-type", "Filter.1.Value.1=vpc_endpoint")
	if strings.Count(shown, "VPC Endpoint Interface "+endpointID) != 2 ||
		!strings.Contains(made, element(t, shown, "networkInterfaceId")) {
		t.Errorf("got %s of %s", shown, made)
	}
	for _, c := range []struct{ params, want string }{
		{"VpcEndpointType=Interface&ServiceName=" + service,
			"InvalidParameter: private-dns-enabled cannot be set because there is already a conflicting DNS domain for " +
				"ecr.api.us-east-1.amazonaws.com in the VPC " + s.VPC.ID()},
		{"ServiceName=" + service, "InvalidParameter: Endpoint type (Gateway) does not match available service types " +
			"([Interface])."},
		{"ServiceName=com.amazonaws.eu-west-1.s3", "InvalidServiceName: The Vpc Endpoint Service " +
			"'com.amazonaws.eu-west-1.s3' does not exist"},
		{"VpcEndpointType=Interface&ServiceName=com.amazonaws.us-east-1.sts&SubnetId.1=" +
			s.VPC.SubnetIDs()[0] + "&SubnetId.2=" + s.VPC.PublicSubnetIDs()[0],
			"DuplicateSubnetsInSameZone: Found another VPC endpoint subnet in the availability zone of " +
				s.VPC.PublicSubnetIDs()[0]},
	} {
		_, err := ask(s, "CreateVpcEndpoint", append(strings.Split(c.params, "&"), "VpcId="+s.VPC.ID())...)
		said(t, err, c.want)
	}
	call, _, err := asking(s, "DeleteSecurityGroup", "GroupId="+group)
	said(t, err, "DependencyViolation: resource "+group+" has a dependent object")
	if len(call.Notes) != 1 || !strings.Contains(call.Notes[0], endpointID) {
		t.Errorf("the history has %q", call.Notes)
	}
	must(t, s, "ModifyVpcEndpoint", "VpcEndpointId="+endpointID, "RemoveSecurityGroupId.1="+group,
		"RemoveSubnetId.1="+s.VPC.SubnetIDs()[1], "PrivateDnsEnabled=false")
	must(t, s, "DeleteSecurityGroup", "GroupId="+group)
	if again := must(t, s, "DescribeVpcEndpoints"); !strings.Contains(again, "<groupName>default<") ||
		strings.Contains(again, s.VPC.SubnetIDs()[1]) ||
		element(t, again, "privateDnsEnabled") != "false" {
		t.Errorf("got %s", again)
	}
	quiet := element(t, must(t, s, "CreateVpc", "CidrBlock=10.9.0.0/16"), "vpcId") // DNS hostnames are off in a new VPC
	_, err = ask(s, "CreateVpcEndpoint", "VpcEndpointType=Interface", "ServiceName="+service, "VpcId="+quiet)
	said(t, err, "InvalidParameter: Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC "+
		"attributes set to true for "+quiet)
	detail := must(t, s, "DescribeVpcEndpointServices", "ServiceName.1=com.amazonaws.us-east-1.s3",
		"Filter.1.Name=service-type", "Filter.1.Value.1=Gateway")
	if element(t, detail, "serviceName") != "com.amazonaws.us-east-1.s3" || strings.Contains(detail, "Interface") {
		t.Errorf("got %s", detail)
	}
}

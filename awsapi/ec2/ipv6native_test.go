package ec2

import (
	"strings"
	"testing"

	"tripod/state"
)

func TestSubnetsCanBeIPv6Only(t *testing.T) {
	s := newService()
	vpcID := element(t, must(t, s, "CreateVpc", "CidrBlock=10.9.0.0/16", "AmazonProvidedIpv6CidrBlock=true"), "vpcId")
	whole := element(t, must(t, s, "DescribeVpcs", "VpcId.1="+vpcID), "ipv6CidrBlock")
	block := strings.TrimSuffix(whole, "/56") + "/64"
	made := must(t, s, "CreateSubnet", "VpcId="+vpcID, "Ipv6Native=true", "Ipv6CidrBlock="+block)
	subnetID := element(t, made, "subnetId")
	for name, want := range map[string]string{"ipv6Native": "true", "assignIpv6AddressOnCreation": "true",
		"hostnameType": "resource-name", "availableIpAddressCount": "0",
		"ipv6CidrBlock": block} {
		if got := element(t, made, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if strings.Contains(made, "<cidrBlock>") {
		t.Errorf("it has IPv4: %s", made)
	}
	element(t, must(t, s, "DescribeSubnets", "Filter.1.Name=ipv6-native", "Filter.1.Value.1=true"), "subnetId")
	for _, c := range []struct{ operation, params, want string }{
		{"CreateSubnet", "VpcId=" + vpcID, "MissingParameter: Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided."},
		{"CreateSubnet", "Ipv6Native=true&VpcId=" + vpcID,
			"MissingParameter: Either 'ipv6CidrBlock' or 'ipv6IpamPoolId' should be provided."},
		{"CreateSubnet", "Ipv6Native=true&CidrBlock=10.9.1.0/24&VpcId=" + vpcID,
			"InvalidParameterCombination: The parameter cidrBlock cannot be used with the parameter ipv6Native"},
		{"CreateSubnet", "Ipv6Native=true&VpcId=" + vpcID + "&Ipv6CidrBlock=" + block,
			"InvalidSubnet.Conflict: The CIDR '" + block + "' conflicts with another subnet"},
		{"CreateNatGateway", "ConnectivityType=private&SubnetId=" + subnetID,
			"InvalidParameterValue: The subnet " + subnetID + " is IPv6-only: a NAT gateway needs an IPv4 address."},
		{"ModifySubnetAttribute", "MapPublicIpOnLaunch.Value=true&SubnetId=" + subnetID,
			"InvalidParameterValue: Invalid value for the attribute: the subnet " + subnetID + " is IPv6-only."},
	} {
		_, err := ask(s, c.operation, strings.Split(c.params, "&")...)
		said(t, err, c.want)
	}
	err := s.State.View(func(tx *state.Txn) error {
		_, err := s.CheckNetwork(tx, []string{subnetID}, nil)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "IPv6-only") {
		t.Errorf("a cluster may be there: %v", err)
	}
	must(t, s, "DescribeNetworkInterfaces")
	must(t, s, "DeleteSubnet", "SubnetId="+subnetID)
}

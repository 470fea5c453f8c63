package ingress

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	networkingv1 "k8s.io/api/networking/v1"

	"tripod/awsapi/apitest"
	vpcapi "tripod/awsapi/ec2"
	"tripod/iam"
)

// groupsIn are the names of the security groups of a VPC, with the ranges that come to their ports.
func groupsIn(t *testing.T, c Cloud) (all []string) {
	t.Helper()
	found, err := c.Network.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("vpc-id"), Values: []string{c.VPC}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range found.SecurityGroups {
		name := *g.GroupName
		for _, p := range g.IpPermissions {
			for _, r := range p.IpRanges {
				name += " " + *r.CidrIp
			}
			for _, r := range p.Ipv6Ranges {
				name += " " + *r.CidrIpv6
			}
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// TestLoadBalancersHaveSecurityGroups: one that follows the Ingress, and one that all of the cluster share; both go with the last.
func TestLoadBalancersHaveSecurityGroups(t *testing.T) {
	w := apitest.New(t)
	vpc := vpcapi.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	config := w.Config("admin")
	c := Cloud{VPC: vpc.ID(), Balancers: elbv2.NewFromConfig(config), Network: ec2.NewFromConfig(config)}
	deploy := func(annotations map[string]string) error {
		t.Helper()
		m, err := build("demo", groupsOf([]*networkingv1.Ingress{ingressOf("shop", annotations,
			path(networkingv1.PathTypePrefix, "/", "web", ""))})[0], demo{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.deploy(t.Context(), m)
		return err
	}
	before := groupsIn(t, c)
	added := func() (names []string) {
		for _, name := range groupsIn(t, c) {
			if !slices.Contains(before, name) {
				names = append(names, strings.SplitAfterN(name, "-", 2)[0]+name[strings.LastIndexByte(name, '-')+11:])
			}
		}
		return names
	}
	for _, step := range []struct {
		inbound string
		want    []string
	}{
		{"", []string{"k8s- 0.0.0.0/0", "k8s-"}},
		{"10.0.0.0/8,::/0", []string{"k8s- 10.0.0.0/8 ::/0", "k8s-"}},
		{"192.0.2.0/24", []string{"k8s- 192.0.2.0/24", "k8s-"}},
	} {
		annotations := map[string]string{"target-type": "ip"}
		if step.inbound != "" {
			annotations["inbound-cidrs"] = step.inbound
		}
		if err := deploy(annotations); err != nil {
			t.Fatal(err)
		}
		if got := added(); !slices.Equal(got, step.want) {
			t.Errorf("inbound-cidrs %q: got %q, want %q", step.inbound, got, step.want)
		}
	}
	if err := c.remove(t.Context(), "demo", "default/shop"); err != nil {
		t.Fatal(err)
	}
	if got := added(); len(got) > 0 {
		t.Errorf("left are %q", got)
	}
}

// TestGroupsOfOthersAreLeftAlone: who writes Ingresses chooses the load balancer's name, which is the group's too.
func TestGroupsOfOthersAreLeftAlone(t *testing.T) {
	w := apitest.New(t)
	vpc := vpcapi.VPC{AccountID: iam.DefaultAccountID, Region: apitest.Region, Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	config := w.Config("admin")
	c := Cloud{VPC: vpc.ID(), Balancers: elbv2.NewFromConfig(config), Network: ec2.NewFromConfig(config)}
	before := groupsIn(t, c)
	m, err := build("demo", groupsOf([]*networkingv1.Ingress{ingressOf("shop", map[string]string{"load-balancer-name": "default"},
		path(networkingv1.PathTypePrefix, "/", "web", ""))})[0], demo{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.deploy(t.Context(), m); err == nil || !strings.Contains(err.Error(), "was not made for this Ingress") {
		t.Errorf("got %v", err)
	}
	if after := groupsIn(t, c); !slices.Equal(before, after) {
		t.Errorf("groups were %q and are %q", before, after)
	}
}

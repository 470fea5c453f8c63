package ingress

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// The descriptions are the AWS Load Balancer Controller's.
const (
	frontendDescription = "[k8s] Managed SecurityGroup for LoadBalancer"
	backendDescription  = "[k8s] Shared Backend SecurityGroup for LoadBalancer"
	sharedRule          = "elbv2.k8s.aws/targetGroupBinding=shared"
)

// secure gives a load balancer without annotated groups two of its own: one that lets clients come to its listeners, and one that
// all load balancers of the cluster share, which the nodes' groups let in.
func (c Cloud) secure(ctx context.Context, m *model) error {
	if len(m.security) > 0 {
		return nil
	}
	cluster := m.tags["elbv2.k8s.aws/cluster"]
	frontend, err := c.group(ctx, m.name, frontendDescription, map[string]string{"elbv2.k8s.aws/cluster": cluster,
		"ingress.k8s.aws/stack": m.tags["ingress.k8s.aws/stack"], "ingress.k8s.aws/resource": "ManagedLBSecurityGroup"})
	if err != nil {
		return err
	}
	if err := c.admit(ctx, frontend, m); err != nil {
		return err
	}
	backend, err := c.group(ctx, backendName(cluster), backendDescription, map[string]string{"elbv2.k8s.aws/cluster": cluster,
		"elbv2.k8s.aws/resource": "backend-sg"})
	if err != nil {
		return err
	}
	m.security = []string{aws.ToString(frontend.GroupId), aws.ToString(backend.GroupId)}
	return c.openNodes(ctx, cluster, aws.ToString(backend.GroupId))
}

func backendName(cluster string) string {
	return "k8s-traffic-" + noAlnum.ReplaceAllString(cluster, "") + "-" + hash(cluster)
}

// group is the one with that name in the VPC, which is made where there is none.
func (c Cloud) group(ctx context.Context, name, description string, tags map[string]string) (g ec2types.SecurityGroup, err error) {
	found, err := c.Network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("group-name"), Values: []string{name}}, {Name: aws.String("vpc-id"), Values: []string{c.VPC}}}})
	if err != nil {
		return g, err
	}
	if len(found.SecurityGroups) > 0 {
		there := found.SecurityGroups[0]
		has := map[string]string{}
		for _, t := range there.Tags {
			has[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
		for key, value := range tags { // who writes Ingresses chooses the name
			if has[key] != value {
				return g, fmt.Errorf("security group %s (%s) is there already, and was not made for this Ingress: its tags say so",
					aws.ToString(there.GroupId), name)
			}
		}
		return there, nil
	}
	specification := ec2types.TagSpecification{ResourceType: ec2types.ResourceTypeSecurityGroup}
	for _, t := range tagsOf(tags) {
		specification.Tags = append(specification.Tags, ec2types.Tag{Key: t.Key, Value: t.Value})
	}
	made, err := c.Network.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &description,
		VpcId: &c.VPC, TagSpecifications: []ec2types.TagSpecification{specification}})
	if err != nil {
		return g, err
	}
	return ec2types.SecurityGroup{GroupId: made.GroupId}, nil
}

// admit lets the annotated ranges, or everybody, come to the listeners' ports, and nobody else.
func (c Cloud) admit(ctx context.Context, g ec2types.SecurityGroup, m *model) error {
	type key struct {
		port int32
		cidr string
	}
	wanted := map[key]bool{}
	for _, l := range m.listeners {
		for _, cidr := range m.inbound {
			wanted[key{l.Port, cidr}] = true
		}
	}
	var surplus, missing []ec2types.IpPermission
	keep := func(p ec2types.IpPermission, cidr string) bool {
		is := key{aws.ToInt32(p.FromPort), cidr}
		if aws.ToString(p.IpProtocol) != "tcp" || aws.ToInt32(p.ToPort) != is.port || !wanted[is] {
			return false
		}
		delete(wanted, is)
		return true
	}
	for _, p := range g.IpPermissions {
		left := ec2types.IpPermission{IpProtocol: p.IpProtocol, FromPort: p.FromPort, ToPort: p.ToPort, UserIdGroupPairs: p.UserIdGroupPairs}
		for _, r := range p.IpRanges {
			if !keep(p, aws.ToString(r.CidrIp)) {
				left.IpRanges = append(left.IpRanges, ec2types.IpRange{CidrIp: r.CidrIp})
			}
		}
		for _, r := range p.Ipv6Ranges {
			if !keep(p, aws.ToString(r.CidrIpv6)) {
				left.Ipv6Ranges = append(left.Ipv6Ranges, ec2types.Ipv6Range{CidrIpv6: r.CidrIpv6})
			}
		}
		if len(left.IpRanges)+len(left.Ipv6Ranges)+len(left.UserIdGroupPairs) > 0 {
			surplus = append(surplus, left)
		}
	}
	for k := range wanted {
		one := ec2types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: &k.port, ToPort: &k.port}
		if strings.Contains(k.cidr, ":") {
			one.Ipv6Ranges = []ec2types.Ipv6Range{{CidrIpv6: aws.String(k.cidr)}}
		} else {
			one.IpRanges = []ec2types.IpRange{{CidrIp: aws.String(k.cidr)}}
		}
		missing = append(missing, one)
	}
	if len(missing) > 0 {
		if _, err := c.Network.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: g.GroupId,
			IpPermissions: missing}); err != nil {
			return err
		}
	}
	if len(surplus) > 0 {
		_, err := c.Network.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: g.GroupId, IpPermissions: surplus})
		return err
	}
	return nil
}

// openNodes lets members of the backend group come to the cluster's nodes: by the only group of a node, or the one that is tagged as
// the cluster's.
func (c Cloud) openNodes(ctx context.Context, cluster, backend string) error {
	tag := "kubernetes.io/cluster/" + cluster
	found, err := c.Network.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag-key"), Values: []string{tag}}, {Name: aws.String("instance-state-name"), Values: []string{"running"}}}})
	if err != nil {
		return err
	}
	var ids []string
	alone := map[string]bool{} // groups that are the only one of a node
	for _, r := range found.Reservations {
		for _, i := range r.Instances {
			for _, g := range i.SecurityGroups {
				id := aws.ToString(g.GroupId)
				alone[id] = alone[id] || len(i.SecurityGroups) == 1
				if !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	groups, err := c.Network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: ids})
	if err != nil {
		return err
	}
	for _, g := range groups.SecurityGroups {
		tagged := slices.ContainsFunc(g.Tags, func(t ec2types.Tag) bool { return aws.ToString(t.Key) == tag })
		if !alone[aws.ToString(g.GroupId)] && !tagged || letsIn(g, backend) {
			continue
		}
		_, err := c.Network.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: g.GroupId,
			IpPermissions: []ec2types.IpPermission{allPorts(backend)}})
		if err != nil && !is(err, "InvalidPermission.Duplicate") {
			return err
		}
	}
	return nil
}

func allPorts(from string) ec2types.IpPermission {
	return ec2types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(0), ToPort: aws.Int32(65535),
		UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: &from, Description: aws.String(sharedRule)}}}
}

// letsIn says that a group has a rule about another one.
func letsIn(g ec2types.SecurityGroup, other string) bool {
	return slices.ContainsFunc(g.IpPermissions, func(p ec2types.IpPermission) bool {
		return slices.ContainsFunc(p.UserIdGroupPairs, func(u ec2types.UserIdGroupPair) bool { return aws.ToString(u.GroupId) == other })
	})
}

// closeGroups deletes the groups of a stack but the one that is kept, and the cluster's backend group when no load balancer has it any
// more. One that is still in use is left for the next time.
func (c Cloud) closeGroups(ctx context.Context, cluster, stack, kept string) error {
	found, err := c.Network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag:elbv2.k8s.aws/cluster"), Values: []string{cluster}}}})
	if err != nil {
		return err
	}
	frontends, backend := 0, ""
	for _, g := range found.SecurityGroups {
		of := ""
		for _, t := range g.Tags {
			switch {
			case aws.ToString(t.Key) == "ingress.k8s.aws/stack":
				of = aws.ToString(t.Value)
			case aws.ToString(t.Key) == "elbv2.k8s.aws/resource" && strings.HasPrefix(aws.ToString(t.Value), "backend"):
				backend = aws.ToString(g.GroupId)
			}
		}
		switch {
		case of == "":
		case of != stack || aws.ToString(g.GroupName) == kept:
			frontends++
		default:
			if err := c.deleteGroup(ctx, aws.ToString(g.GroupId)); err != nil {
				return err
			}
		}
	}
	if frontends > 0 || backend == "" {
		return nil
	}
	return c.closeNodes(ctx, backend)
}

func (c Cloud) deleteGroup(ctx context.Context, id string) error {
	_, err := c.Network.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &id})
	if is(err, "DependencyViolation") || is(err, "InvalidGroup.NotFound") {
		return nil
	}
	return err
}

// closeNodes takes the backend group's rules from the nodes' groups, and then deletes it.
func (c Cloud) closeNodes(ctx context.Context, backend string) error {
	found, err := c.Network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("ip-permission.group-id"), Values: []string{backend}}}})
	if err != nil {
		return err
	}
	for _, g := range found.SecurityGroups {
		_, err := c.Network.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: g.GroupId,
			IpPermissions: []ec2types.IpPermission{allPorts(backend)}})
		if err != nil && !is(err, "InvalidPermission.NotFound") {
			return err
		}
	}
	return c.deleteGroup(ctx, backend)
}

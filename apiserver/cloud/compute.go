package cloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// compute is Amazon EC2 as the cloud asks for it (iface.EC2): the SDK's client, with lists as a whole. Errors stay what they
// are, so that the cloud finds AWS's codes in them.
type compute struct{ *ec2.Client }

// mostInstances is the largest page of DescribeInstances.
const mostInstances = 1000

// DescribeInstances takes no page size beside ids (AWS refuses both).
func (c compute) DescribeInstances(ctx context.Context, in *ec2.DescribeInstancesInput, options ...func(*ec2.Options)) (
	all []types.Instance, err error) {
	asked := *in
	if asked.MaxResults == nil && len(asked.InstanceIds) == 0 {
		asked.MaxResults = aws.Int32(mostInstances)
	}
	for pages := ec2.NewDescribeInstancesPaginator(c.Client, &asked); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, options...)
		if err != nil {
			return nil, err
		}
		for _, reservation := range page.Reservations {
			all = append(all, reservation.Instances...)
		}
	}
	return all, nil
}

func (c compute) DescribeInstanceTopology(ctx context.Context, in *ec2.DescribeInstanceTopologyInput,
	options ...func(*ec2.Options)) (all []types.InstanceTopology, err error) {
	for pages := ec2.NewDescribeInstanceTopologyPaginator(c.Client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, options...)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Instances...)
	}
	return all, nil
}

func (c compute) DescribeSecurityGroups(ctx context.Context, in *ec2.DescribeSecurityGroupsInput,
	options ...func(*ec2.Options)) (all []types.SecurityGroup, err error) {
	for pages := ec2.NewDescribeSecurityGroupsPaginator(c.Client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, options...)
		if err != nil {
			return nil, err
		}
		all = append(all, page.SecurityGroups...)
	}
	return all, nil
}

func (c compute) DescribeSubnets(ctx context.Context, in *ec2.DescribeSubnetsInput, options ...func(*ec2.Options)) (
	all []types.Subnet, err error) {
	for pages := ec2.NewDescribeSubnetsPaginator(c.Client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, options...)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Subnets...)
	}
	return all, nil
}

func (c compute) DescribeRouteTables(ctx context.Context, in *ec2.DescribeRouteTablesInput, options ...func(*ec2.Options)) (
	all []types.RouteTable, err error) {
	for pages := ec2.NewDescribeRouteTablesPaginator(c.Client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx, options...)
		if err != nil {
			return nil, err
		}
		all = append(all, page.RouteTables...)
	}
	return all, nil
}

func (c compute) DescribeAvailabilityZones(ctx context.Context, in *ec2.DescribeAvailabilityZonesInput,
	options ...func(*ec2.Options)) ([]types.AvailabilityZone, error) {
	out, err := c.Client.DescribeAvailabilityZones(ctx, in, options...)
	if err != nil {
		return nil, err
	}
	return out.AvailabilityZones, nil
}

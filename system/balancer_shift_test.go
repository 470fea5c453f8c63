package system

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// TestAZonalShiftMovesALoadBalancersTraffic is a story of ARC and an application load balancer: once its traffic is moved
// away from a zone, connections that came by it before go on, and nothing new comes there: so the zone can be killed.
func TestAZonalShiftMovesALoadBalancersTraffic(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	calls, kube := r.awsClients(t, awsHTTP), r.kube(t)
	ctx := within(t, 3*time.Minute)
	b := r.loadBalancer(t, makeShop(t, calls, webPods(t, kube, 6)))
	start := &arczonalshift.StartZonalShiftInput{ResourceIdentifier: &b.ARN, AwayFrom: aws.String("use1-az2"),
		ExpiresIn: aws.String("1h"), Comment: aws.String("away")}
	if _, err := calls.shifts.StartZonalShift(ctx, start); err == nil {
		t.Error("a load balancer was shifted that does not take part")
	}
	_, err := calls.balancers.ModifyLoadBalancerAttributes(ctx, &elbv2.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &b.ARN,
		Attributes: []elbtypes.LoadBalancerAttribute{{Key: aws.String("zonal_shift.config.enabled"), Value: aws.String("true")}}})
	must(t, "enable zonal shift", err)
	group, err := calls.balancers.DescribeTargetGroups(ctx, &elbv2.DescribeTargetGroupsInput{LoadBalancerArn: &b.ARN})
	must(t, "DescribeTargetGroups", err)
	arn := group.TargetGroups[0].TargetGroupArn

	before := openMany(t, b, 30)
	made, err := calls.shifts.StartZonalShift(ctx, start)
	must(t, "StartZonalShift", err)
	awaitOverrides(t, calls, arn, 2)
	ask30 := func(what string, open []net.Conn) {
		t.Helper()
		for i, conn := range open {
			if err := ask(conn); err != nil {
				t.Fatalf("%s, connection %d: %v", what, i, err)
			}
		}
	}
	ask30("opened before the shift", before)
	after := openMany(t, b, 30)
	r.do(t, "kill", "az/b")
	ask30("opened after the shift", after)
	r.do(t, "start", "az/b")
	_, err = calls.shifts.CancelZonalShift(within(t, time.Minute), &arczonalshift.CancelZonalShiftInput{ZonalShiftId: made.ZonalShiftId})
	must(t, "CancelZonalShift", err)
	awaitOverrides(t, calls, arn, 0)
}

// awaitOverrides waits until so many targets are overridden by a zonal shift.
func awaitOverrides(t *testing.T, calls awsServices, arn *string, n int) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprintf("%d targets are overridden", n), func() (bool, string) {
		health, err := calls.balancers.DescribeTargetHealth(within(t, time.Minute), &elbv2.DescribeTargetHealthInput{TargetGroupArn: arn})
		if err != nil {
			return false, err.Error()
		}
		overridden := 0
		for _, h := range health.TargetHealthDescriptions {
			if h.AdministrativeOverride.State == elbtypes.TargetAdministrativeOverrideStateEnumZonalShiftActive {
				overridden++
			}
		}
		return overridden == n, fmt.Sprint(overridden)
	})
}

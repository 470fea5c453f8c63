package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"tripod/api"
	"tripod/client"
)

const (
	visitors    = 48              // that ask at once
	loadWindow  = 5 * time.Second // of a measurement
	targetPods  = 3
	balancePort = 8080 // of the load balancer's listener
)

// runBalancers measures load balancers beside proxies of the system's packages, before one and the same target.
func (b *bench) runBalancers(ctx context.Context) error {
	for _, kind := range []string{"alb", "nlb"} {
		if !b.wants(kind) {
			continue
		}
		t, err := startPages()
		if err != nil {
			return err
		}
		defer t.close()
		err = b.withRegion(ctx, kind, func(r *region) error { return b.measureBalancer(ctx, r, kind, t) }, "--local-ports",
			strconv.Itoa(t.port()))
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	if !b.wants("service") {
		return nil
	}
	return b.withRegion(ctx, "service", func(r *region) error { return b.measureServices(ctx, r) })
}

func (b *bench) measureBalancer(ctx context.Context, r *region, kind string, t *pageServer) error {
	shown, err := b.balancerBefore(ctx, r, kind, t)
	if err != nil {
		return err
	}
	figure, other := albRequests, "nginx"
	if kind == "nlb" {
		figure, other = nlbRequests, "haproxy"
	}
	against, err := b.startRival(ctx, other, t)
	if err != nil {
		return err
	}
	if against != nil {
		defer against.close()
	}
	full := visits{address: shown.Listeners[0].Address, host: shown.DNSName, visitors: visitors, length: loadWindow}
	var rates []float64
	for i := range b.runs {
		measure := []func() error{func() error {
			rate, _, err := full.run(ctx)
			rates = append(rates, rate)
			b.report.addTripod(figure, rate)
			b.say("%s: %.0f requests/s through the load balancer", kind, rate)
			return err
		}, func() error {
			if against == nil {
				return nil
			}
			beside := full
			beside.address = against.address
			rate, _, err := beside.run(ctx)
			b.report.addBeside(figure, rate)
			b.say("%s: %.0f requests/s through %s", kind, rate, other)
			return err
		}}
		if i%2 == 1 {
			slices.Reverse(measure)
		}
		for _, one := range measure {
			if err := one(); err != nil {
				return err
			}
		}
	}
	if kind == "nlb" {
		return nil
	}
	return b.measureAdded(ctx, full, quantile(rates, 0.5)/2, t)
}

// measureAdded notes by how much the 99th percentile of requests is longer through a load balancer than without it, at
// half of the requests per second that it can carry.
func (b *bench) measureAdded(ctx context.Context, through visits, perSecond float64, t *pageServer) error {
	through.every = time.Duration(float64(through.visitors) / perSecond * float64(time.Second))
	direct := through
	direct.address = fmt.Sprintf("127.0.0.1:%d", t.port())
	for range b.runs {
		_, with, err := through.run(ctx)
		if err != nil {
			return err
		}
		_, without, err := direct.run(ctx)
		if err != nil {
			return err
		}
		b.report.addTripod(albAdded, quantile(with, 0.99)-quantile(without, 0.99))
		b.say("alb: at %.0f requests/s p99 %.2f ms, without it %.2f ms; median %.2f ms, without %.2f ms", perSecond, quantile(with, 0.99),
			quantile(without, 0.99), quantile(with, 0.5), quantile(without, 0.5))
	}
	return nil
}

// balancerBefore makes pods that lead to the target, one in each zone, and a load balancer before them.
func (b *bench) balancerBefore(ctx context.Context, r *region, kind string, t *pageServer) (shown api.LoadBalancer, err error) {
	p, err := r.probe(ctx, 10*time.Second)
	if err != nil {
		return shown, err
	}
	if err := r.waitFor(ctx, "region", client.ForHealthy); err != nil {
		return shown, err
	}
	annotations := map[string]string{"tripod.internal/local-address": fmt.Sprintf("127.0.0.1:%d", t.port())}
	addresses, err := webPods(ctx, p, targetPods, annotations)
	if err != nil {
		return shown, err
	}
	config, err := r.awsConfig(ctx)
	if err != nil {
		return shown, err
	}
	demo, err := eks.NewFromConfig(config).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	if err != nil {
		return shown, err
	}
	network := ec2.NewFromConfig(config)
	if err := openGroup(ctx, network, demo.Cluster.ResourcesVpcConfig.ClusterSecurityGroupId); err != nil {
		return shown, err
	}
	arn, err := makeBalancer(ctx, elbv2.NewFromConfig(config), network, kind, addresses)
	if err != nil {
		return shown, err
	}
	_, err = until(ctx, time.Minute, "the load balancer", func() error {
		shown, err = r.balancer(ctx, func(b api.LoadBalancer) bool { return b.ARN == arn })
		if err == nil && shown.Healthy < targetPods {
			err = fmt.Errorf("%d of its targets are healthy", shown.Healthy)
		}
		return err
	})
	return shown, err
}

// balancer is what the region's status says of one, once it answers somewhere.
func (r *region) balancer(ctx context.Context, is func(api.LoadBalancer) bool) (b api.LoadBalancer, err error) {
	status, err := r.Status(ctx)
	if err != nil {
		return b, err
	}
	i := slices.IndexFunc(status.LoadBalancers, is)
	if i < 0 || len(status.LoadBalancers[i].Listeners) == 0 || status.LoadBalancers[i].Listeners[0].Address == "" {
		return b, errors.New("it answers nowhere yet")
	}
	return status.LoadBalancers[i], nil
}

// openGroup lets everybody in to what has a security group.
func openGroup(ctx context.Context, network *ec2.Client, id *string) error {
	_, err := network.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: id,
		IpPermissions: []ec2types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}})
	return err
}

// makeBalancer makes an application or a network load balancer over addresses, in all zones, and returns its ARN.
func makeBalancer(ctx context.Context, calls *elbv2.Client, network *ec2.Client, kind string, addresses []string) (string, error) {
	found, err := network.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{
		{Name: aws.String("map-public-ip-on-launch"), Values: []string{"true"}}}})
	if err != nil {
		return "", err
	}
	protocol, balancer := elbtypes.ProtocolEnumHttp, elbtypes.LoadBalancerTypeEnumApplication
	if kind == "nlb" {
		protocol, balancer = elbtypes.ProtocolEnumTcp, elbtypes.LoadBalancerTypeEnumNetwork
	}
	in := &elbv2.CreateLoadBalancerInput{Name: aws.String("bench"), Type: balancer}
	for _, s := range found.Subnets {
		in.Subnets = append(in.Subnets, *s.SubnetId)
	}
	if kind == "alb" {
		group, err := network.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("bench"),
			Description: aws.String("the load balancer's"), VpcId: found.Subnets[0].VpcId})
		if err != nil {
			return "", err
		}
		if err := openGroup(ctx, network, group.GroupId); err != nil {
			return "", err
		}
		in.SecurityGroups = []string{*group.GroupId}
	}
	made, err := calls.CreateLoadBalancer(ctx, in)
	if err != nil {
		return "", err
	}
	group, err := calls.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{Name: aws.String("bench"), Port: aws.Int32(80),
		Protocol: protocol, TargetType: elbtypes.TargetTypeEnumIp, VpcId: made.LoadBalancers[0].VpcId})
	if err != nil {
		return "", err
	}
	arn := group.TargetGroups[0].TargetGroupArn
	targets := &elbv2.RegisterTargetsInput{TargetGroupArn: arn}
	for _, address := range addresses {
		targets.Targets = append(targets.Targets, elbtypes.TargetDescription{Id: &address})
	}
	if _, err := calls.RegisterTargets(ctx, targets); err != nil {
		return "", err
	}
	_, err = calls.CreateListener(ctx, &elbv2.CreateListenerInput{LoadBalancerArn: made.LoadBalancers[0].LoadBalancerArn,
		Protocol: protocol, Port: aws.Int32(balancePort),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: arn}}})
	return *made.LoadBalancers[0].LoadBalancerArn, err
}

// webPods makes a Deployment of pods that answer HTTP, spread over the zones, and returns their addresses.
func webPods(ctx context.Context, p *probe, n int, annotations map[string]string) (addresses []string, err error) {
	labels := map[string]any{"app": "web"}
	body := map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{"replicas": n, "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations},
				"spec": map[string]any{
					"topologySpreadConstraints": []any{map[string]any{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
						"whenUnsatisfiable": "DoNotSchedule", "labelSelector": map[string]any{"matchLabels": labels}}},
					"containers": []any{map[string]any{"name": "web", "image": "nginx",
						"ports": []any{map[string]any{"containerPort": 80}}}}}}}}
	if err := p.do(ctx, http.MethodPost, deployments, body, nil); err != nil {
		return nil, err
	}
	var list struct {
		Items []struct {
			Status struct {
				PodIP      string
				Conditions []struct{ Type, Status string }
			}
		}
	}
	_, err = until(ctx, time.Minute, "Ready pods", func() error {
		addresses = nil
		if err := p.do(ctx, http.MethodGet, "/api/v1/namespaces/default/pods?labelSelector=app=web", nil, &list); err != nil {
			return err
		}
		for _, pod := range list.Items {
			for _, c := range pod.Status.Conditions {
				if c.Type == "Ready" && c.Status == "True" {
					addresses = append(addresses, pod.Status.PodIP)
				}
			}
		}
		if len(addresses) < n {
			return fmt.Errorf("%d are Ready", len(addresses))
		}
		return nil
	})
	return addresses, err
}

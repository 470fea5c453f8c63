package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/client"
)

const (
	podsOfOne   = 2000 // replicas of one Deployment
	podNodes    = 20   // nodes that they run on, for both
	bigInstance = "m5.8xlarge"
	// groupMost is how many nodes EKS lets a managed node group have by default.
	groupMost = 450

	deployments = "/apis/apps/v1/namespaces/default/deployments"
)

// runWorkers measures what node groups and pods take.
func (b *bench) runWorkers(ctx context.Context) error {
	if b.wants("nodegroup") {
		if err := b.withRegion(ctx, "nodegroup", func(r *region) error { return b.measureNodegroup(ctx, r) }); err != nil {
			return err
		}
	}
	if b.wants("pods") {
		for i := range b.runs {
			if err := b.podsOfTripod(ctx, i); err != nil {
				return fmt.Errorf("pods: %w", err)
			}
			if err := b.podsOfKwokctl(ctx, i); err != nil {
				return fmt.Errorf("pods: %w", err)
			}
		}
	}
	if !b.wants("scale") {
		return nil
	}
	return b.withRegion(ctx, "scale", func(r *region) error { return b.measureScale(ctx, r) })
}

// measureNodegroup makes a node group of three again and again: to ACTIVE with three nodes that are Ready.
func (b *bench) measureNodegroup(ctx context.Context, r *region) error {
	p, err := r.probe(ctx, 2*time.Second)
	if err != nil {
		return err
	}
	if err := r.waitFor(ctx, "region", client.ForHealthy); err != nil {
		return err
	}
	for i := range b.runs {
		name := "bench-" + strconv.Itoa(i)
		begin := time.Now()
		if err := r.grow(ctx, p, name, 3, "m5.large", time.Minute); err != nil {
			return err
		}
		b.report.addTripod(nodegroupActive, time.Since(begin).Seconds())
		b.say("a node group of 3 was ACTIVE, its nodes Ready, after %.1f s", time.Since(begin).Seconds())
	}
	return nil
}

// grow makes a node group and waits until it is ACTIVE and all its nodes are Ready.
// It is in those subnets, or where none is named in the first nodes'.
func (r *region) grow(ctx context.Context, p *probe, name string, size int32, instance string, limit time.Duration,
	subnets ...string) error {
	api, err := r.awsClient(ctx)
	if err != nil {
		return err
	}
	workers, err := api.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String("demo"),
		NodegroupName: aws.String("workers")})
	if err != nil {
		return err
	}
	if len(subnets) == 0 {
		subnets = workers.Nodegroup.Subnets
	}
	if _, err := api.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: aws.String("demo"), NodegroupName: &name,
		NodeRole: workers.Nodegroup.NodeRole, Subnets: subnets,
		InstanceTypes: []string{instance}, ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(0),
			MaxSize: &size, DesiredSize: &size}}); err != nil {
		return err
	}
	if err := eks.NewNodegroupActiveWaiter(api).Wait(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String("demo"),
		NodegroupName: &name}, limit, func(o *eks.NodegroupActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = createPoll, createPoll
	}); err != nil {
		return err
	}
	_, err = until(ctx, limit, "Ready nodes of "+name, func() error {
		ready, err := readyNodes(ctx, p, "eks.amazonaws.com/nodegroup="+name)
		if err == nil && ready < int(size) {
			err = fmt.Errorf("%d of %d are Ready", ready, size)
		}
		return err
	})
	return err
}

func readyNodes(ctx context.Context, p *probe, selector string) (ready int, err error) {
	var list struct {
		Items []struct {
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := p.do(ctx, http.MethodGet, "/api/v1/nodes?resourceVersion=0&labelSelector="+selector, nil, &list); err != nil {
		return 0, err
	}
	for _, node := range list.Items {
		for _, c := range node.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" {
				ready++
			}
		}
	}
	return ready, nil
}

// deploy makes a Deployment of so many pods and returns how long it takes until all are Ready.
func deploy(ctx context.Context, p *probe, name string, replicas int, limit time.Duration) (time.Duration, error) {
	labels := map[string]any{"app": name}
	body := map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"replicas": replicas, "selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{"metadata": map[string]any{"labels": labels},
				"spec": map[string]any{
					"tolerations": []any{map[string]any{"key": "kwok.x-k8s.io/node", "operator": "Exists"}},
					"containers":  []any{map[string]any{"name": "web", "image": "registry.k8s.io/pause:3.10"}}}}}}
	begin := time.Now()
	if err := p.do(ctx, http.MethodPost, deployments, body, nil); err != nil {
		return 0, err
	}
	var d struct{ Status struct{ ReadyReplicas int } }
	_, err := until(ctx, limit, fmt.Sprintf("%d Ready pods", replicas), func() error {
		if err := pause(ctx, 90*time.Millisecond); err != nil {
			return err
		}
		if err := p.do(ctx, http.MethodGet, deployments+"/"+name, nil, &d); err != nil {
			return err
		}
		if d.Status.ReadyReplicas < replicas {
			return fmt.Errorf("%d are Ready", d.Status.ReadyReplicas)
		}
		return nil
	})
	return time.Since(begin), err
}

func (b *bench) podsOfTripod(ctx context.Context, i int) error {
	return b.withRegion(ctx, "pods-"+strconv.Itoa(i), func(r *region) error {
		p, err := r.probe(ctx, 10*time.Second)
		if err != nil {
			return err
		}
		if err := r.waitFor(ctx, "region", client.ForHealthy); err != nil {
			return err
		}
		if err := r.grow(ctx, p, "bench", podNodes, bigInstance, 2*time.Minute); err != nil {
			return err
		}
		pids, err := family(r.command.Process.Pid)
		if err != nil {
			return err
		}
		return b.timePods(ctx, "tripod", b.report.addTripod, p, pids)
	})
}

func (b *bench) podsOfKwokctl(ctx context.Context, i int) error {
	if !b.kwokctl {
		return nil
	}
	k := &kwokCluster{build: b.build, home: filepath.Join(b.scratch, fmt.Sprintf("kwok-pods-%d", i))}
	if err := os.MkdirAll(k.home, 0o700); err != nil {
		return err
	}
	var err error
	if k.port, err = freePort(); err != nil {
		return err
	}
	defer k.end(ctx, b)
	if err := k.create(ctx, "--disable-qps-limits"); err != nil {
		return err
	}
	p, err := k.probe(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := p.answers(ctx, serviceAccount); err != nil {
		return err
	}
	for n := range podNodes {
		if err := p.do(ctx, http.MethodPost, "/api/v1/nodes", kwokNode(n), nil); err != nil {
			return err
		}
	}
	if _, err := until(ctx, time.Minute, "kwok's nodes", func() error {
		ready, err := readyNodes(ctx, p, "type=kwok")
		if err == nil && ready < podNodes {
			err = fmt.Errorf("%d are Ready", ready)
		}
		return err
	}); err != nil {
		return err
	}
	pids, err := k.pids()
	if err != nil {
		return err
	}
	return b.timePods(ctx, "kwokctl", b.report.addKwokctl, p, pids)
}

// timePods notes how long the pods of one Deployment take, and what those processes use meanwhile.
func (b *bench) timePods(ctx context.Context, who string, add func(string, float64), p *probe, pids []int) error {
	before := usage(pids)
	took, err := deploy(ctx, p, "bench", podsOfOne, 10*time.Minute)
	if err != nil {
		return err
	}
	add(podsReady, took.Seconds())
	b.say("%s: %d pods Ready after %.1f s%s", who, podsOfOne, took.Seconds(), since(before, usage(pids)))
	return nil
}

// since says what each component has used of the processors meanwhile.
func since(before, after map[string]account) (text string) {
	for _, component := range slices.Sorted(maps.Keys(after)) {
		text += fmt.Sprintf("; %s %.1f s", component, (after[component].cpu - before[component].cpu).Seconds())
	}
	return text
}

// kwokNode is a node as kwok's documentation makes one.
func kwokNode(n int) any {
	room := map[string]any{"cpu": "32", "memory": "256Gi", "pods": "234"}
	return map[string]any{"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{"name": "kwok-" + strconv.Itoa(n), "labels": map[string]any{"type": "kwok"},
			"annotations": map[string]any{"kwok.x-k8s.io/node": "fake"}},
		"spec":   map[string]any{"taints": []any{map[string]any{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}}},
		"status": map[string]any{"allocatable": room, "capacity": room}}
}

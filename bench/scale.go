package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tripod/client"
)

const (
	requestDuration = "apiserver_request_duration_seconds"
	// sloMost is Kubernetes' service level objective: 99 of 100 mutating calls of one object take at most this.
	sloMost = time.Second
	// sloCalm is how long no write may be late until the objective counts as held again after a fault.
	sloCalm     = 10 * time.Second
	podsOfScale = 2000 // of each Deployment
)

// mutating are the verbs that the objective is about.
var mutating = []string{"POST", "PUT", "PATCH", "DELETE"}

// measureScale holds many nodes and pods, and then kills a zone.
func (b *bench) measureScale(ctx context.Context, r *region) error {
	p, err := r.probe(ctx, 30*time.Second)
	if err != nil {
		return err
	}
	if err := r.waitFor(ctx, "region", client.ForHealthy); err != nil {
		return err
	}
	if err := pause(ctx, b.settle); err != nil {
		return err
	}
	without, err := b.rest(ctx, r)
	if err != nil {
		return err
	}
	more, err := r.moreSubnets(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	for left, i := b.nodes, 0; left > 0; i++ {
		size := min(left, groupMost)
		var subnets []string
		if i%2 == 1 {
			subnets = more
		}
		if err := r.grow(ctx, p, "scale-"+strconv.Itoa(i), int32(size), bigInstance, 30*time.Minute, subnets...); err != nil {
			return err
		}
		left -= size
		b.say("%d nodes Ready after %v", b.nodes-left, time.Since(begin).Round(time.Second))
	}
	if err := pause(ctx, b.settle); err != nil {
		return err
	}
	with, err := b.rest(ctx, r)
	if err != nil {
		return err
	}
	b.report.addTripod(nodeMemory, 1024*(with.mib-without.mib)/float64(b.nodes))
	b.report.addTripod(nodeCPU, (with.share-without.share)/float64(b.nodes))
	b.say("without nodes %.1f %% of a core, %.0f MiB; with %d %.1f %%, %.0f MiB", without.share, without.mib, b.nodes,
		with.share, with.mib)
	begin = time.Now()
	for left, i := b.pods, 0; left > 0; i++ {
		size := min(left, podsOfScale)
		if _, err := deploy(ctx, p, "scale-"+strconv.Itoa(i), size, 30*time.Minute); err != nil {
			return err
		}
		left -= size
		b.say("%d pods Ready after %v", b.pods-left, time.Since(begin).Round(time.Second))
	}
	if err := b.hold(ctx, r); err != nil {
		return err
	}
	return b.killAtScale(ctx, r, p)
}

// moreSubnets makes a subnet in each zone, in a second range of the default VPC: its own have not enough addresses for all pods.
func (r *region) moreSubnets(ctx context.Context) (ids []string, err error) {
	like, err := r.awsClient(ctx)
	if err != nil {
		return nil, err
	}
	o := like.Options()
	api := ec2.New(ec2.Options{Region: o.Region, BaseEndpoint: o.BaseEndpoint, Credentials: o.Credentials})
	found, err := api.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []ec2types.Filter{{Name: aws.String("is-default"),
		Values: []string{"true"}}}})
	if err != nil {
		return nil, err
	}
	vpc := found.Vpcs[0].VpcId
	second := &ec2.AssociateVpcCidrBlockInput{VpcId: vpc, CidrBlock: aws.String("100.64.0.0/16")}
	if _, err := api.AssociateVpcCidrBlock(ctx, second); err != nil {
		return nil, err
	}
	zones, err := api.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		return nil, err
	}
	for i, z := range zones.AvailabilityZones {
		made, err := api.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc, AvailabilityZone: z.ZoneName,
			CidrBlock: aws.String(fmt.Sprintf("100.64.%d.0/18", 64*i))})
		if err != nil {
			return nil, err
		}
		ids = append(ids, aws.ToString(made.Subnet.SubnetId))
	}
	return ids, nil
}

// load is what a region uses.
type load struct{ share, mib float64 } // of one core in percent; PSS

// rest measures a window of the region as it is.
func (b *bench) rest(ctx context.Context, r *region) (l load, err error) {
	pids, err := family(r.command.Process.Pid)
	if err != nil {
		return l, err
	}
	begin, before := time.Now(), usage(pids)
	if err := pause(ctx, b.window); err != nil {
		return l, err
	}
	for component, after := range usage(pids) {
		l.share += 100 * (after.cpu - before[component].cpu).Seconds() / time.Since(begin).Seconds()
		l.mib += after.mib
	}
	return l, nil
}

// hold keeps all for a while, and notes the mutating calls' 99th percentile and the most memory.
func (b *bench) hold(ctx context.Context, r *region) error {
	before, err := r.mutations(ctx)
	if err != nil {
		return err
	}
	most := load{}
	for begin := time.Now(); time.Since(begin) < b.held; {
		l, err := b.rest(ctx, r)
		if err != nil {
			return err
		}
		most.mib, most.share = max(most.mib, l.mib), max(most.share, l.share)
	}
	after, err := r.mutations(ctx)
	if err != nil {
		return err
	}
	subtract(after, before)
	b.report.addTripod(scaleMutating, 1000*histogramQuantile(after, 0.99))
	b.report.addTripod(scaleMemory, most.mib/1024)
	b.say("%d nodes and %d pods held for %v: %d mutating calls, at most %.0f MiB and %.0f %% of a core", b.nodes, b.pods, b.held,
		after.GetSampleCount(), most.mib, most.share)
	return nil
}

// mutations are all mutating calls of the API servers that run, by their own histograms.
func (r *region) mutations(ctx context.Context) (*dto.Histogram, error) {
	all := &dto.Histogram{}
	for _, zone := range []string{"a", "b", "c"} {
		var text bytes.Buffer
		if err := r.Metrics(ctx, "apiserver/"+zone, "", &text); err != nil {
			return nil, err
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(&text)
		if err != nil {
			return nil, err
		}
		for _, metric := range families[requestDuration].GetMetric() {
			if slices.ContainsFunc(metric.Label, func(l *dto.LabelPair) bool {
				return l.GetName() == "verb" && slices.Contains(mutating, l.GetValue())
			}) {
				merge(all, metric.Histogram)
			}
		}
	}
	if all.GetSampleCount() == 0 {
		return nil, errors.New("the API servers have answered no mutating call")
	}
	return all, nil
}

// subtract takes what was counted before off a histogram with the same buckets.
func subtract(from, before *dto.Histogram) {
	*from.SampleCount -= before.GetSampleCount()
	*from.SampleSum -= before.GetSampleSum()
	for i, bucket := range before.Bucket {
		*from.Bucket[i].CumulativeCount -= bucket.GetCumulativeCount()
	}
}

// killAtScale kills a zone under writers, and notes when the objective holds again: from when on no write is late any more.
func (b *bench) killAtScale(ctx context.Context, r *region, p *probe) error {
	writing, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	var mu sync.Mutex
	var late time.Time // the end of the last write that failed or was late
	acknowledged := map[string]string{}
	for n := range awsClients {
		path := "/api/v1/namespaces/default/configmaps/scale-" + strconv.Itoa(n)
		if err := p.do(ctx, http.MethodPost, "/api/v1/namespaces/default/configmaps",
			map[string]any{"metadata": map[string]any{"name": "scale-" + strconv.Itoa(n)}}, nil); err != nil {
			return err
		}
		own, err := r.probe(ctx, 10*time.Second)
		if err != nil {
			return err
		}
		wait.Go(func() {
			for i := 0; writing.Err() == nil; i++ {
				value := strconv.Itoa(i)
				begin := time.Now()
				err := own.do(writing, http.MethodPatch, path, map[string]any{"data": map[string]any{"n": value}}, nil)
				if writing.Err() != nil {
					return
				}
				mu.Lock()
				if err == nil {
					acknowledged[path] = value
				}
				if err != nil || time.Since(begin) > sloMost {
					late = time.Now()
				}
				mu.Unlock()
				if err != nil {
					own.fresh()
				}
				_ = pause(writing, 50*time.Millisecond)
			}
		})
	}
	if err := pause(ctx, b.settle); err != nil {
		return err
	}
	status, err := r.Status(ctx)
	if err != nil {
		return err
	}
	killed, err := kill(&status.Zones[0])
	if err != nil {
		return err
	}
	if err := pause(ctx, sloCalm); err != nil {
		return err
	}
	for {
		mu.Lock()
		last := late
		mu.Unlock()
		if time.Since(last) > sloCalm {
			took := max(0, last.Sub(killed))
			b.report.addTripod(scaleBack, took.Seconds())
			b.say("a zone killed: the last write that failed or took more than %v ended %.1f s later", sloMost, took.Seconds())
			break
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	cancel()
	wait.Wait()
	for path, value := range acknowledged {
		var m struct{ Data map[string]string }
		if err := p.do(ctx, http.MethodGet, path, nil, &m); err != nil {
			return err
		}
		// the writer may have been stopped with a write under way that came through
		if got, _ := strconv.Atoi(m.Data["n"]); strconv.Itoa(got) != value && strconv.Itoa(got-1) != value {
			return fmt.Errorf("%s: a write that was acknowledged is lost: it has %d, want %s", path, got, value)
		}
	}
	return nil
}

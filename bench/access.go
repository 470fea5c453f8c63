package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tripod/iam"
)

const (
	// principals are the users of a cluster who each have an access entry and an access policy.
	principals = 1000
	// listPods is a request that RBAC does not allow them and the policy does.
	listPods = "/api/v1/namespaces/default/pods?limit=1"
	// authorizerDuration is an API server's histogram of what its authorization webhooks take, in seconds.
	authorizerDuration = "apiserver_authorization_webhook_duration_seconds"
)

// runAccess measures requests of as many principals as a large organization has, beside those of one of them.
func (b *bench) runAccess(ctx context.Context) error {
	if !b.wants("access") {
		return nil
	}
	return b.withRegion(ctx, "access", func(r *region) error { return b.measureAccess(ctx, r) })
}

func (b *bench) measureAccess(ctx context.Context, r *region) error {
	probes, err := b.admit(ctx, r)
	if err != nil {
		return fmt.Errorf("let %d users in: %w", principals, err)
	}
	for i := range b.runs {
		order := []struct {
			name string
			of   func(request int) *probe
		}{
			{onePrincipal, func(int) *probe { return probes[0] }},
			{eachPrincipal, func(request int) *probe { return probes[request%principals] }},
		}
		for at := range order {
			measured := order[(i+at)%len(order)]
			if err := b.ask(ctx, measured.name, measured.of); err != nil {
				return fmt.Errorf("%s: %w", measured.name, err)
			}
		}
	}
	return b.authorizers(ctx, r)
}

// admit makes the users and returns a probe as each of them.
func (b *bench) admit(ctx context.Context, r *region) ([]*probe, error) {
	admin, err := r.probe(ctx, 10*time.Second)
	if err != nil {
		return nil, err
	}
	api, err := r.awsClient(ctx)
	if err != nil {
		return nil, err
	}
	users, err := r.iamClient(ctx)
	if err != nil {
		return nil, err
	}
	begin, probes := time.Now(), make([]*probe, principals)
	err = inParallel(principals, func(i int) error {
		name := "user-" + strconv.Itoa(i)
		user, err := users.CreateUser(ctx, &awsiam.CreateUserInput{UserName: &name})
		if err != nil {
			return err
		}
		key, err := users.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: &name})
		if err != nil {
			return err
		}
		if _, err := api.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: aws.String("demo"),
			PrincipalArn: user.User.Arn}); err != nil {
			return err
		}
		if _, err := api.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: aws.String("demo"),
			PrincipalArn: user.User.Arn,
			PolicyArn:    aws.String(iam.AccessPolicyPrefix + "AmazonEKSViewPolicy"),
			AccessScope:  &types.AccessScope{Type: types.AccessScopeTypeCluster}}); err != nil {
			return err
		}
		one := *admin
		keys := iam.Credentials{AccessKeyID: *key.AccessKey.AccessKeyId, SecretAccessKey: *key.AccessKey.SecretAccessKey}
		one.token = tokens(func() (string, error) {
			return iam.Token(ctx, keys, api.Options().Region, *api.Options().BaseEndpoint, "demo", time.Now())
		})
		one.token()
		probes[i] = &one
		return nil
	})
	b.say("%d users with access entries and policies made in %v", principals, time.Since(begin).Round(time.Millisecond))
	if err != nil {
		return nil, err
	}
	last := probes[principals-1]
	_, err = last.answers(ctx, listPods)
	return probes, err
}

// ask sends one request after the other, each on a connection of its own, as kubectl's commands do.
func (b *bench) ask(ctx context.Context, name string, of func(int) *probe) error {
	begin := time.Now()
	for i := range principals {
		p := of(i)
		p.fresh()
		one := time.Now()
		if err := p.do(ctx, http.MethodGet, listPods, nil, nil); err != nil {
			return err
		}
		b.report.addTripod(name, milliseconds(time.Since(one)))
	}
	b.say("%s: %.2f ms each", name, milliseconds(time.Since(begin))/principals)
	return nil
}

// authorizers reads from the API servers what asking the authorizer of access policies took them.
func (b *bench) authorizers(ctx context.Context, r *region) error {
	all := &dto.Histogram{}
	for _, zone := range []string{"a", "b", "c"} {
		var text bytes.Buffer
		if err := r.Metrics(ctx, "apiserver/"+zone, "", &text); err != nil {
			return err
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(&text)
		if err != nil {
			return err
		}
		for _, metric := range families[authorizerDuration].GetMetric() {
			merge(all, metric.Histogram)
		}
	}
	if all.GetSampleCount() == 0 {
		return errors.New("the API servers have asked no authorizer")
	}
	b.say("%d questions to the authorizer, %.2f ms on average", all.GetSampleCount(),
		1000*all.GetSampleSum()/float64(all.GetSampleCount()))
	b.report.addTripod(authorizerP99, 1000*histogramQuantile(all, 0.99))
	return nil
}

// merge adds a histogram to another one with the same buckets, or none.
func merge(into, from *dto.Histogram) {
	into.SampleCount = aws.Uint64(into.GetSampleCount() + from.GetSampleCount())
	into.SampleSum = aws.Float64(into.GetSampleSum() + from.GetSampleSum())
	for i, bucket := range from.Bucket {
		if i == len(into.Bucket) {
			into.Bucket = append(into.Bucket, &dto.Bucket{UpperBound: bucket.UpperBound})
		}
		into.Bucket[i].CumulativeCount = aws.Uint64(into.Bucket[i].GetCumulativeCount() + bucket.GetCumulativeCount())
	}
}

// histogramQuantile is Prometheus' histogram_quantile: linear within a bucket.
func histogramQuantile(h *dto.Histogram, q float64) float64 {
	rank, below, start := q*float64(h.GetSampleCount()), 0.0, 0.0
	for _, bucket := range h.Bucket {
		if count := float64(bucket.GetCumulativeCount()); count >= rank {
			return start + (bucket.GetUpperBound()-start)*(rank-below)/(count-below)
		} else {
			below, start = count, bucket.GetUpperBound()
		}
	}
	return start
}

// inParallel calls do with 0 to n-1, as many at once as there are clients, until one fails.
func inParallel(n int, do func(int) error) error {
	var (
		wait   sync.WaitGroup
		next   atomic.Int64
		failed atomic.Pointer[error]
	)
	for range awsClients {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

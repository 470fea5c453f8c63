package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/client"
	"tripod/internal/sdkclient"
)

const (
	awsWindow  = 5 * time.Second // of a measurement
	awsClients = 8               // that call at once; their own work, signing above all, is on the same processors
	createPoll = 200 * time.Millisecond
)

// runAWS measures the AWS endpoint of a region with one cluster, and the creation of a second one.
func (b *bench) runAWS(ctx context.Context) error {
	if !b.wants("aws") {
		return nil
	}
	return b.withRegion(ctx, "aws", func(r *region) error { return b.measureAWS(ctx, r) })
}

func (b *bench) measureAWS(ctx context.Context, r *region) error {
	if err := r.waitFor(ctx, "region", client.ForHealthy); err != nil {
		return err
	}
	api, err := r.awsClient(ctx)
	if err != nil {
		return err
	}
	demo, err := api.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
	if err != nil {
		return err
	}
	for range b.runs {
		for name, call := range map[string]func(int) error{
			signedRead: func(int) error {
				_, err := api.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("demo")})
				return err
			},
			signedWrite: func(n int) error {
				_, err := api.TagResource(ctx, &eks.TagResourceInput{ResourceArn: demo.Cluster.Arn,
					Tags: map[string]string{"bench": strconv.Itoa(n)}})
				return err
			},
		} {
			if err := b.callFor(name, call); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		took, err := createCluster(ctx, api, demo.Cluster)
		if err != nil {
			return fmt.Errorf("create a cluster: %w", err)
		}
		b.report.addTripod(clusterActive, took.Seconds())
		b.say("a second cluster was ACTIVE after %.1f s", took.Seconds())
	}
	return nil
}

func (r *region) awsClient(ctx context.Context) (*eks.Client, error) {
	config, err := r.awsConfig(ctx)
	if err != nil {
		return nil, err
	}
	return eks.NewFromConfig(config), nil
}

// awsConfig is for clients of the region's AWS endpoint, with the default user's key.
func (r *region) awsConfig(ctx context.Context) (aws.Config, error) {
	status, err := r.Status(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	credentials, err := client.ReadCredentials(r.DataDir())
	if err != nil {
		return aws.Config{}, err
	}
	return aws.Config{Region: status.Region, BaseEndpoint: &status.AWSEndpoint,
		HTTPClient: sdkclient.New(&http.Transport{MaxIdleConnsPerHost: awsClients}, 10*time.Second),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey}, nil
		})}, nil
}

// callFor has several clients call for a while, and notes the time per call of all of them together. What one call
// takes while all press says nothing of the region: clients and region share the processors.
func (b *bench) callFor(name string, call func(int) error) error {
	var (
		wait    sync.WaitGroup
		mu      sync.Mutex
		failure error
		calls   atomic.Int64
	)
	begin := time.Now()
	for range awsClients {
		wait.Go(func() {
			for time.Since(begin) < awsWindow {
				err := call(int(calls.Add(1)))
				mu.Lock()
				if err != nil {
					failure = err
				}
				failed := failure != nil
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	wait.Wait()
	b.report.addTripod(name, milliseconds(time.Since(begin))/float64(calls.Load()))
	b.say("%s: %d calls in %v", name, calls.Load(), time.Since(begin).Round(time.Millisecond))
	return failure
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// createCluster makes a cluster beside the first, and deletes it.
func createCluster(ctx context.Context, api *eks.Client, like *types.Cluster) (took time.Duration, err error) {
	name := &eks.DescribeClusterInput{Name: aws.String("second")}
	begin := time.Now()
	if _, err := api.CreateCluster(ctx, &eks.CreateClusterInput{Name: name.Name, RoleArn: like.RoleArn,
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: like.ResourcesVpcConfig.SubnetIds}}); err != nil {
		return 0, err
	}
	if err := eks.NewClusterActiveWaiter(api).Wait(ctx, name, time.Minute,
		func(o *eks.ClusterActiveWaiterOptions) { o.MinDelay, o.MaxDelay = createPoll, createPoll }); err != nil {
		return 0, err
	}
	took = time.Since(begin)
	if _, err := api.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name.Name}); err != nil {
		return 0, err
	}
	return took, eks.NewClusterDeletedWaiter(api).Wait(ctx, name, time.Minute,
		func(o *eks.ClusterDeletedWaiterOptions) { o.MinDelay, o.MaxDelay = createPoll, createPoll })
}

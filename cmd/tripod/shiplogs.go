package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"tripod/az/controlplane"
	"tripod/internal/options"
	"tripod/internal/sdkclient"
	"tripod/nodes/logrouter"
)

// shipTimeout is how long a call of CloudWatch Logs may take: a region that is just losing a zone is slow, not dead.
const shipTimeout = 30 * time.Second

// logOutputs are where a node's logs are sent; nil: nowhere.
func logOutputs(c controlplane.WorkersConfig) func(instanceID, node string) map[string]logrouter.Output {
	if len(c.ShipLogs) == 0 {
		return nil
	}
	client := sdkclient.New(&http.Transport{MaxIdleConns: 16, IdleConnTimeout: time.Minute}, shipTimeout)
	return func(instanceID, node string) map[string]logrouter.Output {
		outputs := map[string]logrouter.Output{}
		for _, o := range c.ShipLogs {
			switch o.Kind {
			case options.LogFiles:
				name := fnv.New32a()
				name.Write([]byte(o.Dir))
				outputs[fmt.Sprintf("file-%08x", name.Sum32())] = logrouter.File{Dir: o.Dir, Node: node}
			case options.CloudWatchLogs:
				signs := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
					credentials, expires, err := c.Credentials(ctx, instanceID)
					return aws.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
						SessionToken: credentials.SessionToken, CanExpire: true, Expires: expires}, err
				}))
				outputs["cloudwatch_logs"] = logrouter.CloudWatch{Cluster: c.Cluster.Name, Node: node,
					Client: cloudwatchlogs.New(cloudwatchlogs.Options{Region: c.Region, BaseEndpoint: &c.AWSEndpoint, Credentials: signs,
						HTTPClient: client, RetryMaxAttempts: 1})} // the router itself tries again
			}
		}
		return outputs
	}
}

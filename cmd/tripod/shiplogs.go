package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"tripod/az/controlplane"
	"tripod/internal/options"
	"tripod/internal/sdkclient"
	"tripod/nodes/fluentbit"
	"tripod/nodes/logrouter"
)

// shipTimeout is how long a call of CloudWatch Logs may take: a region that is just losing a zone is slow, not dead.
const shipTimeout = 30 * time.Second

// signing are the credentials of a node's machine.
func signing(c controlplane.WorkersConfig, instanceID string) aws.CredentialsProvider {
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		credentials, expires, err := c.Credentials(ctx, instanceID)
		return aws.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
			SessionToken: credentials.SessionToken, CanExpire: true, Expires: expires}, err
	}))
}

// logsClient makes clients of CloudWatch Logs that sign by the role of a node's machine.
func logsClient(c controlplane.WorkersConfig) func(instanceID string) *cloudwatchlogs.Client {
	calls := sdkclient.New(&http.Transport{MaxIdleConns: 16, IdleConnTimeout: time.Minute}, shipTimeout)
	return func(instanceID string) *cloudwatchlogs.Client {
		return cloudwatchlogs.New(cloudwatchlogs.Options{Region: c.Region, BaseEndpoint: &c.AWSEndpoint,
			Credentials: signing(c, instanceID), HTTPClient: calls, RetryMaxAttempts: 1}) // the router itself tries again
	}
}

// signer signs requests of another service by the role of a node's machine.
func signer(c controlplane.WorkersConfig, instanceID, service string) func(context.Context, *http.Request, []byte) error {
	if service == "" {
		return nil
	}
	credentials := signing(c, instanceID)
	return func(ctx context.Context, r *http.Request, body []byte) error {
		by, err := credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		return sdkclient.Sign(ctx, r, body, by, service, c.Region, time.Now())
	}
}

// nearCalls makes calls of this machine alone, wherever a name or an answer would lead.
func nearCalls() (*http.Client, func(ctx context.Context, network, address string) (net.Conn, error)) {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
			return fmt.Errorf("%s is not this machine", address)
		}
		return nil
	}}
	return &http.Client{Timeout: shipTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 16, IdleConnTimeout: time.Minute}}, dialer.DialContext
}

// logOutputs are where a node's logs are sent; nil: nowhere.
func logOutputs(c controlplane.WorkersConfig) func(instanceID, node string) map[string]logrouter.Output {
	if len(c.ShipLogs) == 0 {
		return nil
	}
	client := logsClient(c)
	calls, dial := nearCalls()
	return func(instanceID, node string) map[string]logrouter.Output {
		outputs := map[string]logrouter.Output{}
		for _, o := range c.ShipLogs {
			at, err := url.Parse(o.URL)
			if err != nil { // they were read before
				continue
			}
			switch o.Kind {
			case options.LogFiles:
				outputs["file-"+hashed(o.Dir)] = logrouter.File{Dir: o.Dir, Node: node}
			case options.CloudWatchLogs:
				outputs["cloudwatch_logs"] = logrouter.CloudWatch{Cluster: c.Cluster.Name, Node: node, Client: client(instanceID)}
			case options.Elasticsearch:
				outputs["es-"+hashed(o.URL+" "+o.Index)] = &logrouter.Elasticsearch{URL: at, Prefix: o.Index, Calls: calls,
					Sign: signer(c, instanceID, o.Sign)}
			case options.Loki:
				outputs["loki-"+hashed(o.URL)] = logrouter.Loki{URL: at, Cluster: c.Cluster.Name, Calls: calls}
			case options.Forward:
				outputs["forward-"+hashed(o.Address)] = logrouter.Forward{Address: o.Address, Dial: dial}
			case options.S3:
				if at, err = url.Parse(c.AWSEndpoint); err == nil {
					outputs["s3-"+hashed(o.Bucket+"/"+o.Prefix)] = logrouter.S3{URL: at, Bucket: o.Bucket, Prefix: o.Prefix, Node: node,
						Calls: calls, Sign: signer(c, instanceID, "s3")}
				}
			}
		}
		return outputs
	}
}

// hashed names an output in a file's name.
func hashed(text string) string {
	sum := fnv.New32a()
	sum.Write([]byte(text))
	return fmt.Sprintf("%08x", sum.Sum32())
}

// fargateLogs are where the machines of Fargate's send the logs of their pods, as the ConfigMap aws-logging said when these were bound.
func fargateLogs(c controlplane.WorkersConfig) func(instanceID, namespace, pod string) (*logrouter.Machine, error) {
	client := logsClient(c)
	return func(instanceID, namespace, pod string) (*logrouter.Machine, error) {
		data, err := c.FargateLogging(instanceID)
		if err != nil || data == nil {
			return nil, err
		}
		config, err := fluentbit.Fargate(data, c.Region)
		if err != nil {
			return nil, err
		}
		own := client(instanceID)
		m := &logrouter.Machine{Outputs: map[string]logrouter.Output{}}
		for _, to := range config.Outputs {
			m.Outputs[to.Name] = logrouter.Fargate{Filters: config.Filters, To: to, Client: own}
		}
		if config.Told {
			m.Process = &logrouter.ProcessLog{Client: own, Group: c.Cluster.Name + "-fluent-bit-logs",
				Stream: "fluent-bit-" + pod + "-" + namespace}
		}
		return m, nil
	}
}

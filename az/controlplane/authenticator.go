package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az/explain"
	"tripod/az/plan"
	"tripod/iam"
	"tripod/internal/process"
	"tripod/region"
	"tripod/state"
)

// startAuthenticator serves the zone's API server: who its clients are, and what access policies let them do, is
// answered from the zone's own copy of the regional state.
func (c *Part) startAuthenticator() (err error) {
	if c.awsAuth, err = c.newAWSAuth(); err != nil {
		return err
	}
	listener, err := process.ListenUnix(c.host.Plan.AuthenticatorSocket(c.cluster.ID))
	if err != nil {
		return err
	}
	c.admits = &iam.Authenticator{
		ClusterID: c.cluster.ID, Region: c.host.Plan.Region, State: c.host.State, Fresh: c.host.State.Fresh,
		Hosts: []string{fmt.Sprintf("127.0.0.1:%d", c.host.Plan.AWSPort),
			fmt.Sprintf("localhost:%d", c.host.Plan.AWSPort)},
		AWSAuth:        func() iam.AWSAuth { return *c.awsAuth.current.Load() },
		PrivateDNSName: c.privateDNSName,
		Now:            func() time.Time { return c.host.Now().Add(time.Duration(c.skew.Load())) },
		Logger:         c.authenticatorLogger(),
	}
	c.permits = &iam.Authorizer{ClusterID: c.cluster.ID, State: c.host.State, Logger: c.authenticatorLogger()}
	webhooks := http.NewServeMux()
	webhooks.Handle(launch.AuthenticatePath, c.admits)
	webhooks.Handle(launch.AuthorizePath, c.permits)
	c.authenticator = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: webhooks}
	go c.authenticator.Serve(listener) // ends with Close
	return nil
}

// privateDNSName is an instance's, as EC2 says.
func (c *Part) privateDNSName(instanceID string) (name string, found bool) {
	c.host.State.View(func(tx *state.Txn) error {
		v, there := region.Instances.Get(tx, instanceID)
		name, found = v.DNSName, there && v.State.Alive()
		return nil
	})
	return name, found
}

// ExplainToken says whom the cluster takes the bearer of a token for.
func (c *Part) ExplainToken(token string) (api.Identity, error) { return c.admits.ExplainToken(token) }

// Explain says what a principal may do in the cluster, and why.
func (c *Part) Explain(ctx context.Context, question api.AccessQuestion) (*api.Access, error) {
	administrator, err := c.newAPIClient(launch.Administrator)
	if err != nil {
		return nil, err
	}
	defer administrator.CloseIdleConnections()
	return explain.Cluster{
		Name: c.cluster.Name, Account: c.host.Plan.AccountID, Admits: c.admits, Permits: c.permits,
		Server: explain.APIServer{URL: "https://" + plan.APIServerAddress(c.cluster.EndpointPort, c.index),
			Client: administrator},
	}.Explain(ctx, question)
}

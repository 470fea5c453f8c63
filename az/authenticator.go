package az

import (
	"fmt"
	"net/http"
	"time"

	"tripod/apiserver/launch"
	"tripod/iam"
	"tripod/internal/process"
)

// startAuthenticator serves the zone's API server: who its clients are, and what access policies let them do, is answered from the zone's
// own copy of the regional state.
func (c *clusterZone) startAuthenticator() (err error) {
	if c.awsAuth, err = c.newAWSAuth(); err != nil {
		return err
	}
	listener, err := process.ListenUnix(c.zone.config.AuthenticatorSocket(c.record.ID))
	if err != nil {
		return err
	}
	c.admits = &iam.Authenticator{
		ClusterID: c.record.ID, Region: c.zone.config.Region, State: c.zone.voter,
		Hosts:          []string{fmt.Sprintf("127.0.0.1:%d", c.zone.config.AWSPort), fmt.Sprintf("localhost:%d", c.zone.config.AWSPort)},
		AWSAuth:        func() iam.AWSAuth { return *c.awsAuth.current.Load() },
		PrivateDNSName: c.privateDNSName,
		Logger:         c.authenticatorLogger(),
	}
	c.permits = &iam.Authorizer{ClusterID: c.record.ID, State: c.zone.voter, Logger: c.authenticatorLogger()}
	webhooks := http.NewServeMux()
	webhooks.Handle(launch.AuthenticatePath, c.admits)
	webhooks.Handle(launch.AuthorizePath, c.permits)
	c.authenticator = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: webhooks}
	go c.authenticator.Serve(listener) // ends with Close
	return nil
}

func (c *clusterZone) privateDNSName(instanceID string) (string, bool) {
	instance, found := c.machines()[instanceID]
	return instance.PrivateDNSName, found && instance.ID == instanceID
}

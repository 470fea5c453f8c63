package controlplane

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tripod/apiserver/launch"
	"tripod/awsapi/ec2"
	"tripod/awsapi/eks"
	"tripod/az/plan"
	"tripod/iam"
	"tripod/internal/process"
	"tripod/state"
)

// cloudOptions say what the cluster's cloud controller manager works on.
func (c *Part) cloudOptions() (launch.Cloud, error) {
	place, err := c.place()
	if err != nil {
		return launch.Cloud{}, err
	}
	return launch.Cloud{
		Region: c.host.Plan.Region, VPC: place.VPC, RoleARN: place.RoleARN,
		URL:               fmt.Sprintf("http://127.0.0.1:%d", c.host.Plan.AWSPort),
		FrontSocket:       plan.FrontSocket(c.host.Plan.RunDir()),
		CredentialsSocket: c.host.Plan.CredentialsSocket(c.cluster.ID),
	}, nil
}

// place is where the cluster is in its account now.
func (c *Part) place() (eks.Place, error) {
	record, err := c.present()
	if err != nil {
		return eks.Place{}, err
	}
	vpc := ec2.VPC{AccountID: c.host.Plan.AccountID, Region: c.host.Plan.Region}
	for _, peer := range c.host.Plan.Peers {
		vpc.Zones = append(vpc.Zones, peer.Zone)
	}
	return eks.PlaceOf(vpc, record)
}

// startCredentials serves the zone's controllers of the cluster the credentials by which they call AWS. EKS's own have
// taken the cluster's role at STS with the service's identity, which is nothing that calls can be signed with here.
func (c *Part) startCredentials() error {
	listener, err := process.ListenUnix(c.host.Plan.CredentialsSocket(c.cluster.ID))
	if err != nil {
		return err
	}
	c.credentials = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(c.serveCredentials)}
	go c.credentials.Serve(listener) // ends with Close
	return nil
}

// serveCredentials answers as the containers' credentials endpoint of AWS does ("Container credential provider" in the
// SDKs' reference guide).
func (c *Part) serveCredentials(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	credentials, expires, err := c.roleCredentials(r.Context())
	if err != nil {
		w.WriteHeader(http.StatusForbidden)
		json.NewEncoder(w).Encode(map[string]string{"code": "AccessDenied", "message": err.Error()})
		return
	}
	json.NewEncoder(w).Encode(map[string]string{
		"AccessKeyId": credentials.AccessKeyID, "SecretAccessKey": credentials.SecretAccessKey,
		"Token": credentials.SessionToken, "Expiration": expires.Format(time.RFC3339),
	})
}

func (c *Part) roleCredentials(ctx context.Context) (_ iam.Credentials, expires time.Time, err error) {
	place, err := c.place()
	if err != nil {
		return iam.Credentials{}, time.Time{}, err
	}
	var session iam.Session
	err = c.host.State.View(func(tx *state.Txn) error {
		session, err = eks.ControlPlaneSession(tx, c.host.Plan.AccountID, place.RoleARN, c.host.Plan.LenientReferences,
			c.host.Now().UTC().Truncate(time.Second))
		return err
	})
	if err != nil {
		return iam.Credentials{}, time.Time{}, err
	}
	credentials, err := iam.Issue(ctx, c.host.State, rand.Reader, c.host.Plan.AccountID, session)
	return credentials, session.Expires, err
}

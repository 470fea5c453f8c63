package az

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"tripod/api"
	"tripod/awsapi/eks"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Instance is a node's machine.
type Instance struct{ ID, PrivateDNSName string }

// metadataLife is how long the credentials are good that an instance's metadata service gives.
const metadataLife = 6 * time.Hour

// findMachines are the machines of the cluster's nodes, in all zones: any API server may be the one that a node speaks to.
func (c *clusterZone) findMachines() map[string]Instance {
	found := map[string]Instance{}
	if c.zone.Instances == nil {
		return found
	}
	for i := range c.zone.config.Peers {
		for _, instance := range c.zone.Instances(c.workersIn(i)) {
			found[instance.ID], found[instance.PrivateDNSName] = instance, instance
		}
	}
	return found
}

// nodeToken is what a kubelet signs in with.
func (c *clusterZone) nodeToken(ctx context.Context, instanceID string) (string, error) {
	credentials, _, err := c.nodeCredentials(ctx, instanceID, iam.TokenLife+time.Minute)
	if err != nil {
		return "", err
	}
	return iam.Token(ctx, credentials, c.zone.config.Region, fmt.Sprintf("http://127.0.0.1:%d", c.zone.config.AWSPort), c.record.Name, time.Now())
}

// nodeCredentials are those that an instance's metadata service gives: of a session of the instance's role that bears the instance's id. Neither the
// role's trust policy nor a call of STS is in it, as in AWS.
func (c *clusterZone) nodeCredentials(ctx context.Context, instanceID string, life time.Duration) (_ iam.Credentials, arn string, err error) {
	now := time.Now().UTC().Truncate(time.Second)
	session := iam.Session{Name: instanceID, IssuedAt: now, Expires: now.Add(life)}
	err = c.zone.voter.View(func(tx *state.Txn) error {
		cluster, _ := region.Clusters.Get(tx, c.record.ID)
		role, found := region.Roles.Get(tx, cluster.NodeRole)
		if !found {
			return fmt.Errorf("the nodes of cluster %s have no IAM role %q: make one of that name, with an access entry of type EC2_LINUX", c.record.Name, cluster.NodeRole)
		}
		session.Role, session.ID = role.Name, role.ID
		arn = iam.RoleSession(tx, role, session, "").ARN
		return nil
	})
	if err != nil {
		return iam.Credentials{}, "", err
	}
	credentials, err := iam.Issue(ctx, c.zone.voter, rand.Reader, c.zone.config.AccountID, session)
	return credentials, arn, err
}

// handleNode answers the credentials of a node's instance.
func (z *Zone) handleNode(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	z.mu.Lock()
	clusters := slices.Collect(maps.Values(z.clusters))
	z.mu.Unlock()
	for _, c := range clusters {
		instance, found := c.machines()[name]
		if !found {
			continue
		}
		credentials, arn, err := c.nodeCredentials(r.Context(), instance.ID, metadataLife)
		if err != nil {
			answer(w, http.StatusServiceUnavailable, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(api.Credentials{AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
			SessionToken: credentials.SessionToken, AccountID: z.config.AccountID, UserARN: arn})
		return
	}
	answer(w, http.StatusNotFound, fmt.Errorf("there is no node %q: see 'tripod kubectl get nodes'", name))
}

// admitNodes gives the nodes of a cluster that is older than their identity the role that new clusters' nodes have.
func (c *clusterZone) admitNodes(ctx context.Context) error {
	return c.zone.voter.Update(ctx, func(tx *state.Txn) error {
		cluster, found := region.Clusters.Get(tx, c.record.ID)
		if !found || cluster.NodeRole != "" {
			return nil
		}
		if err := eks.AdmitFirstNodes(tx, c.zone.config.Region, c.zone.config.AccountID, &cluster, rand.Reader, time.Now().UTC()); err != nil {
			return err
		}
		region.Clusters.Put(tx, cluster.ID, cluster)
		return nil
	})
}

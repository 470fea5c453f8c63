package controlplane

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"tripod/api"
	"tripod/awsapi/eks"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Machine is that of a node: an EC2 instance.
type Machine struct{ ID, PrivateDNSName string }

// metadataLife is how long the credentials are good that an instance's metadata service gives.
const metadataLife = 6 * time.Hour

// findMachines are the machines of the cluster's nodes, in all zones: any API server may be the one that a node speaks
// to.
func (c *Part) findMachines() map[string]Machine {
	found := map[string]Machine{}
	if c.host.Machines == nil {
		return found
	}
	for i := range c.host.Plan.Peers {
		for _, machine := range c.host.Machines(c.workersIn(i)) {
			found[machine.ID], found[machine.PrivateDNSName] = machine, machine
		}
	}
	return found
}

// nodeToken is what a kubelet signs in with.
func (c *Part) nodeToken(ctx context.Context, instanceID string) (string, error) {
	credentials, _, err := c.nodeCredentials(ctx, instanceID, iam.TokenLife+time.Minute)
	if err != nil {
		return "", err
	}
	return iam.Token(ctx, credentials, c.host.Plan.Region, fmt.Sprintf("http://127.0.0.1:%d", c.host.Plan.AWSPort),
		c.cluster.Name, time.Now())
}

// nodeCredentials are those that an instance's metadata service gives: of a session of the instance's role that bears
// the instance's id. Neither the role's trust policy nor a call of STS is in it, as in AWS.
func (c *Part) nodeCredentials(ctx context.Context, instanceID string, life time.Duration) (_ iam.Credentials,
	arn string, err error) {
	now := time.Now().UTC().Truncate(time.Second)
	session := iam.Session{Name: instanceID, IssuedAt: now, Expires: now.Add(life)}
	err = c.host.State.View(func(tx *state.Txn) error {
		cluster, _ := region.Clusters.Get(tx, c.cluster.ID)
		role, found := region.Roles.Get(tx, cluster.NodeRole)
		if !found {
			return fmt.Errorf("the nodes of cluster %s have no IAM role %q: make one of that name, with an access entry of "+
				"type EC2_LINUX", c.cluster.Name, cluster.NodeRole)
		}
		session.Role, session.ID = role.Name, role.ID
		arn = iam.RoleSession(tx, role, session, "").ARN
		return nil
	})
	if err != nil {
		return iam.Credentials{}, "", err
	}
	credentials, err := iam.Issue(ctx, c.host.State, rand.Reader, c.host.Plan.AccountID, session)
	return credentials, arn, err
}

// MachineCredentials are those that the metadata service of a node's machine gives, by the machine's id or name; found
// says whether the cluster has such a node.
func (c *Part) MachineCredentials(ctx context.Context, name string) (_ api.Credentials, found bool, err error) {
	machine, found := c.machines()[name]
	if !found {
		return api.Credentials{}, false, nil
	}
	credentials, arn, err := c.nodeCredentials(ctx, machine.ID, metadataLife)
	return api.Credentials{
		AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
		SessionToken: credentials.SessionToken,
		AccountID:    c.host.Plan.AccountID, UserARN: arn,
	}, true, err
}

// admitNodes gives the nodes of a cluster that is older than their identity the role that new clusters' nodes have.
func (c *Part) admitNodes(ctx context.Context) error {
	return c.host.State.Update(ctx, func(tx *state.Txn) error {
		cluster, found := region.Clusters.Get(tx, c.cluster.ID)
		if !found || cluster.NodeRole != "" {
			return nil
		}
		if err := eks.AdmitFirstNodes(tx, c.host.Plan.Region, c.host.Plan.AccountID, &cluster, rand.Reader,
			time.Now().UTC()); err != nil {
			return err
		}
		region.Clusters.Put(tx, cluster.ID, cluster)
		return nil
	})
}

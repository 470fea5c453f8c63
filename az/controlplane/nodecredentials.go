package controlplane

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"tripod/api"
	"tripod/awsapi/eks"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// metadataLife is how long the credentials are good that an instance's metadata service gives.
const metadataLife = 6 * time.Hour

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
		role, err := c.roleOfMachine(tx, instanceID)
		if err != nil {
			return err
		}
		if m, isFargate := c.fargateNamed(tx, instanceID); isFargate { // access entries of Fargate's go by the session's name
			session.Name = m.Name
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

// metadataCredentials are those that an instance's metadata service gives, and when they expire.
func (c *Part) metadataCredentials(ctx context.Context, instanceID string) (iam.Credentials, time.Time, error) {
	expires := time.Now().Add(metadataLife)
	credentials, _, err := c.nodeCredentials(ctx, instanceID, metadataLife)
	return credentials, expires, err
}

// roleOfMachine is the role by which a kubelet signs in: of its instance profile, or of its Fargate profile.
func (c *Part) roleOfMachine(tx *state.Txn, instanceID string) (region.Role, error) {
	if m, isFargate := c.fargateNamed(tx, instanceID); isFargate {
		role, found := region.Roles.Get(tx, m.RoleARN[strings.LastIndexByte(m.RoleARN, '/')+1:])
		if !found || role.ARN != m.RoleARN {
			return role, fmt.Errorf("there is no role %s", m.RoleARN)
		}
		return role, nil
	}
	instance, _ := region.Instances.Get(tx, instanceID)
	profile, _ := region.InstanceProfiles.Get(tx, instance.Launch.Profile)
	role, found := region.Roles.Get(tx, profile.Role)
	if !found {
		return role, fmt.Errorf("no EC2 IMDS role found: the instance profile %q has no role", instance.Launch.Profile)
	}
	return role, nil
}

// MachineCredentials are those that the metadata service of a node's machine gives, by the machine's id or name; found
// says whether the cluster has such a node.
func (c *Part) MachineCredentials(ctx context.Context, name string) (_ api.Credentials, found bool, err error) {
	instanceID, found, err := c.instanceNamed(name)
	if err != nil || !found {
		return api.Credentials{}, false, err
	}
	credentials, arn, err := c.nodeCredentials(ctx, instanceID, metadataLife)
	return api.Credentials{
		AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey,
		SessionToken: credentials.SessionToken,
		AccountID:    c.host.Plan.AccountID, UserARN: arn,
	}, true, err
}

// instanceNamed is the id of the cluster's node with that id or name, in any zone.
func (c *Part) instanceNamed(name string) (id string, found bool, err error) {
	err = c.host.State.View(func(tx *state.Txn) error {
		if v, there := region.Instances.Get(tx, name); there {
			id, found = v.ID, v.Boot.ClusterID == c.cluster.ID && v.State == region.InstanceRunning
			return nil
		}
		for _, v := range region.InstancesByCluster.Of(c.cluster.ID).After(tx, "") {
			if v.DNSName == name && v.State == region.InstanceRunning {
				id, found = v.ID, true
				return nil
			}
		}
		return nil
	})
	return id, found, err
}

// launchNodes gives a cluster the nodes that it has from the start. Those of a data directory from before instances had
// records are taken over as they are.
func (c *Part) launchNodes(ctx context.Context) error {
	return c.host.State.Update(ctx, func(tx *state.Txn) error {
		cluster, found := region.Clusters.Get(tx, c.cluster.ID)
		if !found || cluster.NodesLaunched {
			return nil
		}
		if err := c.host.Machines.Network.AdoptNodes(tx, cluster, c.host.Now().UTC()); err != nil {
			return err
		}
		cluster.NodesLaunched = true
		region.Clusters.Put(tx, cluster.ID, cluster)
		return nil
	})
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

package controlplane

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/eks"
	"tripod/az/plan"
	"tripod/iam"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// Storage is what a storage add-on does in a cluster while it is installed: ebscsi.Driver.
type Storage interface {
	keeper
	attendant
	// Install puts into the cluster what the add-on has there, and Uninstall takes it out again.
	Install(ctx context.Context) error
	Uninstall(ctx context.Context) error
}

// StorageConfig says what a storage add-on works on.
type StorageConfig struct {
	WorkersConfig
	// Addon is the add-on as it is installed.
	Addon region.Addon
	// Snapshots says that the cluster has the add-on snapshot-controller, and VolumeSnapshots by that.
	Snapshots bool
	// URL is that of the region's AWS endpoint, and FrontSocket where the zone answers for it.
	URL, FrontSocket string
	// Credentials are those that the add-on's pods find where they do not take the add-on's own role: see AddonCredentials.
	Credentials func(context.Context) (_ iam.Credentials, expires time.Time, err error)
}

// ebsAddon is the name of the add-on whose driver is EBS's, snapshotAddon of the one by which a cluster has VolumeSnapshots.
const (
	ebsAddon      = "aws-ebs-csi-driver"
	snapshotAddon = "snapshot-controller"
)

// storing keeps the driver of the cluster's EBS volumes running in the zone that leads the regional state, while its add-on is
// installed. A cluster without it has no watch open.
func (c *Part) storing() reconcile.Loop {
	return reconcile.Loop{Key: "keep the driver of EBS volumes", Do: c.keepStorage, Watch: c.host.State.Watch,
		Pauses: reconcile.Pauses{First: 200 * time.Millisecond, Most: 10 * time.Second}}
}

// kept is the driver that runs, and of which add-on: another version, or another role, is another driver.
type kept struct {
	storage Storage
	of      string
	at      *attended
}

func (c *Part) keepStorage(ctx context.Context) (again time.Duration, err error) {
	if c.host.Storage == nil {
		return 0, reconcile.ErrDone
	}
	var addon region.Addon
	role := ""
	wanted, ending, snapshots := false, false, false
	if err := c.host.State.View(func(tx *state.Txn) error {
		cluster, _ := region.Clusters.Get(tx, c.cluster.ID)
		addon, wanted = region.Addons.Get(tx, c.cluster.ID+"/"+ebsAddon)
		_, snapshots = region.Addons.Get(tx, c.cluster.ID+"/"+snapshotAddon)
		ending = !cluster.Runs()
		wanted = wanted && !ending && cluster.Status != region.ClusterCreating
		role = eks.PodRole(tx, c.cluster.ID, "kube-system", ebsAccount)
		return nil
	}); err != nil {
		return 0, err
	}
	identity := role + " " + aws.ToString(addon.AddonVersion) + " " + aws.ToString(addon.ServiceAccountRoleArn) + " " +
		aws.ToString(addon.ConfigurationValues) + " " + strconv.FormatBool(snapshots)
	if c.storage.at != nil && (!wanted || c.storage.of != identity) {
		if err := drop(ctx, &c.storage.at); err != nil {
			return 0, err
		}
		if !wanted && !ending {
			if err := c.storage.storage.Uninstall(ctx); err != nil {
				return 0, err
			}
		}
	}
	return c.keepLeading(ctx, &c.storage.at, wanted, nil, func(config WorkersConfig) (keeper, attendant, error) {
		driver, err := c.host.Storage(StorageConfig{WorkersConfig: config, Addon: addon, Snapshots: snapshots,
			URL:         fmt.Sprintf("http://127.0.0.1:%d", c.host.Plan.AWSPort),
			FrontSocket: plan.FrontSocket(c.host.Plan.RunDir()), Credentials: c.ebsCredentials})
		if err != nil {
			return nil, nil, err
		}
		if err := driver.Install(ctx); err != nil {
			return nil, nil, err
		}
		c.storage.storage, c.storage.of = driver, identity
		return driver, driver, nil
	})
}

// ebsAccount is the service account of the pods that call EC2.
const ebsAccount = "ebs-csi-controller-sa"

// ebsCredentials are those that the driver's pods have without an IAM role for their service account: by EKS Pod Identity
// where that has a role for them, else those of the node that they are on.
func (c *Part) ebsCredentials(ctx context.Context) (_ iam.Credentials, expires time.Time, err error) {
	now := c.host.Now().UTC().Truncate(time.Second)
	var session iam.Session
	var associated bool
	node := ""
	if err := c.host.State.View(func(tx *state.Txn) error {
		session, associated, err = eks.PodSession(tx, c.cluster.ID, "kube-system", ebsAccount, now)
		if err != nil || associated {
			return err
		}
		for _, v := range region.InstancesByCluster.Of(c.cluster.ID).List(tx) {
			if v.State == region.InstanceRunning && (node == "" || v.ID < node) {
				node = v.ID
			}
		}
		return nil
	}); err != nil {
		return iam.Credentials{}, expires, err
	}
	switch {
	case associated:
		credentials, err := iam.Issue(ctx, c.host.State, rand.Reader, c.host.Plan.AccountID, session)
		return credentials, session.Expires, err
	case node == "":
		return iam.Credentials{}, expires, fmt.Errorf("no EC2 IMDS role found: the cluster has no node for the pods of %s", ebsAddon)
	}
	credentials, _, err := c.nodeCredentials(ctx, node, time.Hour)
	return credentials, now.Add(time.Hour), err
}

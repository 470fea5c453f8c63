package controlplane

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
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

// Storage is what a storage add-on does in a cluster while it is installed: ebscsi.Driver or efscsi.Driver.
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
	// DataDir is the region's, and Account the service account of the add-on's pods that call AWS.
	DataDir, Account string
	// URL is that of the region's AWS endpoint, and FrontSocket where the zone answers for it.
	URL, FrontSocket string
	// Credentials are those that the add-on's pods find where they do not take the add-on's own role.
	Credentials func(context.Context) (_ iam.Credentials, expires time.Time, err error)
}

// storageAddon is an add-on with a CSI driver.
type storageAddon struct {
	name    string
	account string // the service account of the pods that call AWS
	// snapshots says that the driver takes VolumeSnapshots.
	snapshots bool
}

// The storage add-ons, and the one by which a cluster has VolumeSnapshots.
var (
	ebsAddon      = storageAddon{"aws-ebs-csi-driver", "ebs-csi-controller-sa", true}
	efsAddon      = storageAddon{"aws-efs-csi-driver", "efs-csi-controller-sa", false}
	storageAddons = []storageAddon{ebsAddon, efsAddon}
)

const snapshotAddon = "snapshot-controller"

// storing keeps the drivers of the cluster's volumes running in the zone that leads the regional state, while their add-ons are
// installed. A cluster without one has no watch open.
func (c *Part) storing() reconcile.Loop {
	return reconcile.Loop{Key: "keep the drivers of volumes", Do: c.keepStorage, Watch: c.host.State.Watch,
		Pauses: reconcile.Pauses{First: 200 * time.Millisecond, Most: 10 * time.Second}}
}

// kept is an add-on's driver that runs, and of which add-on as it is installed: another version, or another role, is another
// driver.
type kept struct {
	addon   storageAddon
	storage Storage
	of      string
	at      *attended
}

func (c *Part) keepStorage(ctx context.Context) (again time.Duration, err error) {
	if c.host.Storage == nil {
		return 0, reconcile.ErrDone
	}
	var errs []error
	for _, k := range c.storages {
		errs = append(errs, c.keepDriver(ctx, k))
	}
	return 0, errors.Join(errs...)
}

func (c *Part) keepDriver(ctx context.Context, k *kept) error {
	var addon region.Addon
	role := ""
	wanted, ending, snapshots := false, false, false
	if err := c.host.State.View(func(tx *state.Txn) error {
		cluster, _ := region.Clusters.Get(tx, c.cluster.ID)
		addon, wanted = region.Addons.Get(tx, c.cluster.ID+"/"+k.addon.name)
		if k.addon.snapshots {
			_, snapshots = region.Addons.Get(tx, c.cluster.ID+"/"+snapshotAddon)
		}
		ending = !cluster.Runs()
		wanted = wanted && !ending && cluster.Status != region.ClusterCreating
		role = eks.PodRole(tx, c.cluster.ID, "kube-system", k.addon.account)
		return nil
	}); err != nil {
		return err
	}
	identity := role + " " + aws.ToString(addon.AddonVersion) + " " + aws.ToString(addon.ServiceAccountRoleArn) + " " +
		aws.ToString(addon.ConfigurationValues) + " " + strconv.FormatBool(snapshots)
	if k.at != nil && (!wanted || k.of != identity) {
		if err := drop(ctx, &k.at); err != nil {
			return err
		}
		if !wanted && !ending {
			if err := k.storage.Uninstall(ctx); err != nil {
				return err
			}
		}
	}
	_, err := c.keepLeading(ctx, &k.at, wanted, nil, func(config WorkersConfig) (keeper, attendant, error) {
		driver, err := c.host.Storage(StorageConfig{WorkersConfig: config, Addon: addon, Snapshots: snapshots,
			DataDir: filepath.Dir(filepath.Dir(c.host.Plan.Dir)), Account: k.addon.account,
			URL:         fmt.Sprintf("http://127.0.0.1:%d", c.host.Plan.AWSPort),
			FrontSocket: plan.FrontSocket(c.host.Plan.RunDir()),
			Credentials: func(ctx context.Context) (iam.Credentials, time.Time, error) {
				return c.driverCredentials(ctx, k.addon)
			}})
		if err != nil {
			return nil, nil, err
		}
		if err := driver.Install(ctx); err != nil {
			return nil, nil, err
		}
		k.storage, k.of = driver, identity
		return driver, driver, nil
	})
	return err
}

// driverCredentials are those that a driver's pods have without an IAM role for their service account: by EKS Pod Identity
// where that has a role for them, else those of the node that they are on.
func (c *Part) driverCredentials(ctx context.Context, addon storageAddon) (_ iam.Credentials, expires time.Time, err error) {
	now := c.host.Now().UTC().Truncate(time.Second)
	var session iam.Session
	var associated bool
	node := ""
	if err := c.host.State.View(func(tx *state.Txn) error {
		session, associated, err = eks.PodSession(tx, c.cluster.ID, "kube-system", addon.account, now)
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
		return iam.Credentials{}, expires, fmt.Errorf("no EC2 IMDS role found: the cluster has no node for the pods of %s", addon.name)
	}
	credentials, _, err := c.nodeCredentials(ctx, node, time.Hour)
	return credentials, now.Add(time.Hour), err
}

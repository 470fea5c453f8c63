package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"

	"tripod/az/gateway"
	"tripod/az/instance"
	"tripod/iam"
	"tripod/internal/kubestate"
	"tripod/internal/process"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// Part is a zone's part of one cluster.
type Part struct {
	host    Host
	cluster Cluster
	secrets region.ClusterSecrets // those that stay: the encryption key is read anew, as it may come under a KMS key
	index   int                   // of the zone
	dir     string

	etcd, apiserver, controllers *instance.Instance
	leash                        leash        // of the agent's own clients of the API server
	authenticator                *http.Server // of admits and permits, for the API server
	admits                       *iam.Authenticator
	permits                      *iam.Authorizer
	awsAuth                      *awsAuth
	podIdentity                  *podIdentity // of pods; nil where the zone has none
	extensions                   *extensions  // what the zone adds to the cluster's API
	extending                    *attended    // nil: this zone does not lead. It belongs to keepExtensions
	extensionNews                chan struct{}
	addresses                    net.Listener // of nodes and pods
	gateway                      net.Listener // the zone's, for the cluster's processes
	reports                      *reports
	seen                         *machinesSeen // nil: nothing yet. It belongs to keepMachines
	subnets                      subnetZones
	keeper                       *attended // nil: this zone does not lead. It belongs to keepNodegroups
	nodeNews                     chan struct{}
	fargate                      *attended // nil: this zone does not lead, or has nothing to keep. It belongs to keepFargate
	fargateNews                  chan struct{}
	storages                     []*kept      // of the storage add-ons that there may be. They belong to keepStorage
	credentials                  *http.Server // by which the controllers call AWS
	logs                         clusterLogs
	kubeState                    *kubestate.Reader
	vended                       vendedMetrics // they belong to keepVended

	provider atomic.Pointer[region.IdentityProvider] // beside IAM; nil: there is none
	// for the API server, as far as is known. It belongs to keepProvider
	providerWritten *region.IdentityProvider

	mu      sync.Mutex
	workers Workers // nil: the zone has none

	wanted atomic.Pointer[region.ControlPlane] // what the zone's processes are started with from now on
	// what they are known to have; nil while they are replaced. It belongs to keepControlPlane, as does quota
	reached  *region.ControlPlane
	trust    atomic.Pointer[trust] // of what is started from now on
	believed *trust                // of workers and identity; it belongs to keepControlPlane too
	quota    int                   // of the etcd member, as region.Components.DatabaseGB; -1 while that is not known

	repairing sync.Mutex // held while the etcd member is replaced

	faulting sync.Mutex    // held while the API server is made to have its faults
	faulted  *serverFaults // as it is known to have them; nil: that is not known
	skew     atomic.Int64  // of the authenticator's clock, in nanoseconds
	expired  atomic.Bool   // the API server's certificate is to be one that is not good any more

	cancel context.CancelFunc
	done   chan struct{} // closed when all loops have ended
}

// New returns the part of a cluster in a zone; nothing runs yet.
func New(host Host, record region.Cluster) *Part {
	c := &Part{host: host, cluster: clusterOf(record), secrets: record.Secrets, index: host.Plan.Index(),
		done: make(chan struct{})}
	c.dir = filepath.Join(host.Plan.Dir, "clusters", c.ID())
	wanted := record.ControlPlaneIn(host.Plan.Zone)
	c.reached = &wanted // nothing runs yet: all will be started with it
	c.quota = wanted.DatabaseGB
	c.wanted.Store(&wanted)
	c.believed = trustOf(record, wanted)
	c.trust.Store(c.believed)
	c.etcd = instance.New(c.instanceConfig("etcd", c.prepareEtcd))
	// it waits for etcd itself, and needs a quorum, not this member
	apiserver := c.instanceConfig("apiserver", c.prepareAPIServer)
	apiserver.BeforeEnd = c.leash.letGo
	c.apiserver = instance.New(apiserver)
	controllers := c.instanceConfig("controllers", c.prepareControllers)
	controllers.After, controllers.Deposed = c.apiserver, true
	c.controllers = instance.New(controllers)
	c.reports, c.nodeNews = newReports(), make(chan struct{}, 1)
	c.fargateNews, c.extensionNews = make(chan struct{}, 1), make(chan struct{}, 1)
	c.kubeState = kubestate.NewReader(c.stateClients)
	for _, addon := range storageAddons {
		c.storages = append(c.storages, &kept{addon: addon})
	}
	return c
}

func (c *Part) instanceConfig(component string, prepare func() (process.Spec, error)) instance.Config {
	return instance.Config{
		Component: component, Zone: c.host.Plan.Zone, ClusterID: c.cluster.ID, ClusterName: c.cluster.Name, Prepare: prepare,
		Socket: c.metricsSocket(component), OnEvent: c.host.Event, OnLoss: c.host.OnLoss, OnChange: c.host.OnChange,
		Logger: c.host.Logger,
	}
}

// ID is the cluster's.
func (c *Part) ID() string { return c.cluster.ID }

// Name is the cluster's.
func (c *Part) Name() string { return c.cluster.Name }

// Route is what the zone's gateway has to know of the cluster.
func (c *Part) Route() gateway.Cluster {
	route := gateway.Cluster{ID: c.cluster.ID, Name: c.cluster.Name, EndpointPort: c.cluster.EndpointPort}
	if p := c.provider.Load(); p != nil {
		route.Issuer = p.IssuerURL
	}
	if workers := c.Nodes(); workers != nil {
		route.ZoneOf, route.Answers = c.zoneOf, workers
	}
	return route
}

// Instances are the cluster's processes in the zone, in the order of their start.
func (c *Part) Instances() []*instance.Instance {
	return []*instance.Instance{c.etcd, c.apiserver, c.controllers}
}

// Start makes the cluster's files in this zone and what its instances stand on.
func (c *Part) Start(ctx context.Context) (err error) {
	c.takeFaults()
	if err := c.writePKI(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			c.logs.authenticator.Close()
		}
	}()
	if err := c.openLogs(); err != nil {
		return err
	}
	if c.gateway, err = process.ListenUnix(c.host.Plan.GatewaySocket(c.cluster.ID)); err != nil {
		return err
	}
	c.host.ServeGateway(c.gateway, c.cluster.ID)
	defer func() {
		if err != nil {
			c.gateway.Close()
		}
	}()
	if err := c.startAuthenticator(); err != nil {
		return err
	}
	c.readProvider()
	c.providerWritten = c.provider.Load() // by prepareAPIServer
	if err := c.startCredentials(); err != nil {
		c.authenticator.Close()
		return err
	}
	if err := c.startPodIdentity(ctx); err != nil {
		c.authenticator.Close()
		c.credentials.Close()
		return err
	}
	if err := c.startWorkers(ctx); err != nil {
		c.authenticator.Close()
		c.credentials.Close()
		c.podIdentity.stop(ctx)
		return err
	}
	if err := c.startExtensions(); err != nil {
		c.authenticator.Close()
		c.credentials.Close()
		c.podIdentity.stop(ctx)
		c.stopWorkers(ctx)
		return err
	}
	return nil
}

// Run lets the instances run and begins the loops, until Quiesce and Stop. A cluster that has started runs once.
func (c *Part) Run(ctx context.Context) {
	// Not ctx: the zone stops its instances in order, it does not drop them.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	for _, i := range c.Instances() {
		go i.Supervise(context.WithoutCancel(ctx)) // until End
	}
	c.startLogs(ctx)
	go func() {
		defer close(c.done)
		reconcile.Run(running, c.loops()...)
		c.awsAuth.caller().CloseIdleConnections()
	}()
}

// Quiesce ends all that needs the cluster's etcd, each before what it speaks to. Doing it again is no error.
func (c *Part) Quiesce(ctx context.Context) error {
	c.cancel()
	<-c.done
	errs := []error{drop(ctx, &c.keeper), drop(ctx, &c.fargate), drop(ctx, &c.extending)}
	for _, k := range c.storages {
		errs = append(errs, drop(ctx, &k.at))
	}
	errs = append(errs, c.stopWorkers(ctx))
	// An API server that ends waits for the watches that are open, and the webhook has one: it goes first.
	errs = append(errs, c.controllers.End(ctx), c.podIdentity.stop(ctx), c.apiserver.End(ctx), c.extensions.stop())
	return errors.Join(errs...)
}

// Stop ends what runs.
func (c *Part) Stop(ctx context.Context) error {
	err := errors.Join(c.Quiesce(ctx), c.etcd.End(ctx), c.authenticator.Close(), c.credentials.Close())
	if closed := c.gateway.Close(); !errors.Is(closed, net.ErrClosed) { // a part that has stopped can be stopped again
		err = errors.Join(err, closed)
	}
	c.stopLogs()
	return err
}

// newest is the cluster's record as it is now; a zero one when it is gone.
func (c *Part) newest() (record region.Cluster, err error) {
	err = c.host.State.View(func(tx *state.Txn) error {
		record, _ = region.Clusters.Get(tx, c.cluster.ID)
		return nil
	})
	return record, err
}

// present is the cluster's record as it is now; an error when it is gone.
func (c *Part) present() (region.Cluster, error) {
	record, err := c.newest()
	if err == nil && record.ID == "" {
		err = c.gone()
	}
	return record, err
}

func (c *Part) gone() error { return fmt.Errorf("cluster %s is gone", c.cluster.Name) }

func (c *Part) change(ctx context.Context, edit func(*region.Cluster)) error {
	return c.host.State.Update(ctx, func(tx *state.Txn) error {
		record, ok := region.Clusters.Get(tx, c.cluster.ID)
		if !ok {
			return c.gone()
		}
		edit(&record)
		region.Clusters.Put(tx, record.ID, record)
		return nil
	})
}

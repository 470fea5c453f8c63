package efscsi

import (
	"context"
	_ "embed"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"tripod/incluster/addons"
	"tripod/incluster/csidriver"
	"tripod/nodes/efsvolume"
)

// Name is the driver's.
const Name = efsvolume.Driver

//go:embed manifests/driver.yaml
var manifest string

// Objects are what the add-on puts into a cluster.
func Objects(o addons.Options, version, roleARN string) ([]*unstructured.Unstructured, error) {
	return csidriver.Render("driver.yaml", manifest, o, version, roleARN)
}

// EFS is what the driver calls of it: *efs.Client.
type EFS interface {
	CreateAccessPoint(context.Context, *efs.CreateAccessPointInput, ...func(*efs.Options)) (*efs.CreateAccessPointOutput, error)
	DeleteAccessPoint(context.Context, *efs.DeleteAccessPointInput, ...func(*efs.Options)) (*efs.DeleteAccessPointOutput, error)
	DescribeAccessPoints(context.Context, *efs.DescribeAccessPointsInput, ...func(*efs.Options)) (*efs.DescribeAccessPointsOutput, error)
	DescribeFileSystems(context.Context, *efs.DescribeFileSystemsInput, ...func(*efs.Options)) (*efs.DescribeFileSystemsOutput, error)
}

// Config says what a Driver works on.
type Config struct {
	// Client is the cluster's administrator's.
	Client kubernetes.Interface
	// EFS is called by the add-on's role.
	EFS EFS
	// Version is the add-on's, such as v3.1.0-eksbuild.1.
	Version string
	// Tags are those of the add-on's configuration for each access point, beside the driver's own.
	Tags map[string]string
	// RemoveRoot deletes a directory of a file system; nil: the directories of volumes stay when they are deleted, as they do
	// unless the add-on's configuration says otherwise.
	RemoveRoot func(fileSystem, zone, path string) error
	Logger     *slog.Logger
}

// Driver is one cluster's. The zero value is of no use.
type Driver struct {
	Config
	factory  informers.SharedInformerFactory
	claims   cache.SharedIndexInformer
	volumes  cache.SharedIndexInformer
	classes  cache.SharedIndexInformer
	nodes    cache.SharedIndexInformer
	csiNodes cache.SharedIndexInformer
	queue    *csidriver.Queue[string]
	plugins  *csidriver.Registrar

	gids sync.Mutex // held while a group is chosen and given to an access point
	stop context.CancelFunc
	done sync.WaitGroup
}

// New makes a Driver that is not started.
func New(c Config) *Driver {
	d := &Driver{Config: c, factory: informers.NewSharedInformerFactoryWithOptions(c.Client, 0, informers.WithTransform(csidriver.Lean))}
	d.claims, d.volumes = d.factory.Core().V1().PersistentVolumeClaims().Informer(), d.factory.Core().V1().PersistentVolumes().Informer()
	d.classes, d.nodes = d.factory.Storage().V1().StorageClasses().Informer(), d.factory.Core().V1().Nodes().Informer()
	d.csiNodes = d.factory.Storage().V1().CSINodes().Informer()
	d.plugins = &csidriver.Registrar{Driver: Name, Client: c.Client, Nodes: d.nodes, CSINodes: d.csiNodes,
		Own:    d.ownOn,
		Labels: func(*corev1.Node) map[string]string { return nil }}
	d.queue = csidriver.NewQueue(c.Logger, d.plugins.Register)
	return d
}

// recent says whether the driver's version is 3.0 or later, which also knows S3 and writes before each handle what it is of.
func (d *Driver) recent() bool {
	return !strings.HasPrefix(d.Version, "v1.") && !strings.HasPrefix(d.Version, "v2.")
}

// ownOn is what a node's CSINode has of the driver: no limit, and since version 3.0 the zone.
func (d *Driver) ownOn(n *corev1.Node) storagev1.CSINodeDriver {
	own := storagev1.CSINodeDriver{Name: Name, NodeID: csidriver.InstanceOf(n)}
	if d.recent() {
		own.TopologyKeys = []string{corev1.LabelTopologyZone}
	}
	return own
}

// Start begins to do the driver's work, until Stop.
func (d *Driver) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	add := func(o any) {
		if m, is := o.(metav1.Object); is {
			d.queue.Add(m.GetName()) // a CSINode has its node's name
		}
	}
	for _, informer := range []cache.SharedIndexInformer{d.nodes, d.csiNodes} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: add, DeleteFunc: add,
			UpdateFunc: func(_, now any) { add(now) }}); err != nil {
			return err
		}
	}
	// What the library would log, the events tell.
	running, cancel := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logr.Discard()))
	d.stop = cancel
	csidriver.Provision(running, d.Client, Name, (*provisioner)(d), &d.done, d.claims, d.volumes, d.classes)
	d.factory.Start(running.Done())
	d.done.Go(func() {
		for _, synced := range d.factory.WaitForCacheSync(running.Done()) {
			if !synced {
				return // it is stopped
			}
		}
		d.queue.Run(running)
	})
	return nil
}

// Stop ends it all.
func (d *Driver) Stop(context.Context) error {
	if d.stop == nil {
		return nil
	}
	d.stop()
	d.factory.Shutdown()
	d.done.Wait()
	return nil
}

// Changes is never signalled: the driver does itself what there is to do.
func (d *Driver) Changes() <-chan struct{} { return nil }

// Keep does nothing, for the same reason.
func (d *Driver) Keep(context.Context) (time.Duration, error) { return 0, nil }

// Unregister takes the driver from all nodes. The driver has stopped.
func (d *Driver) Unregister(ctx context.Context) error { return d.plugins.Unregister(ctx) }

package ebscsi

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"tripod/incluster/csidriver"
)

const (
	// Name is the driver's.
	Name = "ebs.csi.aws.com"
	// inTree is the plugin of before, in whose name gp2 asks for volumes.
	inTree = "kubernetes.io/aws-ebs"
	// zoneKey is the topology key of volumes, and driverZoneKey the driver's own, which nodes have too.
	zoneKey       = "topology.kubernetes.io/zone"
	driverZoneKey = "topology.ebs.csi.aws.com/zone"
)

// Config says what a Driver works on.
type Config struct {
	Cluster string // its name
	// Client is the cluster's administrator's.
	Client kubernetes.Interface
	// Dynamic is the same for VolumeSnapshots; nil: the cluster has none of these.
	Dynamic dynamic.Interface
	// EC2 is called by the add-on's role.
	EC2 EC2
	// Tags are those of the add-on's configuration for each volume, beside the driver's own.
	Tags   map[string]string
	Logger *slog.Logger
}

// Driver is one cluster's. The zero value is of no use.
type Driver struct {
	Config
	factory     informers.SharedInformerFactory
	claims      cache.SharedIndexInformer
	volumes     cache.SharedIndexInformer
	classes     cache.SharedIndexInformer
	attachments cache.SharedIndexInformer
	nodes       cache.SharedIndexInformer
	csiNodes    cache.SharedIndexInformer
	attributes  cache.SharedIndexInformer // VolumeAttributesClasses

	// Of the snapshot controller's kinds; nil: the cluster has none.
	dynamic                              dynamicinformer.DynamicSharedInformerFactory
	snapshots, contents, snapshotClasses cache.SharedIndexInformer

	events   record.EventBroadcaster
	recorder record.EventRecorder // of the resizer
	taker    record.EventRecorder // of the snapshot controller
	queue    *csidriver.Queue[key]
	plugins  *csidriver.Registrar // of the nodes

	stop context.CancelFunc
	done sync.WaitGroup
}

// key is an object that there may be something to do about.
type key struct{ kind, namespace, name string }

// The kinds of objects.
const (
	attachmentKind = "VolumeAttachment"
	claimKind      = "PersistentVolumeClaim"
	nodeKind       = "Node"
)

// New makes a Driver that is not started.
func New(c Config) *Driver {
	d := &Driver{Config: c, factory: informers.NewSharedInformerFactoryWithOptions(c.Client, 0, informers.WithTransform(csidriver.Lean))}
	d.claims, d.volumes = d.factory.Core().V1().PersistentVolumeClaims().Informer(), d.factory.Core().V1().PersistentVolumes().Informer()
	d.classes, d.nodes = d.factory.Storage().V1().StorageClasses().Informer(), d.factory.Core().V1().Nodes().Informer()
	d.attachments = d.factory.Storage().V1().VolumeAttachments().Informer()
	d.csiNodes = d.factory.Storage().V1().CSINodes().Informer()
	d.attributes = d.factory.Storage().V1().VolumeAttributesClasses().Informer()
	if c.Dynamic != nil {
		d.dynamic = dynamicinformer.NewDynamicSharedInformerFactory(c.Dynamic, 0)
		d.snapshots, d.contents = d.dynamic.ForResource(snapshotGVR).Informer(), d.dynamic.ForResource(contentGVR).Informer()
		d.snapshotClasses = d.dynamic.ForResource(classGVR).Informer()
	}
	d.queue = csidriver.NewQueue(c.Logger, d.sync)
	d.plugins = &csidriver.Registrar{Driver: Name, Client: c.Client, Nodes: d.nodes, CSINodes: d.csiNodes, Own: ownOn, Labels: labelsOf}
	return d
}

// Start begins to do the driver's work, until Stop.
func (d *Driver) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.listen(); err != nil {
		return err
	}
	// What the library would log, the events tell.
	running, cancel := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logr.Discard()))
	d.stop = cancel
	d.events, d.recorder = newRecorder(d.Client)
	d.taker = d.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "snapshot-controller"})
	csidriver.Provision(running, d.Client, Name, (*provisioner)(d), &d.done, d.claims, d.volumes, d.classes,
		controller.AdditionalProvisionerNames([]string{inTree}))
	d.factory.Start(running.Done())
	if d.dynamic != nil {
		d.dynamic.Start(running.Done())
	}
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
	if d.dynamic != nil {
		d.dynamic.Shutdown()
	}
	d.done.Wait()
	d.events.Shutdown()
	return nil
}

// Changes is never signalled: the driver does itself what there is to do.
func (d *Driver) Changes() <-chan struct{} { return nil }

// Keep does nothing, for the same reason.
func (d *Driver) Keep(context.Context) (time.Duration, error) { return 0, nil }

// listen has changes of objects come into the queue.
func (d *Driver) listen() error {
	listeners := map[cache.SharedIndexInformer]func(any) []key{
		d.attachments: d.keysOfAttachment, d.claims: keysOfClaim, d.volumes: keysOfVolume, d.nodes: keysOfNode,
		d.attributes: d.claimsOfClass,
		d.csiNodes:   func(o any) []key { return []key{{nodeKind, "", nameOf(o)}} },
	}
	if d.dynamic != nil {
		listeners[d.snapshots], listeners[d.contents] = keysOfSnapshot, keysOfSnapshot
	}
	for informer, keys := range listeners {
		add := func(o any) {
			for _, k := range keys(o) {
				d.queue.Add(k)
			}
		}
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: add, DeleteFunc: add,
			UpdateFunc: func(before, now any) {
				trouble := onlyTrouble(before, now)
				for _, k := range keys(now) {
					if !trouble || k.kind == snapshotKind && kindOf(now) == contentKind { // the snapshot tells of its content's
						d.queue.Add(k)
					}
				}
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// onlyTrouble says whether nothing of an attachment, or of a snapshot, has changed but why it fails, which the driver wrote itself:
// it is tried again later for that, not now.
func onlyTrouble(before, now any) bool {
	if a, is := before.(*unstructured.Unstructured); is {
		b, _ := now.(*unstructured.Unstructured)
		return b != nil && a.GetResourceVersion() != b.GetResourceVersion() && equality.Semantic.DeepEqual(calm(a), calm(b))
	}
	a, is := before.(*storagev1.VolumeAttachment)
	b, _ := now.(*storagev1.VolumeAttachment)
	return is && b != nil && a.ResourceVersion != b.ResourceVersion && a.Status.Attached == b.Status.Attached &&
		(a.DeletionTimestamp == nil) == (b.DeletionTimestamp == nil) && len(a.Finalizers) == len(b.Finalizers)
}

// calm is an object of the snapshot controller's without what changes when it fails anew.
func calm(o *unstructured.Unstructured) map[string]any {
	c := o.DeepCopy()
	unstructured.RemoveNestedField(c.Object, "status", "error")
	unstructured.RemoveNestedField(c.Object, "metadata", "resourceVersion")
	return c.Object
}

func kindOf(o any) string {
	if u, is := o.(*unstructured.Unstructured); is {
		return u.GetKind()
	}
	return ""
}

// keysOfAttachment are the attachment, and the claim of its volume, for which it may be what it waited for.
func (d *Driver) keysOfAttachment(o any) []key {
	a, is := o.(*storagev1.VolumeAttachment)
	if !is || a.Spec.Attacher != Name {
		return nil
	}
	keys := []key{{attachmentKind, "", a.Name}}
	if v, found := d.volumeOf(a); found && v.Spec.ClaimRef != nil {
		keys = append(keys, key{claimKind, v.Spec.ClaimRef.Namespace, v.Spec.ClaimRef.Name})
	}
	return keys
}

func keysOfClaim(o any) []key {
	c, is := o.(*corev1.PersistentVolumeClaim)
	if !is || c.Spec.VolumeName == "" {
		return nil
	}
	return []key{{claimKind, c.Namespace, c.Name}}
}

// keysOfVolume is the claim of a volume: it may have been there first, and asks for more by now.
func keysOfVolume(o any) []key {
	v, is := o.(*corev1.PersistentVolume)
	if !is || v.Spec.ClaimRef == nil || handleOf(v) == "" {
		return nil
	}
	return []key{{claimKind, v.Spec.ClaimRef.Namespace, v.Spec.ClaimRef.Name}}
}

func keysOfNode(o any) []key {
	if n, is := o.(*corev1.Node); is && csidriver.InstanceOf(n) != "" {
		return []key{{nodeKind, "", n.Name}}
	}
	return nil
}

// keysOfSnapshot are a VolumeSnapshot or its content, and with the content its snapshot, which tells of it.
func keysOfSnapshot(o any) []key {
	u, is := o.(*unstructured.Unstructured)
	switch {
	case !is:
		return nil
	case u.GetKind() == snapshotKind:
		return []key{{snapshotKind, u.GetNamespace(), u.GetName()}}
	}
	return []key{{contentKind, "", u.GetName()},
		{snapshotKind, text(u, "spec", "volumeSnapshotRef", "namespace"), text(u, "spec", "volumeSnapshotRef", "name")}}
}

func nameOf(o any) string {
	if m, is := o.(metav1.Object); is {
		return m.GetName()
	}
	return ""
}

func (d *Driver) sync(ctx context.Context, k key) error {
	switch k.kind {
	case attachmentKind:
		return d.syncAttachment(ctx, k.name)
	case claimKind:
		return d.syncClaim(ctx, k.namespace, k.name)
	case snapshotKind:
		return d.syncSnapshot(ctx, k.namespace, k.name)
	case contentKind:
		return d.syncContent(ctx, k.name)
	default:
		return d.plugins.Register(ctx, k.name)
	}
}

// volumeOf is the persistent volume that an attachment is of.
func (d *Driver) volumeOf(a *storagev1.VolumeAttachment) (*corev1.PersistentVolume, bool) {
	if a.Spec.Source.PersistentVolumeName == nil {
		return nil, false
	}
	return csidriver.Get[*corev1.PersistentVolume](d.volumes, *a.Spec.Source.PersistentVolumeName)
}

// handleOf is the id of the EBS volume that a persistent volume stands for; empty: it is not of EBS. Static volumes of the
// plugin of before also say their zone: aws://us-east-1a/vol-0123456789abcdef0.
func handleOf(v *corev1.PersistentVolume) string {
	switch {
	case v.Spec.CSI != nil && v.Spec.CSI.Driver == Name:
		return v.Spec.CSI.VolumeHandle
	case v.Spec.AWSElasticBlockStore != nil:
		id := v.Spec.AWSElasticBlockStore.VolumeID
		return id[strings.LastIndexByte(id, '/')+1:]
	}
	return ""
}

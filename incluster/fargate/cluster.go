package fargate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"tripod/internal/admission"
	"tripod/nodes/object"
)

// Who EKS is in its clusters for Fargate: the rights are those of the ClusterRoles of these names.
const (
	schedulerUser = "eks:fargate-scheduler"
	managerUser   = "eks:fargate-manager"
)

// claimsPause is how long is believed what was found of a pod's claims.
const claimsPause = 2 * time.Second

// Cluster is one cluster, as Fargate's scheduler and manager see it. The zero value is of no use.
type Cluster struct {
	hook                      admission.Hook
	scheduler, manager, admin kubernetes.Interface
	pods, nodes               cache.SharedIndexInformer
	changes                   chan struct{}
	logging                   Logging

	mu      sync.Mutex
	refused map[types.UID]refusal // of pods with claims that wait

	stop context.CancelFunc
	done sync.WaitGroup
}

// refusal is what was found of a pod, and when.
type refusal struct {
	text string
	at   time.Time
}

// New makes a Cluster of a configuration by which its administrator (system:masters) reaches it. It is not started. hook is
// where API servers find the Admission, and the authority of its certificate, in PEM.
func New(conf *rest.Config, hookURL string, hookCA []byte, logging Logging) (*Cluster, error) {
	conf = rest.CopyConfig(conf)
	conf.QPS = -1
	conf.ContentConfig = rest.ContentConfig{AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
		ContentType: "application/json"}
	var clients [3]kubernetes.Interface
	for i, user := range []string{schedulerUser, managerUser, ""} {
		own := rest.CopyConfig(conf)
		own.UserAgent, own.Impersonate = "eks-fargate", rest.ImpersonationConfig{UserName: user}
		client, err := kubernetes.NewForConfig(own)
		if err != nil {
			return nil, err
		}
		clients[i] = client
	}
	c := with(clients[0], clients[1], clients[2])
	c.logging = logging
	c.hook = admission.Hook{Configuration: hookName, Name: hookName, URL: hookURL, CA: hookCA}
	return c, nil
}

func with(scheduler, manager, admin kubernetes.Interface) *Cluster {
	c := &Cluster{scheduler: scheduler, manager: manager, admin: admin, changes: make(chan struct{}, 1),
		refused: map[types.UID]refusal{}}
	pods, nodes := scheduler.CoreV1().Pods(metav1.NamespaceAll), scheduler.CoreV1().Nodes()
	own := fields.OneTermEqualSelector("spec.schedulerName", SchedulerName).String()
	machines := ComputeType + "=" + fargateCompute
	c.pods = watching(scheduler, &corev1.Pod{}, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		o.FieldSelector = own
		return pods.List(ctx, o)
	}, func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		o.FieldSelector = own
		return pods.Watch(ctx, o)
	})
	c.nodes = watching(scheduler, &corev1.Node{}, func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		o.LabelSelector = machines
		return nodes.List(ctx, o)
	}, func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		o.LabelSelector = machines
		return nodes.Watch(ctx, o)
	})
	return c
}

func watching(client kubernetes.Interface, of runtime.Object, list cache.ListWithContextFunc,
	watch cache.WatchFuncWithContext) cache.SharedIndexInformer {
	lists := &cache.ListWatch{ListWithContextFunc: list, WatchFuncWithContext: watch}
	return cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(lists, client), of, 0, nil)
}

// Changes is signalled when something of the pods or nodes has changed that counts, several changes at once perhaps.
func (c *Cluster) Changes() <-chan struct{} { return c.changes }

func (c *Cluster) signal() {
	select {
	case c.changes <- struct{}{}:
	default:
	}
}

// Start begins to watch Fargate's pods and nodes, until Stop.
func (c *Cluster) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	for informer, same := range map[cache.SharedIndexInformer]func(before, now any) bool{c.pods: samePod, c.nodes: sameNode} {
		if err := informer.SetTransform(lean); err != nil {
			cancel()
			return err
		}
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { c.signal() },
			UpdateFunc: func(before, now any) {
				if !same(before, now) {
					c.signal()
				}
			},
			DeleteFunc: func(any) { c.signal() },
		}); err != nil {
			cancel()
			return err
		}
	}
	c.stop = cancel
	c.done.Go(func() { c.pods.RunWithContext(running) })
	c.done.Go(func() { c.nodes.RunWithContext(running) })
	return nil
}

// Stop ends the watches.
func (c *Cluster) Stop(context.Context) error {
	if c.stop != nil {
		c.stop()
		c.done.Wait()
	}
	return nil
}

// lean drops what nobody reads.
func lean(value any) (any, error) {
	if o, ok := value.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return value, nil
}

// samePod says whether nothing of a pod has changed that counts: its containers' states do not.
func samePod(before, now any) bool {
	a, b := before.(*corev1.Pod), now.(*corev1.Pod)
	return a.UID == b.UID && a.Spec.NodeName == b.Spec.NodeName && (a.DeletionTimestamp == nil) == (b.DeletionTimestamp == nil) &&
		reflect.DeepEqual(a.Labels, b.Labels)
}

func sameNode(before, now any) bool {
	return reflect.DeepEqual(nodeOf(before.(*corev1.Node)), nodeOf(now.(*corev1.Node)))
}

// Nodes are Fargate's in the cluster, as the watch knows them. The error says that it does not yet.
func (c *Cluster) Nodes(context.Context) (all []object.Node, err error) {
	if !c.nodes.HasSynced() {
		return nil, errNotListed
	}
	for _, value := range c.nodes.GetStore().List() {
		all = append(all, nodeOf(value.(*corev1.Node)))
	}
	return all, nil
}

var errNotListed = errors.New("pods and nodes have not been listed yet")

func nodeOf(node *corev1.Node) object.Node {
	n := object.Node{Name: node.Name, Created: node.CreationTimestamp.Time}
	// aws:///us-east-1a/10HEX-32HEX/fargate-ip-10-0-0-9.ec2.internal: both behind the zone are the machine's
	if parts := strings.SplitN(node.Spec.ProviderID, "/", 5); len(parts) == 5 {
		n.InstanceID = parts[4]
	}
	for _, one := range node.Status.Conditions {
		n.Ready = n.Ready || one.Type == corev1.NodeReady && one.Status == corev1.ConditionTrue
	}
	return n
}

// Pods are those of Fargate's scheduler, as the watch knows them. The error says that it does not yet.
func (c *Cluster) Pods(ctx context.Context) (all []object.FargatePod, err error) {
	if !c.pods.HasSynced() {
		return nil, errNotListed
	}
	seen := map[types.UID]bool{}
	for _, value := range c.pods.GetStore().List() {
		pod := value.(*corev1.Pod)
		if pod.Spec.SchedulerName != SchedulerName {
			continue
		}
		seen[pod.UID] = true
		p := object.FargatePod{Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName,
			Profile: pod.Labels[ProfileLabel], Ending: pod.DeletionTimestamp != nil, Created: pod.CreationTimestamp.Time}
		if owner := metav1.GetControllerOf(pod); owner != nil {
			p.Owner = string(owner.UID)
		}
		if p.Node == "" && !p.Ending {
			if p.Refused, err = c.refusal(ctx, pod); err != nil {
				return nil, err
			}
		}
		p.Size, _ = SizeOf(pod)
		all = append(all, p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for uid := range c.refused {
		if !seen[uid] {
			delete(c.refused, uid)
		}
	}
	return all, nil
}

// refusal asks for a pod's claims, if it has any, every now and then.
func (c *Cluster) refusal(ctx context.Context, pod *corev1.Pod) (string, error) {
	c.mu.Lock()
	known, found := c.refused[pod.UID]
	c.mu.Unlock()
	if found && time.Since(known.at) < claimsPause {
		return known.text, nil
	}
	var trouble error
	asked := false
	text := Refusal(pod, func(namespace, name string) (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume, error) {
		asked = true
		claim, volume, err := c.claim(ctx, namespace, name)
		if err != nil && !apierrors.IsNotFound(err) {
			trouble = err
		}
		return claim, volume, err
	})
	if trouble != nil {
		return "", fmt.Errorf("read the volumes of the pod %s/%s: %w", pod.Namespace, pod.Name, trouble)
	}
	if asked {
		c.mu.Lock()
		c.refused[pod.UID] = refusal{text, time.Now()}
		c.mu.Unlock()
	}
	return text, nil
}

func (c *Cluster) claim(ctx context.Context, namespace, name string) (*corev1.PersistentVolumeClaim,
	*corev1.PersistentVolume, error) {
	claim, err := c.scheduler.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil || claim.Spec.VolumeName == "" {
		return claim, nil, err
	}
	volume, err := c.scheduler.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	return claim, volume, err
}

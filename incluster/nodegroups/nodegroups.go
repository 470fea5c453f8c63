// Package nodegroups is what EKS does in a cluster for its managed node groups, as its user eks:node-manager: it knows the
// nodes, cordons, labels, taints and drains them, and maps nodes' roles in aws-auth.
//
// Nodes are watched, and known without a request. A watch costs nothing while nothing changes; what changes of a node and
// matters to nobody, such as its heartbeat, is no change here.
package nodegroups

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"tripod/internal/awsauth"
	"tripod/nodes/object"
)

// user is who EKS is in its clusters when it manages nodes; its rights are those of the ClusterRole of that name.
const user = "eks:node-manager"

// probeTimeout bounds the question whether a cluster answers again.
const probeTimeout = 3 * time.Second

// Cluster is one cluster. The zero value is of no use.
type Cluster struct {
	client kubernetes.Interface // as eks:node-manager
	// deleter deletes pods by force, which eks:node-manager may not.
	deleter kubernetes.Interface
	nodes   cache.SharedIndexInformer
	changes chan struct{}

	mu      sync.Mutex
	trouble error // of the watch; nil: it is open, as far as is known
	stop    context.CancelFunc
	done    chan struct{}
}

// New makes a Cluster of a configuration by which its administrator (system:masters) reaches it. It is not started.
func New(conf *rest.Config) (*Cluster, error) {
	conf = rest.CopyConfig(conf)
	conf.QPS, conf.UserAgent = -1, "eks-node-manager"
	conf.ContentConfig = rest.ContentConfig{AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
		ContentType: "application/json"}
	deleter, err := kubernetes.NewForConfig(conf)
	if err != nil {
		return nil, err
	}
	conf.Impersonate = rest.ImpersonationConfig{UserName: user}
	client, err := kubernetes.NewForConfig(conf)
	if err != nil {
		return nil, err
	}
	return with(client, deleter), nil
}

func with(client, deleter kubernetes.Interface) *Cluster {
	c := &Cluster{client: client, deleter: deleter, changes: make(chan struct{}, 1)}
	api := client.CoreV1().Nodes()
	lists := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list, err := api.List(ctx, options)
			c.note(err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			w, err := api.Watch(ctx, options)
			c.note(err)
			return w, err
		},
	}
	c.nodes = cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(lists, client), &corev1.Node{}, 0, nil)
	return c
}

// note remembers whether the cluster has answered.
func (c *Cluster) note(err error) {
	c.mu.Lock()
	before := c.trouble
	c.trouble = err
	c.mu.Unlock()
	if (before == nil) != (err == nil) {
		c.signal()
	}
}

func (c *Cluster) signal() {
	select {
	case c.changes <- struct{}{}:
	default:
	}
}

// Changes is signalled when something of the nodes has changed that counts, several changes at once perhaps, and when the
// cluster answers no more, or again.
func (c *Cluster) Changes() <-chan struct{} { return c.changes }

// Start begins to watch the nodes, until Stop.
func (c *Cluster) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.nodes.SetTransform(lean); err != nil {
		return err
	}
	if _, err := c.nodes.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { c.signal() },
		UpdateFunc: func(before, now any) {
			a, isNode := before.(*corev1.Node)
			b, _ := now.(*corev1.Node)
			if isNode && !reflect.DeepEqual(nodeOf(a), nodeOf(b)) {
				c.signal()
			}
		},
		DeleteFunc: func(any) { c.signal() },
	}); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.stop, c.done = cancel, make(chan struct{})
	go func() {
		defer close(c.done)
		c.nodes.RunWithContext(running)
	}()
	return nil
}

// Stop ends the watch.
func (c *Cluster) Stop(context.Context) error {
	if c.stop != nil {
		c.stop()
		<-c.done
	}
	return nil
}

// RoleMapped says whether aws-auth maps the role.
func (c *Cluster) RoleMapped(ctx context.Context, roleARN string) (bool, error) {
	return awsauth.Map{Client: c.client}.Has(ctx, roleARN)
}

// MapRole has aws-auth map the role to nodes, if it does not.
func (c *Cluster) MapRole(ctx context.Context, roleARN string, windows bool) error {
	kind := awsauth.Linux
	if windows {
		kind = awsauth.Windows
	}
	return awsauth.Map{Client: c.client}.Add(ctx, roleARN, kind)
}

// UnmapRole takes a role that was mapped to nodes from aws-auth.
func (c *Cluster) UnmapRole(ctx context.Context, roleARN string) error {
	return awsauth.Map{Client: c.client}.Remove(ctx, roleARN)
}

// lean leaves of a node what counts here.
func lean(value any) (any, error) {
	node, isNode := value.(*corev1.Node)
	if !isNode {
		return value, nil
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion,
			CreationTimestamp: node.CreationTimestamp, Labels: node.Labels},
		Spec:   corev1.NodeSpec{ProviderID: node.Spec.ProviderID, Unschedulable: node.Spec.Unschedulable, Taints: node.Spec.Taints},
		Status: corev1.NodeStatus{Conditions: node.Status.Conditions},
	}, nil
}

// Nodes are those of the cluster, as the watch knows them. The error is why they are not known: the cluster has not been
// asked yet, or has not answered when it was.
func (c *Cluster) Nodes(ctx context.Context) ([]object.Node, error) {
	c.mu.Lock()
	trouble := c.trouble
	c.mu.Unlock()
	if trouble != nil { // the watch tries again later and later
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		if _, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return nil, fmt.Errorf("list nodes: %w", err)
		}
	}
	if !c.nodes.HasSynced() {
		return nil, errors.New("the nodes have not been listed yet")
	}
	var all []object.Node
	for _, value := range c.nodes.GetStore().List() {
		if node, isNode := value.(*corev1.Node); isNode {
			all = append(all, nodeOf(node))
		}
	}
	return all, nil
}

// monitored are the conditions that EKS's node monitoring agent adds: they are True on a healthy node, as Ready is.
var monitored = map[corev1.NodeConditionType]bool{corev1.NodeReady: true, "AcceleratedHardwareReady": true,
	"ContainerRuntimeReady": true, "KernelReady": true, "NetworkingReady": true, "StorageReady": true}

// nodeOf is what counts of a node.
func nodeOf(node *corev1.Node) object.Node {
	n := object.Node{Name: node.Name, Created: node.CreationTimestamp.Time, Unschedulable: node.Spec.Unschedulable,
		Labels: node.Labels}
	// aws:///us-east-1a/i-0123456789abcdef0
	if id := node.Spec.ProviderID[strings.LastIndexByte(node.Spec.ProviderID, '/')+1:]; strings.HasPrefix(id, "i-") {
		n.InstanceID = id
	}
	for _, t := range node.Spec.Taints {
		n.Taints = append(n.Taints, object.Taint{Key: t.Key, Value: t.Value, Effect: string(t.Effect)})
	}
	for _, one := range node.Status.Conditions {
		switch {
		case one.Status == corev1.ConditionTrue:
			n.Ready = n.Ready || one.Type == corev1.NodeReady
		case monitored[one.Type]:
			n.Unhealthy = append(n.Unhealthy, object.Condition{Type: string(one.Type), Reason: one.Reason,
				Since: one.LastTransitionTime.Time})
		}
	}
	return n
}

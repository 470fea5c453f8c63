package cloud

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"k8s.io/apimachinery/pkg/runtime"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/cloud-provider-aws/pkg/controllers/tagging"
	awsv1 "k8s.io/cloud-provider-aws/pkg/providers/v1"
	awsconfig "k8s.io/cloud-provider-aws/pkg/providers/v1/config"
	"k8s.io/cloud-provider/controllers/node"
	"k8s.io/cloud-provider/controllers/nodelifecycle"
	"k8s.io/cloud-provider/controllers/service"
	metrics "k8s.io/component-base/metrics/prometheus/controllers"
	"k8s.io/controller-manager/pkg/clientbuilder"
	"k8s.io/klog/v2"

	"tripod/apiserver/cloud/ingress"
	"tripod/apiserver/launch"
	"tripod/internal/sleep"
)

// Upstream's defaults, but for the workers: its one would have nodes wait for each other, and ask for each alone.
const (
	statusPeriod  = 5 * time.Minute // how often nodes' addresses are compared with their instances'
	monitorPeriod = 5 * time.Second
	resyncPeriod  = 12 * time.Hour
	qps, burst    = 20, 30
	workers       = 10
	// workersOfServices is upstream's: calls about one Service take a while, and change security groups of all.
	workersOfServices = 1
)

// Accounts are the service accounts in kube-system that the controllers act as, beside those that Kubernetes has roles for
// of its own: node-controller, which is the controller manager's too, and service-controller.
var Accounts = []string{cloudAccount, taggingAccount}

const (
	nodeAccount    = "node-controller"
	serviceAccount = "service-controller"
	cloudAccount   = "aws-cloud-provider"
	taggingAccount = "tagging-controller"
)

// clusterTag is what EKS tags the instances of a cluster's nodes with.
const clusterTag = "aws:eks:cluster-name"

// Manager is the cloud controller manager of one cluster.
type Manager struct {
	config  launch.Cloud
	metrics *metrics.ControllerManagerMetrics
	monitor time.Duration // how often nodes that are not ready are looked for

	// Of the term that runs; one begins when the one before has ended.
	cloud   *awsv1.Cloud // made for the first term, and kept: what it knows of zones and instance types stays true
	root    kubernetes.Interface
	clients clientbuilder.ControllerClientBuilder // of the service accounts
}

// New reads nothing yet.
func New(config launch.Cloud) *Manager {
	return &Manager{config: config, metrics: metrics.NewControllerManagerMetrics("cloud-controller-manager"),
		monitor: monitorPeriod}
}

// Run is one term as leader: until ctx ends. A cluster that does not answer at its beginning is asked again: an error would
// end the controller manager, too, which is in the same process.
func (m *Manager) Run(ctx context.Context) error {
	var (
		shared      informers.SharedInformerFactory
		controllers []func(context.Context)
	)
	for {
		var err error
		if shared, controllers, err = m.begin(); err == nil {
			break
		}
		klog.FromContext(ctx).Error(err, "the cluster or its cloud cannot be reached, tries again")
		if sleep.For(ctx, time.Second) != nil {
			return nil
		}
	}
	var running sync.WaitGroup
	for _, run := range controllers {
		running.Go(func() { run(ctx) })
	}
	shared.Start(ctx.Done())
	running.Wait()
	shared.Shutdown()
	return nil
}

// begin makes what a term runs.
func (m *Manager) begin() (informers.SharedInformerFactory, []func(context.Context), error) {
	if err := m.prepare(); err != nil {
		return nil, nil, err
	}
	shared := informers.NewSharedInformerFactory(m.root, resyncPeriod)
	controllers, err := m.controllers(shared)
	if err != nil {
		return nil, nil, err
	}
	m.cloud.SetInformers(shared)
	return shared, controllers, nil
}

// controllers are those that run, on the nodes that shared watches. A controller ends with its context.
func (m *Manager) controllers(shared informers.SharedInformerFactory) ([]func(context.Context), error) {
	nodes := shared.Core().V1().Nodes()
	client, err := m.clients.Client(nodeAccount)
	if err != nil {
		return nil, err
	}
	tagger, err := m.clients.Client(taggingAccount)
	if err != nil {
		return nil, err
	}
	initializer, err := node.NewCloudNodeController(nodes, client, m.cloud, statusPeriod, workers, workers)
	if err != nil {
		return nil, fmt.Errorf("cloud-node: %w", err)
	}
	lifecycle, err := nodelifecycle.NewCloudNodeLifecycleController(nodes, client, m.cloud, m.monitor, workers)
	if err != nil {
		return nil, fmt.Errorf("cloud-node-lifecycle: %w", err)
	}
	marker, err := tagging.NewTaggingController(nodes, tagger, m.cloud, m.monitor,
		map[string]string{clusterTag: m.config.ClusterName}, []string{"instance"}, 0, 0, workers, true)
	if err != nil {
		return nil, fmt.Errorf("tagging: %w", err)
	}
	run := []func(context.Context){
		func(ctx context.Context) { initializer.RunWithContext(ctx, m.metrics) },
		func(ctx context.Context) { lifecycle.Run(ctx, m.metrics) },
		marker.Run,
	}
	account, err := m.clients.Client(serviceAccount)
	if err != nil {
		return nil, err
	}
	balancers, err := service.New(renamed{m.cloud}, account, shared.Core().V1().Services(), nodes, m.config.ClusterName,
		utilfeature.DefaultFeatureGate)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	own := newServices(m.config)
	ingresses, err := ingress.New(m.config.ClusterName, m.root, ingress.Cloud{VPC: m.config.VPC,
		Balancers: elasticloadbalancingv2.NewFromConfig(own.config), Network: ec2.NewFromConfig(own.config),
		Certificates: acm.NewFromConfig(own.config)}, shared)
	if err != nil {
		return nil, fmt.Errorf("ingress: %w", err)
	}
	return append(run, ingresses.Run, func(ctx context.Context) { balancers.Run(ctx, workersOfServices, m.metrics) }), nil
}

// prepare makes the cloud and the clients of the cluster, once: a standby needs neither.
func (m *Manager) prepare() error {
	if m.cloud != nil {
		return nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", m.config.Kubeconfig)
	if err != nil {
		return err
	}
	config.DisableCompression, config.ContentType = true, runtime.ContentTypeProtobuf
	config.QPS, config.Burst = qps, burst
	config.UserAgent = "cloud-controller-manager"
	root, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	clients := clientbuilder.NewDynamicClientBuilder(rest.AnonymousClientConfig(config), root.CoreV1(), "kube-system")
	cloud, err := newCloud(m.config)
	if err != nil {
		return err
	}
	own, err := clients.Client(cloudAccount)
	if err != nil {
		return err
	}
	cloud.Initialize(ready{clients, own}, nil)
	m.cloud, m.root, m.clients = cloud, root, clients
	return nil
}

// ready has the client already for which upstream would end the process where it cannot be had.
type ready struct {
	clientbuilder.ControllerClientBuilder
	client kubernetes.Interface
}

func (r ready) ClientOrDie(string) kubernetes.Interface { return r.client }

// newCloud is AWS as a cluster of EKS sees it: its control plane is in no VPC of the account.
func newCloud(c launch.Cloud) (*awsv1.Cloud, error) {
	var config awsconfig.CloudConfig
	config.Global.Region, config.Global.VPC, config.Global.RoleARN = c.Region, c.VPC, c.RoleARN
	config.Global.KubernetesClusterID = c.ClusterName
	cloud, err := awsv1.NewAWSCloud(config, newServices(c))
	if err != nil {
		return nil, fmt.Errorf("AWS: %w", err)
	}
	return cloud, nil
}

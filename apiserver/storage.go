package apiserver

import (
	"context"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	etcdkubernetes "go.etcd.io/etcd/client/v3/kubernetes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/server/egressselector"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/cacher"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	noencryption "k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"

	"tripod/apiserver/etcdwrites"
	"tripod/apiserver/launch"
)

// An upstream API server makes an etcd client for every resource: some 70, with a TLS connection to each of the three
// members. For three API servers on one machine these are more than 600 handshakes at the start, and the memory of both
// sides and of the gateways between. Here all resources share one client.

// etcd is an API server's one client of its cluster's etcd.
type etcd struct {
	*etcdkubernetes.Client
	compactor etcd3.Compactor
	writes    *etcdwrites.Writes
}

// newEtcd connects through the zone's gateway to the first member that answers.
func newEtcd(to storagebackend.TransportConfig, egressConfig string) (*etcd, error) {
	config, err := egressselector.ReadEgressSelectorConfiguration(egressConfig)
	if err != nil {
		return nil, err
	}
	selector, err := egressselector.NewEgressSelector(config)
	if err != nil {
		return nil, err
	}
	dial, err := selector.Lookup(egressselector.Etcd.AsNetworkContext())
	if err != nil {
		return nil, err
	}
	files := transport.TLSInfo{CertFile: to.CertFile, KeyFile: to.KeyFile, TrustedCAFile: to.TrustedCAFile}
	tlsConfig, err := files.ClientConfig()
	if err != nil {
		return nil, err
	}
	home := newHome(to.ServerList, tlsConfig, dial)
	client, err := etcdkubernetes.New(clientv3.Config{
		Endpoints: to.ServerList, TLS: tlsConfig,
		DialKeepAliveTime: 30 * time.Second, DialKeepAliveTimeout: 10 * time.Second, // upstream's
		DialOptions: append([]grpc.DialOption{
			// Upstream waits 1 s and more between attempts. Here a member that is away refuses at once, and comes back within a
			// second.
			grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 2 * time.Second,
				Backoff: backoff.Config{BaseDelay: 25 * time.Millisecond, Multiplier: 1.3, Jitter: 0.2,
					MaxDelay: 500 * time.Millisecond}}),
			grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
				if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
					address = parsed.Host
				}
				conn, err := dial(ctx, "tcp", address)
				member, _, _ := strings.Cut(address, ".")
				told, hidden := launch.Outward(err, member+" cannot be reached") // a client of the API server may read it
				if hidden {
					klog.V(2).InfoS("Cannot dial etcd", "err", err)
				}
				if conn == nil {
					return nil, told
				}
				return home.watch(address, conn), told
			}),
		}, preferFirst...),
	})
	if err != nil {
		return nil, err
	}
	client.KV = etcd3.NewETCDLatencyTracker(client.KV)
	writes := etcdwrites.New(client)
	client.Kubernetes, client.Lease = writes, writes.Lease()
	return &etcd{Client: client, writes: writes}, nil
}

// share makes all parts of the API server store through this client.
func (e *etcd) share(config *app.Config, compactionInterval time.Duration) {
	e.compactor = etcd3.StartCompactorPerEndpoint(e.Client.Client, compactionInterval)
	for _, getter := range []*generic.RESTOptionsGetter{
		&config.KubeAPIs.ControlPlane.Generic.RESTOptionsGetter,
		&config.ApiExtensions.GenericConfig.RESTOptionsGetter,
		&config.ApiExtensions.ExtraConfig.CRDRESTOptionsGetter,
		&config.Aggregator.GenericConfig.RESTOptionsGetter,
	} {
		*getter = sharedOptions{*getter, e}
	}
}

// sharedOptions are upstream's options of each resource, with another way to make its storage.
type sharedOptions struct {
	generic.RESTOptionsGetter
	etcd *etcd
}

func (o sharedOptions) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions,
	error) {
	options, err := o.RESTOptionsGetter.GetRESTOptions(resource, example)
	if err != nil {
		return options, err
	}
	options.Decorator = o.etcd.cached
	if resource.Resource == "events" { // upstream's one exception: they are written often, and rarely watched
		options.Decorator = o.etcd.direct
	}
	return options, nil
}

// direct is generic.UndecoratedStorage with the shared client: see newETCD3Storage in the factory package.
func (e *etcd) direct(config *storagebackend.ConfigForResource, resourcePrefix string,
	_ func(runtime.Object) (string, error),
	newObject, newList func() runtime.Object, _ storage.AttrFunc, _ storage.IndexerFuncs,
	_ *cache.Indexers) (storage.Interface, factory.DestroyFunc, error) {
	transformer := config.Transformer
	if transformer == nil {
		transformer = noencryption.NewEncryptCheckTransformer()
	}
	versioner := storage.APIObjectVersioner{}
	store, err := etcd3.New(e.Client, e.compactor, config.Codec, newObject, newList, config.Prefix, resourcePrefix,
		config.GroupResource,
		transformer, config.LeaseManagerConfig, etcd3.NewDefaultDecoder(config.Codec, versioner), versioner)
	if err != nil {
		return nil, nil, err
	}
	return store, sync.OnceFunc(store.Close), nil
}

// cached is genericregistry.StorageWithCacher with the shared client, and with a cache that comes when it is needed.
func (e *etcd) cached(config *storagebackend.ConfigForResource, resourcePrefix string,
	key func(runtime.Object) (string, error),
	newObject, newList func() runtime.Object, attributes storage.AttrFunc, triggers storage.IndexerFuncs,
	indexers *cache.Indexers) (storage.Interface, factory.DestroyFunc, error) {
	store, destroy, err := e.direct(config, resourcePrefix, key, newObject, newList, attributes, triggers, indexers)
	if err != nil {
		return nil, nil, err
	}
	lazy := newLazyCache(cacher.Config{
		Storage: store, Versioner: storage.APIObjectVersioner{}, GroupResource: config.GroupResource,
		EventsHistoryWindow: config.EventsHistoryWindow,
		ResourcePrefix:      resourcePrefix, KeyFunc: key, NewFunc: newObject, NewListFunc: newList, GetAttrsFunc: attributes,
		IndexerFuncs: triggers, Indexers: indexers, Codec: config.Codec,
	})
	return lazy, sync.OnceFunc(func() {
		lazy.stop()
		destroy()
	}), nil
}

// Package apiserver runs one kube-apiserver, or one kube-controller-manager with a kube-scheduler, in a process of its
// own. It is the only package that links Kubernetes itself.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	basecompatibility "k8s.io/component-base/compatibility"
	aggregator "k8s.io/kube-aggregator/pkg/apiserver"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"

	"tripod/apiserver/cloud"
	"tripod/apiserver/door"
	"tripod/apiserver/etcdwrites"
	"tripod/apiserver/launch"
	"tripod/internal/loss"
	"tripod/internal/process"
)

// Server is one kube-apiserver.
type Server struct {
	spec   launch.Process
	chain  *aggregator.APIAggregator
	client *kubernetes.Clientset
	writes *etcdwrites.Writes
	faults *faults
}

// tokenCacheTTL is how long an API server takes a token for what it was: so long a change of who may enter, which all
// zones have at once, needs to count. Upstream has 10 s.
const tokenCacheTTL = time.Second

// New builds the API server that spec describes; etcd must be reachable for it.
func New(ctx context.Context, spec launch.Process) (*Server, error) {
	run := options.NewServerRunOptions()
	flags := run.Flags()
	if err := parse(flags, spec.Flags); err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	admitZonalShifts(run.Admission.GenericAdmission, spec.ShiftedZones)
	if err := run.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	run.Authentication.TokenSuccessCacheTTL = tokenCacheTTL
	rest.SetDefaultWarningHandler(rest.NoWarnings{}) // its loopback clients should not log warnings that it gave itself
	completed, err := run.Complete(ctx)
	if err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return nil, fmt.Errorf("kube-apiserver: %w", errors.Join(errs...))
	}
	if completed.InformerName == nil {
		if completed.InformerName, err = cache.NewInformerName("kube-apiserver"); err != nil {
			return nil, fmt.Errorf("kube-apiserver: %w", err)
		}
	}
	etcd, err := newEtcd(completed.Etcd.StorageConfig.Transport, completed.EgressSelector.ConfigFile)
	if err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	present, err := seed(ctx, etcd.Client.Client)
	if err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	if completed.SecureServing.Listener,
		err = listen(spec.Socket, completed.SecureServing.BindAddress, completed.SecureServing.BindPort); err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	if err := adapt(config, spec); err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	if err := deferHooks(config.KubeAPIs.ControlPlane.Generic, present); err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	faults := newFaults(config, spec.Faults)
	etcd.share(config, completed.Etcd.StorageConfig.CompactionInterval)
	client, err := kubernetes.NewForConfig(config.KubeAPIs.ControlPlane.Generic.LoopbackClientConfig)
	if err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	done, err := config.Complete()
	if err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	chain, err := app.CreateServerChain(done)
	if err != nil {
		return nil, fmt.Errorf("kube-apiserver: %w", err)
	}
	return &Server{spec: spec, chain: chain, client: client, writes: etcd.writes, faults: faults}, nil
}

// Lost tells that a process of the region is gone: writes that an etcd member took along are sent again.
func (s *Server) Lost(ctx context.Context, l loss.Loss) {
	if l.Of("etcd") {
		s.writes.Lost(ctx, l.Paused)
	}
}

// Fault says what is wrong with the API server from now on.
func (s *Server) Fault(now launch.Faults) { s.faults.set(now) }

// adapt makes an API server one of several on a host: with an identity of its own, on port 443 of its zone's network
// interface, and with the version of its cluster.
func adapt(config *app.Config, spec launch.Process) error {
	generics := []*genericapiserver.Config{config.KubeAPIs.ControlPlane.Generic,
		&config.ApiExtensions.GenericConfig.Config, &config.Aggregator.GenericConfig.Config}
	for _, generic := range generics {
		generic.APIServerID = identity(spec.Zone)
		generic.Authorization.Authorizer = extraGuard{generic.Authorization.Authorizer}
		generic.Authentication.Authenticator = door.Guard{Request: generic.Authentication.Authenticator, Controllers: isController}
		if spec.ReportsVersion != "" {
			generic.EffectiveVersion = shownVersion{generic.EffectiveVersion, spec.ReportsVersion}
		}
	}
	reconciler, err := newEndpointReconciler(config.KubeAPIs)
	if err != nil {
		return err
	}
	config.KubeAPIs.Extra.EndpointReconcilerConfig.Reconciler = reconciler
	return nil
}

// controllerAccounts are the names of the controller managers' service accounts in kube-system.
var controllerAccounts = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, name := range cloud.Accounts {
		names[name] = true
	}
	for _, binding := range bootstrappolicy.ControllerRoleBindings() {
		for _, subject := range binding.Subjects {
			names[subject.Name] = true
		}
	}
	return names
})

func isController(name string) bool { return controllerAccounts()[name] }

// listen opens the port, and the socket by which come those whom the cluster's endpoint has let in.
func listen(socket string, address net.IP, port int) (net.Listener, error) {
	tcp, err := net.Listen("tcp", net.JoinHostPort(address.String(), strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	unix, err := process.ListenUnix(socket)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return door.New(tcp, unix), nil
}

// Run serves until ctx ends, and then drains. ready is called once, when /readyz first says ok.
func (s *Server) Run(ctx context.Context, ready func()) error {
	prepared, err := s.chain.PrepareRun()
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	waiting, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.waitReady(waiting) {
			s.faults.begin()
			ready()
		}
	}()
	ending := context.AfterFunc(ctx, func() { s.faults.set(launch.Faults{}) }) // it drains what is under way
	defer ending()
	err = prepared.Run(ctx)
	cancel()
	<-done
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	return nil
}

func (s *Server) waitReady(ctx context.Context) bool {
	poll := time.NewTicker(25 * time.Millisecond)
	defer poll.Stop()
	for {
		var code int
		s.client.RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&code)
		if code == http.StatusOK {
			return true
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return false
		}
	}
}

// shownVersion is an effective version whose Info says what EKS says: helm and others read gitVersion.
type shownVersion struct {
	basecompatibility.EffectiveVersion
	gitVersion string
}

func (v shownVersion) Info() *apimachineryversion.Info {
	info := *v.EffectiveVersion.Info()
	info.GitVersion = v.gitVersion
	if parsed, err := version.ParseGeneric(v.gitVersion); err == nil {
		info.Major, info.Minor = fmt.Sprint(parsed.Major()), fmt.Sprint(parsed.Minor())
	}
	return &info
}

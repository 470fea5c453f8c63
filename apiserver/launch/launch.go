// Package launch says how the Kubernetes components of one cluster in one zone are started: their flags and the
// files these name. It links no Kubernetes, so that the zone's agent can be built and tested without it.
package launch

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"tripod/internal/pki"
	"tripod/internal/version"
)

// APIServer is one kube-apiserver.
type APIServer struct {
	// Dir holds the component's files; DIR/pki holds the key pairs, each NAME.crt and NAME.key: see the constants.
	Dir           string
	Zone          string // its identity among the cluster's API servers: "us-east-1a"
	ClusterID     string
	Version       string     // "1.36"
	Port          int        // on 127.0.0.1
	Advertise     netip.Addr // the zone's network interface in the cluster's VPC, shown in default/kubernetes
	EtcdServers   []string   // URLs, of which the first that answers is used
	ServiceCIDR   string
	Issuer        string
	GatewaySocket string // the zone's gateway: the only way out
	MetricsSocket string // where the component's own metrics are served, in the same directory
	// where the API server serves whoever the cluster's endpoint has let in; at its port it takes no tokens
	Socket        string
	AuditLog      string // file
	EncryptionKey string // base64 of 32 bytes
	// Provider is an identity provider beside IAM, or nil.
	Provider *Provider
	Tuning   Tuning
	Faults   Faults
}

// Faults are what is wrong with an API server on purpose. They are told to one that runs at FaultsPath of its MetricsSocket.
type Faults struct {
	// Overloaded: all seats of ordinary users' and service accounts' requests are taken.
	Overloaded bool `json:"overloaded,omitempty"`
	// Latency is how much later requests are answered.
	Latency time.Duration `json:"latency,omitempty"`
}

// SchedulerResourcesPath is where the controllers' metrics socket has what pods request, while the scheduler runs there.
const SchedulerResourcesPath = "/metrics/resources"

// FaultsPath is where an API server's metrics socket takes Faults.
const FaultsPath = "/v1/faults"

// Names of key pairs in DIR/pki.
const (
	CA               = "ca" // the certificates of all authorities that are trusted
	SigningCA        = "signing-ca"
	FrontProxyCA     = "front-proxy-ca"
	FrontProxyClient = "front-proxy-client"
	EtcdCA           = "etcd-ca"
	EtcdMember       = "etcd"
	EtcdClient       = "etcd-client"
	ServingCert      = "apiserver"
	KubeletClient    = "kubelet-client"
	ServiceAccount   = "service-account"
	Administrator    = "administrator"
	Authenticator    = "authenticator"
	ControllerManage = "kube-controller-manager"
	Scheduler        = "kube-scheduler"
	CloudController  = "cloud-controller-manager"
	PodIdentity      = "pod-identity-webhook"
	Extensions       = "extensions"
)

// ShiftedZones is the file in DIR that names the zones whose endpoints the API server leaves out of EndpointSlices: a
// JSON list, read anew each time.
const ShiftedZones = "shifted-zones.json"

// Process is what a component's process reads: DIR/NAME.json.
type Process struct {
	Zone           string   `json:"zone"`
	MetricsSocket  string   `json:"metricsSocket"`
	Socket         string   `json:"socket,omitempty"`       // of an API server: see APIServer
	ShiftedZones   string   `json:"shiftedZones,omitempty"` // a file: see ShiftedZones
	ReportsVersion string   `json:"reportsVersion"`         // what /version says
	Faults         Faults   `json:"faults,omitzero"`        // of an API server
	Flags          []string `json:"flags"`
	// Of the controllers: the scheduler's flags, and the files by which each component reaches its API server.
	SchedulerFlags      []string `json:"schedulerFlags,omitempty"`
	ManagerKubeconfig   string   `json:"managerKubeconfig,omitempty"`
	SchedulerKubeconfig string   `json:"schedulerKubeconfig,omitempty"`
	// Cloud is what the cloud controller manager works on.
	Cloud Cloud `json:"cloud,omitzero"`
	// Lease is the timing of their elections.
	Lease LeaseTiming `json:"lease,omitzero"`
}

// Report is what a component's process tells the zone's agent.
type Report struct {
	Ready bool     `json:"ready"`
	Leads []string `json:"leads,omitempty"`
}

// AuthenticatorHost is the name by which a cluster's API server reaches its zone's authenticator through the gateway.
func AuthenticatorHost(clusterID string) string {
	return "authenticator." + strings.ToLower(clusterID) + ".tripod.internal"
}

// PodIdentityHost is the name by which it reaches its zone's pod identity webhook.
func PodIdentityHost(clusterID string) string {
	return "pod-identity-webhook." + strings.ToLower(clusterID) + ".tripod.internal"
}

// Paths of the webhooks that AuthenticatorHost serves.
const (
	AuthenticatePath = "/authenticate"
	AuthorizePath    = "/authorize"
)

func (a APIServer) file(name string) string { return filepath.Join(a.Dir, name) }
func (a APIServer) cert(name string) string { return filepath.Join(a.Dir, "pki", name+".crt") }
func (a APIServer) key(name string) string  { return filepath.Join(a.Dir, "pki", name+".key") }

// Write makes the files that the flags name and returns the one that the process reads.
func (a APIServer) Write() (string, error) {
	for name, text := range map[string]string{
		"egress.yaml":        egressConfig(filepath.Base(a.GatewaySocket)), // components run in its directory
		"authenticator.yaml": webhookConfig(a.ClusterID, AuthenticatePath),
		"authorizer.yaml":    webhookConfig(a.ClusterID, AuthorizePath),
		"authorization.yaml": authorizationConfig(a.file("authorizer.yaml")),
		"audit-policy.yaml":  auditPolicy,
		"encryption.yaml":    encryptionConfig(a.EncryptionKey),
	} {
		if err := pki.Write(a.file(name), []byte(text)); err != nil {
			return "", err
		}
	}
	if err := a.WriteAuthentication(); err != nil {
		return "", err
	}
	return writeProcess(a.file("apiserver.json"), Process{
		Zone: a.Zone, MetricsSocket: a.MetricsSocket, Socket: a.Socket, ShiftedZones: a.file(ShiftedZones),
		ReportsVersion: version.KubernetesBuilds()[a.Version], Flags: a.Flags(), Faults: a.Faults})
}

// Flags are kube-apiserver's.
func (a APIServer) Flags() []string {
	return append([]string{
		"--emulated-version=kube=" + a.Version,
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", a.Port),
		"--advertise-address=" + a.Advertise.String(),
		"--tls-cert-file=" + a.cert(ServingCert),
		"--tls-private-key-file=" + a.key(ServingCert),
		"--client-ca-file=" + a.cert(CA),
		"--etcd-servers=" + strings.Join(a.EtcdServers, ","),
		"--etcd-cafile=" + a.cert(EtcdCA),
		"--etcd-certfile=" + a.cert(EtcdClient),
		"--etcd-keyfile=" + a.key(EtcdClient),
		"--etcd-prefix=/registry",
		"--etcd-db-metric-poll-interval=0", // both are polls that an idle laptop need not pay for
		"--etcd-count-metric-poll-period=0",
		"--encryption-provider-config=" + a.file("encryption.yaml"),
		"--egress-selector-config-file=" + a.file("egress.yaml"),
		"--authentication-config=" + a.file(authenticationFile),
		"--authentication-token-webhook-config-file=" + a.file("authenticator.yaml"),
		"--authentication-token-webhook-version=v1",
		"--authentication-token-webhook-cache-ttl=0", // the API server's cache of all tokens is enough: see apiserver.New
		"--authorization-config=" + a.file("authorization.yaml"),
		"--enable-admission-plugins=NodeRestriction",
		"--audit-policy-file=" + a.file("audit-policy.yaml"),
		"--audit-log-path=" + a.AuditLog,
		"--audit-log-maxsize=100", "--audit-log-maxbackup=2",
		"--service-cluster-ip-range=" + a.ServiceCIDR,
		"--service-account-issuer=" + a.Issuer,
		"--service-account-jwks-uri=" + a.Issuer + "/keys",
		"--service-account-signing-key-file=" + a.key(ServiceAccount),
		"--service-account-key-file=" + a.key(ServiceAccount),
		"--api-audiences=https://kubernetes.default.svc",
		"--kubelet-certificate-authority=" + a.cert(CA),
		"--kubelet-client-certificate=" + a.cert(KubeletClient),
		"--kubelet-client-key=" + a.key(KubeletClient),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + a.cert(FrontProxyCA),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-uid-headers=X-Remote-Uid", // by which access policies know IAM's principals, also of other API servers
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + a.cert(FrontProxyClient),
		"--proxy-client-key-file=" + a.key(FrontProxyClient),
		"--enable-aggregator-routing=true", // so that webhooks are reached at pod addresses, which the gateway routes
		"--allow-privileged=true",
		"--profiling=false",
	}, a.Tuning.apiServerFlags()...)
}

// Controllers is one kube-controller-manager, one kube-scheduler and one cloud-controller-manager, in one process.
type Controllers struct {
	APIServer   // of the same zone, whose files and address they share
	ClusterName string
	Cloud       Cloud // without Kubeconfig and ClusterName, which Write adds
	Lease       LeaseTiming
}

// Write makes the files that the flags name and returns the one that the process reads.
func (c Controllers) Write() (string, error) {
	for _, name := range []string{ControllerManage, Scheduler, CloudController} {
		text := kubeconfig(fmt.Sprintf("https://127.0.0.1:%d", c.Port), c.cert(CA), c.cert(name), c.key(name))
		if err := pki.Write(c.file(name+".kubeconfig"), []byte(text)); err != nil {
			return "", err
		}
	}
	if err := pki.Write(c.file("scheduler.yaml"),
		[]byte(c.Tuning.schedulerConfig(c.file(Scheduler+".kubeconfig")))); err != nil {
		return "", err
	}
	cloud := c.Cloud
	cloud.Kubeconfig, cloud.ClusterName = c.file(CloudController+".kubeconfig"), c.ClusterName
	return writeProcess(c.file("controllers.json"), Process{
		Zone: c.Zone, MetricsSocket: c.MetricsSocket, ReportsVersion: version.KubernetesBuilds()[c.Version],
		Flags: c.controllerManagerFlags(), SchedulerFlags: c.schedulerFlags(), Lease: c.Lease, Cloud: cloud,
		ManagerKubeconfig: c.file(ControllerManage + ".kubeconfig"), SchedulerKubeconfig: c.file(Scheduler + ".kubeconfig")})
}

func (c Controllers) controllerManagerFlags() []string {
	return append([]string{
		"--emulated-version=kube=" + c.Version,
		"--kubeconfig=" + c.file(ControllerManage+".kubeconfig"),
		"--secure-port=0",
		"--leader-elect=false", // the process elects the two components itself: see apiserver/controllers.go
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + c.key(ServiceAccount),
		"--root-ca-file=" + c.cert(CA),
		"--cluster-signing-cert-file=" + c.cert(SigningCA),
		"--cluster-signing-key-file=" + c.key(SigningCA),
		"--cluster-name=" + c.ClusterName,
		"--service-cluster-ip-range=" + c.ServiceCIDR,
		"--node-monitor-period=2s",
		"--node-monitor-grace-period=50s",
		fmt.Sprintf("--kube-api-qps=%d", controllersQPS), fmt.Sprintf("--kube-api-burst=%d", 2*controllersQPS),
		"--profiling=false",
	}, c.Tuning.controllerManagerFlags()...)
}

func (c Controllers) schedulerFlags() []string {
	return []string{
		"--config=" + c.file("scheduler.yaml"),
		"--secure-port=0",
		"--leader-elect=false",
	}
}

// LeaseTiming is that of the elections of the controllers. A holder that is known to be gone is
// replaced at once; of another one, the lease ends after Duration + 1.2 Retry.
type LeaseTiming struct {
	Duration time.Duration `json:"duration"`
	Renew    time.Duration `json:"renew"` // how long the holder tries to renew before it lets go
	Retry    time.Duration `json:"retry"`
}

// CalmLeases are Kubernetes' own, and EKS's. FastLeases lose a holder that cannot write for two seconds.
var (
	CalmLeases = LeaseTiming{Duration: 15 * time.Second, Renew: 10 * time.Second, Retry: 2 * time.Second}
	FastLeases = LeaseTiming{Duration: 2300 * time.Millisecond, Renew: 1700 * time.Millisecond,
		Retry: 900 * time.Millisecond}
)

func writeProcess(file string, p Process) (string, error) {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return "", err
	}
	return file, pki.Write(file, text)
}

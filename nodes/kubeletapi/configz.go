package kubeletapi

import (
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelet "k8s.io/kubelet/config/v1beta1"
)

// defaultDNS is the cluster DNS of clusters whose services are in EKS's first default range.
const defaultDNS = "10.100.0.10"

// evictionMemory is what nodeadm has a kubelet keep free.
const evictionMemory = 100 << 20

func (n Node) dns() string {
	if n.ClusterDNS == "" {
		return defaultDNS
	}
	return n.ClusterDNS
}

func (a *API) configz(w http.ResponseWriter, r *http.Request) {
	if n, ok := a.nodeOf(w, r); ok {
		writeJSON(w, map[string]any{"kubeletconfig": n.configuration()})
	}
}

// configuration is a kubelet's as amazon-eks-ami's nodeadm writes it, with the kubelet's own defaults. What it reserves
// is what the node's allocatable resources leave of its capacity.
func (n Node) configuration() kubelet.KubeletConfiguration {
	yes, no := true, false
	duration := func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
	number := func(n int32) *int32 { return &n }
	c := kubelet.KubeletConfiguration{
		TypeMeta: metav1.TypeMeta{},
		Address:  "0.0.0.0", Port: 10250, ReadOnlyPort: 0, EnableServer: &yes,
		SyncFrequency: duration(time.Minute), FileCheckFrequency: duration(20 * time.Second),
		HTTPCheckFrequency: duration(20 * time.Second),
		TLSCipherSuites: []string{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
			"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
		ServerTLSBootstrap: true,
		Authentication: kubelet.KubeletAuthentication{
			X509:      kubelet.KubeletX509Authentication{ClientCAFile: "/etc/kubernetes/pki/ca.crt"},
			Webhook:   kubelet.KubeletWebhookAuthentication{Enabled: &yes, CacheTTL: duration(2 * time.Minute)},
			Anonymous: kubelet.KubeletAnonymousAuthentication{Enabled: &no},
		},
		Authorization: kubelet.KubeletAuthorization{Mode: kubelet.KubeletAuthorizationModeWebhook,
			Webhook: kubelet.KubeletWebhookAuthorization{CacheAuthorizedTTL: duration(5 * time.Minute),
				CacheUnauthorizedTTL: duration(30 * time.Second)}},
		RegistryPullQPS: number(5), RegistryBurst: 10, EventRecordQPS: number(50), EventBurst: 100,
		EnableDebuggingHandlers: &yes, HealthzPort: number(10248), HealthzBindAddress: "127.0.0.1",
		OOMScoreAdj: number(-999), ClusterDomain: "cluster.local", ClusterDNS: []string{n.dns()},
		StreamingConnectionIdleTimeout: duration(streamIdle), NodeStatusUpdateFrequency: duration(10 * time.Second),
		NodeStatusReportFrequency: duration(5 * time.Minute), NodeLeaseDurationSeconds: 40,
		ImageMinimumGCAge: duration(2 * time.Minute), ImageGCHighThresholdPercent: number(85), ImageGCLowThresholdPercent: number(80),
		VolumeStatsAggPeriod: duration(time.Minute), CgroupRoot: "/", CgroupDriver: "systemd", CgroupsPerQOS: &yes,
		CPUManagerPolicy: "none", TopologyManagerPolicy: "none", RuntimeRequestTimeout: duration(2 * time.Minute),
		HairpinMode: "hairpin-veth", MaxPods: int32(n.Capacity.Pods().Value()), PodPidsLimit: number64(-1),
		ResolverConfig: text("/etc/resolv.conf"), CPUCFSQuota: &yes, MaxOpenFiles: 1_000_000,
		ContentType: "application/vnd.kubernetes.protobuf", KubeAPIQPS: number(50), KubeAPIBurst: 100,
		SerializeImagePulls: &no, EvictionPressureTransitionPeriod: duration(5 * time.Minute), EnableControllerAttachDetach: &yes,
		EvictionHard: map[string]string{"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%"},
		KubeReserved: n.reserved(), KubeReservedCgroup: "/runtime", SystemReservedCgroup: "/system",
		ProtectKernelDefaults: true, MakeIPTablesUtilChains: &yes, EnforceNodeAllocatable: []string{"pods"},
		ContainerLogMaxSize: "10Mi", ContainerLogMaxFiles: number(5), FailSwapOn: &yes,
		ContainerRuntimeEndpoint: "unix:///run/containerd/containerd.sock", ProviderID: n.ProviderID, RegisterNode: &yes,
		EnableSystemLogHandler: &yes,
	}
	c.Logging.Format, c.Logging.Verbosity = "text", 2
	return c
}

func number64(n int64) *int64 { return &n }
func text(s string) *string   { return &s }

// reserved is what the kubelet keeps for itself and the system: cpu, memory and ephemeral storage.
func (n Node) reserved() map[string]string {
	cpu, memory := n.Capacity.Cpu().DeepCopy(), n.Capacity.Memory().DeepCopy()
	cpu.Sub(*n.Allocatable.Cpu())
	memory.Sub(*n.Allocatable.Memory())
	memory.Sub(*resource.NewQuantity(evictionMemory, resource.BinarySI))
	reserved := map[string]string{"cpu": cpu.String(), "memory": fmt.Sprintf("%dMi", memory.Value()>>20)}
	if _, ok := n.Capacity[corev1.ResourceEphemeralStorage]; ok {
		reserved["ephemeral-storage"] = "1Gi"
	}
	return reserved
}

package boot

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"strings"
)

// Family is a family of images that boot alike.
type Family string

// The families of EKS's images. An image of nobody's knowledge boots as AL2023 does: cloud-init reads its user data.
const (
	AL2023       Family = "AL2023"
	AL2          Family = "AL2"
	Bottlerocket Family = "BOTTLEROCKET"
	Windows      Family = "WINDOWS"
)

// Config is what a kubelet is started with, by user data.
type Config struct {
	// ClusterName, Endpoint (an https URL) and CA (PEM) lead to the cluster.
	ClusterName, Endpoint string
	CA                    []byte
	// NeedsDescribe says that the instance asks eks:DescribeCluster for Endpoint and CA: bootstrap.sh does without them.
	NeedsDescribe bool
	// ServiceCIDR is the cluster's service range; "" if the user data have none.
	ServiceCIDR string
	// ClusterDNS are the addresses of the cluster's DNS; none: EKS's for ServiceCIDR, see DNS.
	ClusterDNS []string

	Labels map[string]string
	Taints []Taint

	// MaxPods is 0 if the image computes it of the instance type. MaxPodsExpression is nodeadm's way to compute it.
	MaxPods           int
	MaxPodsExpression string

	KubeReserved, SystemReserved, EvictionHard Override

	// HostnameOverride is a node's name that a kubelet's flag asks for; the API server refuses what is not the
	// instance's own.
	HostnameOverride string
	// KubeletConfig are members of a KubeletConfiguration over the image's own; Flags are kubelet's, in order, over both.
	// What they say of the fields above stands there, too.
	KubeletConfig map[string]any
	Flags         []string
	// FeatureGates are nodeadm's, such as InstanceIdNodeName.
	FeatureGates map[string]bool
	// LocalDisks is how instance stores are used: RAID0, RAID10, Mount or "".
	LocalDisks string
}

// Taint is a taint that a node registers with.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// String is a taint as kubelet's flag has it: key=value:effect, or key:effect.
func (t Taint) String() string {
	if t.Value == "" {
		return t.Key + ":" + t.Effect
	}
	return t.Key + "=" + t.Value + ":" + t.Effect
}

// Override are resources by name over an image's own, such as memory to 500Mi.
type Override struct {
	Values map[string]string
	// Whole says that nothing of the image's own stays: a kubelet's flag replaces them, where its configuration file and
	// Bottlerocket's settings change those that they name.
	Whole bool
}

// Over is what becomes of an image's own resources.
func (o Override) Over(own map[string]string) map[string]string {
	result := map[string]string{}
	if !o.Whole {
		maps.Copy(result, own)
	}
	maps.Copy(result, o.Values)
	return result
}

// DNS are the addresses of the cluster's DNS: those given, else the address .10 (IPv6: ::a) of the service range.
func (c Config) DNS() []string {
	if len(c.ClusterDNS) > 0 || c.ServiceCIDR == "" {
		return c.ClusterDNS
	}
	return []string{dnsOf(c.ServiceCIDR)}
}

// dnsOf is what nodeadm computes of a service range.
func dnsOf(cidr string) string {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return ""
	}
	if prefix.Addr().Is4() {
		return cidr[:strings.LastIndex(cidr, ".")] + ".10"
	}
	address, _, _ := strings.Cut(cidr, "/")
	return address + "a"
}

// NamedByInstanceID says whether the node's name is its instance's id rather than its private DNS name.
func (c Config) NamedByInstanceID() bool { return c.FeatureGates["InstanceIdNodeName"] }

// Parse reads user data as an image of a family does at its start, as EC2 keeps them: base64 is decoded before, or here.
// The lines are what the instance's console shows of it. An error is the sentence of the program that ends there: the
// instance runs on, and never becomes a node.
func Parse(userData []byte, family Family) (Config, []string, error) {
	data, err := unpack(userData)
	if err != nil {
		return Config{}, nil, fmt.Errorf("failed to decompress user data: %w", err)
	}
	switch family {
	case AL2:
		return parseAL2(data)
	case Bottlerocket:
		return parseBottlerocket(data)
	case Windows:
		return Config{}, nil, errWindows
	}
	return parseNodeadm(data)
}

func encodeCA(pem []byte) string { return base64.StdEncoding.EncodeToString(pem) }

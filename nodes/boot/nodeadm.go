package boot

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"sigs.k8s.io/yaml"
)

// nodeConfig is nodeadm's NodeConfig, as far as a simulated node heeds it (amazon-eks-ami, nodeadm/api/v1alpha1).
type nodeConfig struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Spec       nodeConfigSpec `json:"spec"`
}

type nodeConfigSpec struct {
	Cluster      clusterDetails  `json:"cluster"`
	Instance     instanceOptions `json:"instance"`
	Kubelet      kubeletOptions  `json:"kubelet"`
	FeatureGates map[string]bool `json:"featureGates"`
}

type clusterDetails struct {
	Name     string `json:"name"`
	Endpoint string `json:"apiServerEndpoint"`
	CA       []byte `json:"certificateAuthority"`
	CIDR     string `json:"cidr"`
	Outpost  *bool  `json:"enableOutpost"`
	ID       string `json:"id"`
}

type instanceOptions struct {
	LocalStorage struct {
		Strategy string `json:"strategy"`
	} `json:"localStorage"`
}

type kubeletOptions struct {
	Config            map[string]any `json:"config"`
	Flags             []string       `json:"flags"`
	MaxPodsExpression string         `json:"maxPodsExpression"`
}

const (
	nodeConfigVersion = "node.eks.aws/v1alpha1"
	nodeConfigKind    = "NodeConfig"
)

var (
	errNoConfigInUserData = errors.New("could not find NodeConfig within UserData")
	errDecoding           = errors.New("failed to decode node config")
	// errNoConfigInChain ends nodeadm where the user data have no NodeConfig that it can read.
	errNoConfigInChain = errors.New("no config in chain")
)

// parseNodeadm does what `nodeadm init` does with the user data, up to the kubelet's start.
func parseNodeadm(data []byte) (Config, []string, error) {
	lines := []string{nodeadmLine("info", "init/init.go:50", "Checking user is root.."),
		nodeadmLine("info", "init/init.go:60", `Loading configuration.. {"configSource": ["imds://user-data"], `+
			`"configCache": "/run/eks/nodeadm/config.json"}`)}
	found, err := readNodeConfigs(data)
	if err != nil {
		lines = append(lines, nodeadmLine("warn", "configprovider/chain.go:30", "Encountered error in config provider "+
			zapError(err)))
		if errors.Is(err, errNoConfigInUserData) || errors.Is(err, errDecoding) {
			err = errNoConfigInChain
		} else {
			err = fmt.Errorf("config provider at index 0 failed: %w", err)
		}
		return nodeadmFails(lines, data, err)
	}
	lines = append(lines, nodeadmLine("info", "init/init.go:87", "Loaded configuration"),
		nodeadmLine("info", "init/init.go:89", "Validating configuration.."))
	if err := found.validate(); err != nil {
		return nodeadmFails(lines, data, err)
	}
	config, err := found.config()
	if err != nil {
		return nodeadmFails(lines, data, err)
	}
	for _, daemon := range []string{"containerd", "kubelet"} {
		lines = append(lines, nodeadmLine("info", "init/init.go:190", `Configured daemon {"name": "`+daemon+`"}`))
	}
	return config, append(lines, notes(partsOf(data), AL2023)...), nil
}

func nodeadmFails(lines []string, data []byte, err error) (Config, []string, error) {
	lines = append(lines, nodeadmLine("fatal", "cli/main.go:36", "Command failed "+zapError(err)))
	return Config{}, append(lines, notes(partsOf(data), AL2023)...), err
}

// nodeadmLine is a line of nodeadm's log: level, place and text.
func nodeadmLine(level, place, text string) string {
	return "nodeadm: " + level + " " + place + " " + text
}

// zapError is an error as zap's console encoder writes it behind a line.
func zapError(err error) string {
	text, _ := json.Marshal(map[string]string{"error": err.Error()}) // strings have JSON
	return string(text)
}

// readNodeConfigs reads user data that are a NodeConfig, or a multipart document with some, which are merged.
func readNodeConfigs(data []byte) (*nodeConfig, error) {
	parts, err := split(data)
	if errors.Is(err, errNotMultipart) {
		return decodeNodeConfig(data)
	} else if err != nil {
		return nil, err
	}
	var merged *nodeConfig
	for _, p := range parts {
		if p.media != nodeConfigMedia {
			continue
		}
		next, err := decodeNodeConfig(p.body)
		switch {
		case err != nil:
			return nil, err
		case merged == nil:
			merged = next
		default:
			merged.merge(next)
		}
	}
	if merged == nil {
		return nil, errNoConfigInUserData
	}
	return merged, nil
}

func decodeNodeConfig(data []byte) (*nodeConfig, error) {
	document, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%w, couldn't get version/kind; json parse error: %w", errDecoding, err)
	}
	var header struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(document, &header); err != nil {
		return nil, fmt.Errorf("%w, couldn't get version/kind; json parse error: %w", errDecoding, err)
	}
	switch {
	case header.Kind == "":
		return nil, fmt.Errorf("%w, Object 'Kind' is missing in '%s'", errDecoding, clip(string(document)))
	case header.APIVersion == "":
		return nil, fmt.Errorf("%w, Object 'apiVersion' is missing in '%s'", errDecoding, clip(string(document)))
	case header.APIVersion != nodeConfigVersion || header.Kind != nodeConfigKind:
		return nil, fmt.Errorf("%w, no kind %q is registered for version %q in scheme \"pkg/runtime/scheme.go:110\"", errDecoding,
			header.Kind, header.APIVersion)
	}
	config := &nodeConfig{}
	if err := json.Unmarshal(document, config); err != nil {
		return nil, fmt.Errorf("%w, %w", errDecoding, err)
	}
	return config, nil
}

// merge puts a later document over an earlier one, as nodeadm does: what it has counts, flags are appended, kubelet's
// configuration is merged member by member.
func (c *nodeConfig) merge(later *nodeConfig) {
	to, from := &c.Spec, &later.Spec
	for _, pair := range []struct{ to, from *string }{
		{&to.Cluster.Name, &from.Cluster.Name}, {&to.Cluster.Endpoint, &from.Cluster.Endpoint},
		{&to.Cluster.CIDR, &from.Cluster.CIDR}, {&to.Cluster.ID, &from.Cluster.ID},
		{&to.Instance.LocalStorage.Strategy, &from.Instance.LocalStorage.Strategy},
		{&to.Kubelet.MaxPodsExpression, &from.Kubelet.MaxPodsExpression},
	} {
		if *pair.from != "" {
			*pair.to = *pair.from
		}
	}
	if len(from.Cluster.CA) > 0 {
		to.Cluster.CA = from.Cluster.CA
	}
	if from.Cluster.Outpost != nil {
		to.Cluster.Outpost = from.Cluster.Outpost
	}
	to.Kubelet.Flags = slices.Concat(to.Kubelet.Flags, from.Kubelet.Flags)
	to.Kubelet.Config = mergeMaps(to.Kubelet.Config, from.Kubelet.Config)
	if to.FeatureGates == nil {
		to.FeatureGates = map[string]bool{}
	}
	maps.Copy(to.FeatureGates, from.FeatureGates)
}

// mergeMaps is a with b's members over it, maps within both alike.
func mergeMaps(a, b map[string]any) map[string]any {
	if len(a) == 0 {
		return b
	}
	merged := maps.Clone(a)
	for key, value := range b {
		below, both := merged[key].(map[string]any)
		if over, isMap := value.(map[string]any); isMap && both {
			value = mergeMaps(below, over)
		}
		merged[key] = value
	}
	return merged
}

// validate has the sentences of nodeadm's ValidateNodeConfig, and of what it computes with them.
func (c *nodeConfig) validate() error {
	cluster := c.Spec.Cluster
	switch {
	case cluster.Name == "":
		return sentence("Name is missing in cluster configuration")
	case cluster.Endpoint == "":
		return sentence("Apiserver endpoint is missing in cluster configuration")
	case cluster.CA == nil:
		return sentence("Certificate authority is missing in cluster configuration")
	case cluster.CIDR == "":
		return errors.New("CIDR is missing in cluster configuration")
	case cluster.Outpost != nil && *cluster.Outpost && cluster.ID == "":
		return errors.New("cluster ID must be provided for outposts")
	}
	if _, err := netip.ParsePrefix(cluster.CIDR); err != nil {
		return fmt.Errorf("%s is not a valid IP Address. error: invalid CIDR address: %s", cluster.CIDR, cluster.CIDR)
	}
	return nil
}

// config is what the kubelet is started with.
func (c *nodeConfig) config() (Config, error) {
	spec := c.Spec
	config := Config{
		ClusterName: spec.Cluster.Name, Endpoint: spec.Cluster.Endpoint, CA: spec.Cluster.CA, ServiceCIDR: spec.Cluster.CIDR,
		MaxPodsExpression: spec.Kubelet.MaxPodsExpression, KubeletConfig: spec.Kubelet.Config,
		FeatureGates: spec.FeatureGates, LocalDisks: spec.Instance.LocalStorage.Strategy,
	}
	if err := config.configure(spec.Kubelet.Config); err != nil {
		return Config{}, err
	}
	return config, config.setFlags(spec.Kubelet.Flags)
}

// clip shortens what an error quotes.
func clip(text string) string {
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}

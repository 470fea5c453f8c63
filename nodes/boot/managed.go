package boot

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const managedBoundary = "//"

// nodeConfigText is EKS's NodeConfig: the cluster, pods and DNS as configuration, labels and taints as flags.
func nodeConfigText(c Config) string {
	kubelet := map[string]any{}
	if c.MaxPods > 0 {
		kubelet["maxPods"] = c.MaxPods
	}
	if dns := c.DNS(); len(dns) > 0 {
		kubelet["clusterDNS"] = dns
	}
	document := map[string]any{
		"apiVersion": nodeConfigVersion, "kind": nodeConfigKind,
		"spec": map[string]any{
			"cluster": map[string]any{"name": c.ClusterName, "apiServerEndpoint": c.Endpoint,
				"certificateAuthority": encodeCA(c.CA), "cidr": c.ServiceCIDR},
			"kubelet": map[string]any{"config": kubelet, "flags": registrationFlags(c)},
		},
	}
	text, err := yaml.Marshal(document)
	if err != nil {
		panic("boot: " + err.Error()) // maps and strings have YAML
	}
	return "---\n" + string(text)
}

// registrationFlags are the kubelet's flags for what its node registers with.
func registrationFlags(c Config) []string {
	flags := []string{"--node-labels=" + joinLabels(c.Labels)}
	if len(c.Taints) > 0 {
		flags = append(flags, "--register-with-taints="+joinTaints(c.Taints))
	}
	return flags
}

func joinLabels(labels map[string]string) string {
	texts := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, key+"="+labels[key])
	}
	return strings.Join(texts, ",")
}

func joinTaints(taints []Taint) string {
	texts := make([]string, len(taints))
	for i, t := range taints {
		texts[i] = t.String()
	}
	return strings.Join(texts, ",")
}

func mimeDocument(parts ...part) string {
	var text strings.Builder
	text.WriteString("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"" + managedBoundary + "\"\n\n")
	for _, p := range parts {
		media := p.media
		if strings.HasPrefix(media, "text/") {
			media += `; charset="us-ascii"`
		}
		text.WriteString("--" + managedBoundary + "\nContent-Type: " + media + "\n\n" + strings.TrimSuffix(string(p.body), "\n") + "\n\n")
	}
	return text.String() + "--" + managedBoundary + "--\n"
}

// MergeManaged is what EKS makes of a launch template's user data, decoded, for a managed node group that is not CUSTOM:
// a MIME document with the user's parts and then EKS's, or settings of Bottlerocket with the user's over EKS's, but for
// what leads to the cluster. The error is the sentence of EKS's issue Ec2LaunchTemplateInvalidConfiguration.
func MergeManaged(user []byte, eks Config, family Family) (string, error) {
	data, err := unpack(user)
	if err != nil {
		return "", err
	}
	given := len(strings.TrimSpace(string(data))) > 0
	switch family {
	case Bottlerocket:
		return mergeSettings(data, eks)
	case Windows:
		return "", errWindows
	}
	var parts []part
	if given {
		if parts, err = split(data); errors.Is(err, errNotMultipart) {
			return "", sentence("User data was not in the MIME multipart format.")
		} else if err != nil {
			return "", err
		}
	}
	own := part{nodeConfigMedia, []byte(nodeConfigText(eks))}
	if family == AL2 {
		own = part{shellScriptMedia, []byte(bootstrapText(eks))}
	}
	return mimeDocument(append(parts, own)...), nil
}

const errNotTOML = sentence("User data was not in the TOML format")

// mergeSettings puts the user's settings over EKS's.
func mergeSettings(user []byte, eks Config) (string, error) {
	root, err := parseTOML(string(user))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNotTOML, err)
	}
	own := bottlerocketSettings(eks)
	merged := mergeMaps(tomlTable{"settings": tomlTable{"kubernetes": own}}, root)
	settings, _ := merged["settings"].(tomlTable)
	kubernetes, _ := settings["kubernetes"].(tomlTable)
	if kubernetes == nil {
		return "", fmt.Errorf("%w: settings.kubernetes is not a table", errNotTOML)
	}
	kubernetes = maps.Clone(kubernetes)
	for _, name := range []string{"cluster-name", "api-server", "cluster-certificate"} {
		kubernetes[name] = own[name]
	}
	settings = maps.Clone(settings)
	settings["kubernetes"] = kubernetes
	merged["settings"] = settings
	return writeTOML(merged), nil
}

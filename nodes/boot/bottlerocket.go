package boot

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// parseBottlerocket reads user data as Bottlerocket's early-boot-config does: settings in TOML, which the kubelet's
// configuration is made of.
func parseBottlerocket(data []byte) (Config, []string, error) {
	lines := []string{"early-boot-config: Running user data providers", "early-boot-config: Sending user data to API"}
	fails := func(err error) (Config, []string, error) {
		return Config{}, append(lines, "early-boot-config: "+err.Error()), err
	}
	root, err := parseTOML(string(data))
	if err != nil {
		return fails(fmt.Errorf("unable to parse user data as TOML: %w", err))
	}
	settings, _ := root["settings"].(tomlTable)
	kubernetes, _ := settings["kubernetes"].(tomlTable)
	for _, name := range []string{"cluster-name", "api-server", "cluster-certificate"} {
		if value, is := kubernetes[name].(string); !is || value == "" {
			return fails(fmt.Errorf("unable to render template kubelet-kubeconfig: variable settings.kubernetes.%s is missing",
				name))
		}
	}
	config, err := bottlerocketConfig(kubernetes)
	if err != nil {
		return fails(err)
	}
	return config, append(lines, "settings-applier: Configuration applied", "systemd: Started Kubelet."), nil
}

func bottlerocketConfig(k tomlTable) (Config, error) {
	c := Config{ClusterName: k["cluster-name"].(string), Endpoint: k["api-server"].(string)}
	var err error
	if c.CA, err = base64.StdEncoding.DecodeString(k["cluster-certificate"].(string)); err != nil {
		return c, sentence("unable to deserialize settings.kubernetes.cluster-certificate: invalid base64 input")
	}
	switch dns := k["cluster-dns-ip"].(type) {
	case string:
		c.ClusterDNS = []string{dns}
	case []any:
		for _, one := range dns {
			c.ClusterDNS = append(c.ClusterDNS, fmt.Sprint(one))
		}
	}
	if most, given := k["max-pods"]; given {
		if c.MaxPods, err = strconv.Atoi(fmt.Sprint(most)); err != nil {
			return c, fmt.Errorf("unable to deserialize settings.kubernetes.max-pods: invalid value %v, expected u32", most)
		}
	}
	c.Labels = texts(k["node-labels"])
	if err := checkLabels(c.Labels); err != nil {
		return c, err
	}
	if c.Taints, err = bottlerocketTaints(k["node-taints"]); err != nil {
		return c, err
	}
	c.KubeReserved, c.SystemReserved = Override{Values: texts(k["kube-reserved"])}, Override{Values: texts(k["system-reserved"])}
	c.EvictionHard = Override{Values: texts(k["eviction-hard"])}
	if name, is := k["hostname-override"].(string); is {
		c.HostnameOverride = name
	}
	if source := k["hostname-override-source"]; source == "instance-id" {
		c.FeatureGates = map[string]bool{"InstanceIdNodeName": true}
	}
	return c, checkTaints(c.Taints)
}

// texts are a table's values as text; nil for none.
func texts(value any) map[string]string {
	table, _ := value.(tomlTable)
	if len(table) == 0 {
		return nil
	}
	result := map[string]string{}
	for name, v := range table {
		result[name] = fmt.Sprint(v)
	}
	return result
}

// bottlerocketTaints are those of a table: key = ['value:Effect', ...], in older versions key = 'value:Effect'.
func bottlerocketTaints(value any) (taints []Taint, err error) {
	table, _ := value.(tomlTable)
	for _, key := range slices.Sorted(maps.Keys(table)) {
		list, isList := table[key].([]any)
		if !isList {
			list = []any{table[key]}
		}
		for _, one := range list {
			v, effect, found := strings.Cut(fmt.Sprint(one), ":")
			if !found {
				return nil, fmt.Errorf("unable to deserialize settings.kubernetes.node-taints: invalid taint value %q", clip(fmt.Sprint(one)))
			}
			taints = append(taints, Taint{key, v, effect})
		}
	}
	return taints, nil
}

// bottlerocketSettings are those by which EKS makes a Bottlerocket instance of a managed node group a node.
func bottlerocketSettings(c Config) tomlTable {
	k := tomlTable{"cluster-name": c.ClusterName, "api-server": c.Endpoint, "cluster-certificate": encodeCA(c.CA)}
	if dns := c.DNS(); len(dns) > 0 {
		k["cluster-dns-ip"] = dns[0]
	}
	if c.MaxPods > 0 {
		k["max-pods"] = int64(c.MaxPods)
	}
	for name, values := range map[string]map[string]string{"node-labels": c.Labels, "kube-reserved": c.KubeReserved.Values,
		"system-reserved": c.SystemReserved.Values, "eviction-hard": c.EvictionHard.Values} {
		if len(values) == 0 {
			continue
		}
		table := tomlTable{}
		for key, value := range values {
			table[key] = value
		}
		k[name] = table
	}
	if len(c.Taints) > 0 {
		table := tomlTable{}
		for _, t := range c.Taints {
			list, _ := table[t.Key].([]any)
			table[t.Key] = append(list, t.Value+":"+t.Effect)
		}
		k["node-taints"] = table
	}
	return k
}

package boot

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// kubeletFields are the members of a KubeletConfiguration that a simulated node heeds.
type kubeletFields struct {
	ClusterDNS     []string          `json:"clusterDNS"`
	MaxPods        int               `json:"maxPods"`
	KubeReserved   map[string]string `json:"kubeReserved"`
	SystemReserved map[string]string `json:"systemReserved"`
	EvictionHard   map[string]string `json:"evictionHard"`
	Taints         []Taint           `json:"registerWithTaints"`
}

// configure takes the members of a kubelet's configuration file over the image's own: maps change what they name.
func (c *Config) configure(document map[string]any) error {
	text, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("failed to load kubelet config drop-in file: %w", err)
	}
	var fields kubeletFields
	if err := json.Unmarshal(text, &fields); err != nil {
		return fmt.Errorf("failed to load kubelet config drop-in file, path: /etc/kubernetes/kubelet/config.json.d/40-nodeadm.conf, "+
			"error: %w", err)
	}
	c.ClusterDNS, c.MaxPods, c.Taints = fields.ClusterDNS, fields.MaxPods, fields.Taints
	c.KubeReserved, c.SystemReserved = Override{Values: fields.KubeReserved}, Override{Values: fields.SystemReserved}
	c.EvictionHard = Override{Values: fields.EvictionHard}
	return checkTaints(c.Taints)
}

// setFlags takes a kubelet's flags, whose later ones count, and which count more than its configuration file. An element
// may have several flags, and quotes, as a line of a shell does: systemd splits them again.
func (c *Config) setFlags(flags []string) error {
	c.Flags = flags
	words := splitWords(strings.Join(flags, " "))
	for len(words) > 0 {
		name, value, whole := strings.Cut(strings.TrimLeft(words[0], "-"), "=")
		words = words[1:]
		if !whole && len(words) > 0 && !strings.HasPrefix(words[0], "--") {
			value, words = words[0], words[1:]
		}
		if err := c.setFlag(name, strings.Trim(value, `"'`)); err != nil {
			return fmt.Errorf("failed to parse kubelet flag: invalid argument %q for \"--%s\" flag: %w", clip(value), name, err)
		}
	}
	return checkLabels(c.Labels)
}

func (c *Config) setFlag(name, value string) error {
	var err error
	switch name {
	case "node-labels":
		var labels map[string]string
		if labels, err = pairs(value, "="); err == nil {
			if c.Labels == nil {
				c.Labels = map[string]string{}
			}
			maps.Copy(c.Labels, labels)
		}
	case "register-with-taints":
		c.Taints, err = parseTaints(value)
	case "max-pods":
		if c.MaxPods, err = strconv.Atoi(value); err != nil {
			err = fmt.Errorf("strconv.ParseInt: parsing %q: invalid syntax", clip(value))
		}
	case "cluster-dns":
		c.ClusterDNS = strings.Split(value, ",")
	case "hostname-override":
		c.HostnameOverride = value
	case "kube-reserved":
		err = c.KubeReserved.set(value, "=")
	case "system-reserved":
		err = c.SystemReserved.set(value, "=")
	case "eviction-hard":
		err = c.EvictionHard.set(value, "<")
	}
	return err
}

// set replaces an image's own resources; a second flag adds to the first one.
func (o *Override) set(value, separator string) error {
	values, err := pairs(value, separator)
	if err != nil {
		return err
	}
	if !o.Whole {
		o.Values, o.Whole = map[string]string{}, true
	}
	maps.Copy(o.Values, values)
	return nil
}

// pairs are those of a kubelet's flag, such as a=b,c=d.
func pairs(value, separator string) (map[string]string, error) {
	result := map[string]string{}
	for text := range strings.SplitSeq(value, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		key, v, found := strings.Cut(text, separator)
		if !found {
			return nil, fmt.Errorf("malformed pair, expect string%sstring", separator)
		}
		result[strings.TrimSpace(key)] = strings.TrimSpace(v)
	}
	return result, nil
}

var (
	labelName  = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)$`)
	labelSpace = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	effects    = []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}
)

// parseTaints reads those of a kubelet's flag: key=value:effect or key:effect, with commas between.
func parseTaints(value string) ([]Taint, error) {
	var taints []Taint
	for text := range strings.SplitSeq(value, ",") {
		if text == "" && value == "" {
			break
		}
		pair, effect, found := strings.Cut(text, ":")
		key, v, _ := strings.Cut(pair, "=")
		if !found || strings.Contains(effect, ":") || strings.Contains(v, "=") {
			return nil, fmt.Errorf("invalid taint spec: %s", text)
		}
		taints = append(taints, Taint{key, v, effect})
	}
	return taints, checkTaints(taints)
}

func checkTaints(taints []Taint) error {
	seen := map[[2]string]bool{}
	for _, taint := range taints {
		switch {
		case !slices.Contains(effects, taint.Effect):
			return fmt.Errorf("invalid taint effect: %s, unsupported taint effect", taint.Effect)
		case !isQualifiedName(taint.Key), taint.Value != "" && !labelName.MatchString(taint.Value):
			return fmt.Errorf("invalid taint spec: %s", taint)
		case seen[[2]string{taint.Key, taint.Effect}]:
			return fmt.Errorf("duplicated taints with the same key and effect: %s", taint)
		}
		seen[[2]string{taint.Key, taint.Effect}] = true
	}
	return nil
}

func isQualifiedName(key string) bool {
	space, name, both := strings.Cut(key, "/")
	if !both {
		return labelName.MatchString(key)
	}
	return labelName.MatchString(name) && len(space) <= 253 && labelSpace.MatchString(space)
}

// kubeletLabels and kubeletSpaces are the labels of Kubernetes' own namespaces that a kubelet may give its node
// (k8s.io/kubelet, pkg/apis/well_known_labels.go).
var (
	kubeletLabels = []string{
		"beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type", "beta.kubernetes.io/os",
		"failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone", "kubernetes.io/arch",
		"kubernetes.io/hostname", "kubernetes.io/os", "node.kubernetes.io/instance-type", "topology.kubernetes.io/region",
		"topology.kubernetes.io/zone",
	}
	kubeletSpaces = []string{"kubelet.kubernetes.io", "node.kubernetes.io"}
)

// checkLabels has the refusals with which a kubelet ends at its start.
func checkLabels(labels map[string]string) error {
	var unknown, invalid []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		space, _, both := strings.Cut(key, "/")
		if both && isWithin(space, "kubernetes.io", "k8s.io") && !slices.Contains(kubeletLabels, key) &&
			!isWithin(space, kubeletSpaces...) {
			unknown = append(unknown, key)
		}
		if !isQualifiedName(key) {
			invalid = append(invalid, fmt.Sprintf("'%s' - name part must consist of alphanumeric characters, '-', '_' or '.', and "+
				"must start and end with an alphanumeric character", key))
		}
		if value := labels[key]; value != "" && !labelName.MatchString(value) {
			invalid = append(invalid, fmt.Sprintf("'%s' - a valid label must be an empty string or consist of alphanumeric "+
				"characters, '-', '_' or '.', and must start and end with an alphanumeric character", value))
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with "+
			"--node-labels: %v\n--node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix (%s) or be in "+
			"the specifically allowed set (%s)", unknown, strings.Join(kubeletSpaces, ", "), strings.Join(kubeletLabels, ", "))
	}
	if len(invalid) > 0 {
		return errors.New("failed to validate kubelet flags: invalid node labels: " + strings.Join(invalid, "; "))
	}
	return nil
}

// isWithin says whether a label's namespace is one of those, or within it.
func isWithin(space string, spaces ...string) bool {
	return slices.ContainsFunc(spaces, func(s string) bool { return space == s || strings.HasSuffix(space, "."+s) })
}

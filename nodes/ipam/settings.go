package ipam

import (
	"strconv"
	"time"
)

// Settings are those of aws-node that decide which addresses nodes have.
type Settings struct {
	// WarmENI is how many interfaces' worth of free addresses there are to be. It counts for nothing where WarmIP or MinimumIP
	// is set: how many free addresses there are to be, and how many at least in all; 0: not set.
	WarmENI, WarmIP, MinimumIP int
	// Prefixes says that interfaces have /28 prefixes instead of single addresses, and WarmPrefix how many free ones there are to
	// be.
	Prefixes   bool
	WarmPrefix int
	// MaxENI bounds the interfaces of a node; 0: the instance type does.
	MaxENI int
	// Custom says that pods have addresses of the subnet that an ENIConfig names. A node's is the one that ConfigAnnotation or
	// else ConfigLabel of the Node names, or default.
	Custom                        bool
	ConfigLabel, ConfigAnnotation string
	// Discovery says that subnets with the tag kubernetes.io/role/cni are used beside the node's own.
	Discovery bool
	// PodENI says that nodes have a trunk interface, for pods with security groups of their own.
	PodENI bool
	// Cooldown is how long an address rests that a pod has given back.
	Cooldown time.Duration
	// Cluster is the cluster's name, as interfaces are tagged with it.
	Cluster string
}

// Defaults are those of an aws-node of which no setting is known.
func Defaults() Settings { return SettingsOf(nil) }

// configKey is the label and annotation that names a node's ENIConfig where nothing else is said.
const configKey = "k8s.amazonaws.com/eniConfig"

// SettingsOf are those of an environment. What cannot be read counts as not set, as ipamd has it.
func SettingsOf(env map[string]string) Settings {
	number := func(name string, least, unset int) int {
		if n, err := strconv.Atoi(env[name]); err == nil && n >= least {
			return n
		}
		return unset
	}
	isOn := func(name string, unset bool) bool {
		if on, err := strconv.ParseBool(env[name]); err == nil {
			return on
		}
		return unset
	}
	name := func(name, unset string) string {
		if env[name] != "" {
			return env[name]
		}
		return unset
	}
	return Settings{
		WarmENI: number("WARM_ENI_TARGET", 0, 1), WarmIP: number("WARM_IP_TARGET", 0, 0), MinimumIP: number("MINIMUM_IP_TARGET", 0, 0),
		Prefixes: isOn("ENABLE_PREFIX_DELEGATION", false), WarmPrefix: number("WARM_PREFIX_TARGET", 0, 0),
		MaxENI: number("MAX_ENI", 1, 0), Custom: isOn("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", false),
		ConfigLabel:      name("ENI_CONFIG_LABEL_DEF", configKey),
		ConfigAnnotation: name("ENI_CONFIG_ANNOTATION_DEF", configKey),
		Discovery:        isOn("ENABLE_SUBNET_DISCOVERY", true), PodENI: isOn("ENABLE_POD_ENI", false),
		Cooldown: time.Duration(number("IP_COOLDOWN_PERIOD", 0, 30)) * time.Second, Cluster: env["CLUSTER_NAME"],
	}
}

// targets says whether the pool is kept by numbers of addresses.
func (s Settings) targets() bool { return s.WarmIP > 0 || s.MinimumIP > 0 }

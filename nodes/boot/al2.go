package boot

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// sentence is an error in the words of a program of an image.
type sentence string

func (s sentence) Error() string { return string(s) }

const (
	errWindows = sentence("Tripod has no Windows nodes: choose an image of Amazon Linux 2023 or Bottlerocket")
	// errNotBootstrapped is said of instances whose user data do not call bootstrap.sh: nothing on them says it.
	errNotBootstrapped = sentence("the user data do not call /etc/eks/bootstrap.sh, so that the instance joins no cluster")
)

const bootstrapScript = "/etc/eks/bootstrap.sh"

// parseAL2 does what Amazon Linux 2 does with the user data: cloud-init runs their shell scripts, of which one calls
// bootstrap.sh. Nothing else in them is run.
func parseAL2(data []byte) (Config, []string, error) {
	parts := partsOf(data)
	var lines []string
	for _, p := range parts {
		if p.media != shellScriptMedia && p.media != boothookMedia {
			continue
		}
		script := readScript(string(p.body))
		for _, c := range script.commands {
			at := slices.Index(c, bootstrapScript)
			if at < 0 {
				continue
			}
			for _, unknown := range script.unknown {
				lines = append(lines, "tripod: "+clip(unknown)+" is not run on a simulated node: it counts as empty")
			}
			config, log, err := bootstrap(c[at+1:])
			lines = append(lines, log...)
			return config, append(lines, notes(parts, AL2)...), err
		}
	}
	return Config{}, append(notes(parts, AL2), "tripod: "+errNotBootstrapped.Error()), errNotBootstrapped
}

// bootstrapOptions are those of bootstrap.sh that take a value, which are all but --help.
var bootstrapOptions = []string{
	"--use-max-pods", "--b64-cluster-ca", "--apiserver-endpoint", "--kubelet-extra-args", "--enable-docker-bridge",
	"--aws-api-retry-attempts", "--docker-config-json", "--containerd-config-file", "--pause-container-account",
	"--pause-container-version", "--dns-cluster-ip", "--container-runtime", "--ip-family", "--service-ipv4-cidr",
	"--service-ipv6-cidr", "--enable-local-outpost", "--cluster-id", "--mount-bpf-fs", "--local-disks",
}

// bootstrap is bootstrap.sh of amazon-eks-ami, as it was until Amazon Linux 2 left it.
func bootstrap(arguments []string) (Config, []string, error) {
	lines := []string{bootstrapLine("INFO: starting...")}
	options := map[string]string{}
	var positional []string
	for i := 0; i < len(arguments); i++ {
		word := arguments[i]
		if !slices.Contains(bootstrapOptions, word) {
			positional = append(positional, word)
			continue
		}
		if i+1 == len(arguments) {
			err := fmt.Errorf("%s: $2: unbound variable", bootstrapScript)
			return Config{}, append(lines, err.Error()), err
		}
		i++
		options[word] = arguments[i]
		lines = append(lines, bootstrapLine(fmt.Sprintf("INFO: %s='%s'", word, arguments[i])))
	}
	fails := func(text string) (Config, []string, error) {
		return Config{}, append(lines, bootstrapLine("ERROR: "+text)), sentence(text)
	}
	runtime, family := options["--container-runtime"], strings.ToLower(options["--ip-family"])
	switch {
	case runtime != "" && runtime != "containerd":
		return fails("containerd is the only supported container runtime as of Kubernetes version 1.24")
	case len(positional) == 0 || positional[0] == "":
		return fails("cluster name is not defined!")
	case family != "" && family != "ipv4" && family != "ipv6":
		return fails("Invalid --ip-family. Only ipv4 or ipv6 are allowed")
	case options["--service-ipv6-cidr"] != "" && family == "ipv4":
		return fails("--ip-family should be ipv6 when --service-ipv6-cidr is specified")
	case family == "ipv6" && options["--service-ipv6-cidr"] == "" && options["--dns-cluster-ip"] == "":
		return fails("One of --service-ipv6-cidr or --dns-cluster-ip must be provided when --ip-family is ipv6")
	}
	c := Config{
		ClusterName: positional[0], Endpoint: options["--apiserver-endpoint"], LocalDisks: options["--local-disks"],
		ServiceCIDR: options["--service-ipv4-cidr"] + options["--service-ipv6-cidr"],
	}
	if options["--b64-cluster-ca"] == "" || c.Endpoint == "" {
		c.NeedsDescribe, c.Endpoint = true, ""
		lines = append(lines, bootstrapLine("INFO: --b64-cluster-ca or --apiserver-endpoint is not defined, describing cluster..."))
	} else if ca, err := base64.StdEncoding.DecodeString(options["--b64-cluster-ca"]); err != nil {
		return Config{}, append(lines, "base64: invalid input"), sentence("base64: invalid input")
	} else {
		c.CA = ca
	}
	if dns := options["--dns-cluster-ip"]; dns != "" {
		c.ClusterDNS = strings.Split(dns, ",")
	}
	if options["--use-max-pods"] == "false" {
		c.MaxPods = kubeletsMaxPods
	}
	if extra := options["--kubelet-extra-args"]; extra != "" {
		if err := c.setFlags([]string{extra}); err != nil {
			return Config{}, append(lines, "kubelet: "+err.Error()), err
		}
	}
	return c, append(lines, bootstrapLine("INFO: complete!")), nil
}

// kubeletsMaxPods is what a kubelet takes if nobody says how many pods.
const kubeletsMaxPods = 110

func bootstrapLine(text string) string { return "[eks-bootstrap] " + text }

// bootstrapText is the script by which EKS makes an Amazon Linux 2 instance of a managed node group a node.
func bootstrapText(c Config) string {
	text := "#!/bin/bash\nset -ex\nB64_CLUSTER_CA=" + encodeCA(c.CA) + "\nAPI_SERVER_URL=" + c.Endpoint + "\n"
	if dns := c.DNS(); len(dns) > 0 {
		text += "K8S_CLUSTER_DNS_IP=" + dns[0] + "\n"
	}
	text += bootstrapScript + " " + c.ClusterName + " --kubelet-extra-args '" + strings.Join(kubeletFlags(c), " ") + "' " +
		"--b64-cluster-ca $B64_CLUSTER_CA --apiserver-endpoint $API_SERVER_URL"
	if len(c.DNS()) > 0 {
		text += " --dns-cluster-ip $K8S_CLUSTER_DNS_IP"
	}
	if c.MaxPods > 0 {
		text += " --use-max-pods false"
	}
	return text + "\n"
}

// kubeletFlags are those that EKS gives to the kubelets of managed node groups.
func kubeletFlags(c Config) []string {
	flags := registrationFlags(c)
	if c.MaxPods > 0 {
		flags = append(flags, "--max-pods="+strconv.Itoa(c.MaxPods))
	}
	return flags
}

package machines

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"tripod/iam"
	"tripod/internal/version"
	"tripod/nodes/boot"
	"tripod/nodes/image"
	"tripod/region"
	"tripod/state"
)

// boot is what an instance makes of its user data at its start.
func (h *Host) boot(tx *state.Txn, v region.Instance, now time.Time) region.Boot {
	made := region.Boot{At: now}
	config, lines, err := Read(v)
	made.Lines = lines
	switch {
	case err != nil:
		made.Trouble, made.TroubledAt = err.Error(), now
		return made
	case config.ClusterName == "" && config.Endpoint == "":
		return made // nobody's node
	}
	cluster, found := clusterOf(tx, config)
	if !found {
		made.Trouble, made.TroubledAt = nowhere(config), now
		return made
	}
	made.ClusterID, made.Cluster = cluster.ID, cluster.Name
	made.Version = kubeletOf(v.Launch.ImageID, cluster.Version)
	return made
}

// Read is what the user data of an instance say to its image.
func Read(v region.Instance) (boot.Config, []string, error) {
	data, err := base64.StdEncoding.DecodeString(v.Launch.UserData)
	if err != nil {
		data = []byte(v.Launch.UserData)
	}
	family := familyOf(v.Launch.ImageID, data)
	if len(bytes.TrimSpace(data)) == 0 || family == "" {
		return boot.Config{}, nil, nil
	}
	return boot.Parse(data, family)
}

// familyOf is the family of an image; of one that is not in the catalogue, as of users' own, what the user data are
// written for.
func familyOf(imageID string, data []byte) boot.Family {
	if known, found := image.Find(imageID); found && known.Family != "" {
		return known.Family
	}
	switch text := string(data); {
	case strings.Contains(text, "node.eks.aws"):
		return boot.AL2023
	case strings.Contains(text, "/etc/eks/bootstrap.sh"):
		return boot.AL2
	case strings.Contains(text, "settings.kubernetes"):
		return boot.Bottlerocket
	}
	return ""
}

// kubeletOf is the version that an image's kubelet tells; that of the cluster's where the image is not in the catalogue.
func kubeletOf(imageID, minor string) string {
	known, found := image.Find(imageID)
	if found && known.Kubernetes != "" {
		minor = known.Kubernetes
	}
	build, _ := version.FindKubernetes(minor)
	_, suffix, _ := strings.Cut(build.Build, "-")
	if found && known.Kubelet != "" {
		return "v" + known.Kubelet + "-" + suffix
	}
	return build.Build
}

// clusterOf is the cluster that user data lead to: by its endpoint, or where they have none by its name.
func clusterOf(tx *state.Txn, config boot.Config) (region.Cluster, bool) {
	if config.NeedsDescribe || config.Endpoint == "" {
		return region.ClusterNamed(tx, config.ClusterName)
	}
	for _, c := range region.Clusters.List(tx) {
		if c.Runs() && slices.Contains(endpoints(c), strings.TrimRight(config.Endpoint, "/")) {
			return c, true
		}
	}
	return region.Cluster{}, false
}

// endpoints are the URLs of a cluster's endpoint.
func endpoints(c region.Cluster) []string {
	return []string{fmt.Sprintf("https://127.0.0.1:%d", c.EndpointPort), fmt.Sprintf("https://localhost:%d", c.EndpointPort)}
}

// nowhere is what a kubelet says whose endpoint is none.
func nowhere(config boot.Config) string {
	if config.Endpoint == "" {
		return fmt.Sprintf("An error occurred (ResourceNotFoundException) when calling the DescribeCluster operation: "+
			"No cluster found for name: %s.", config.ClusterName)
	}
	at, err := url.Parse(config.Endpoint)
	if err != nil || at.Hostname() == "" {
		return fmt.Sprintf("invalid configuration: host must be a URL or a host:port pair: %q", config.Endpoint)
	}
	why := fmt.Sprintf("dial tcp: lookup %s: no such host", at.Hostname())
	if _, err := netip.ParseAddr(at.Hostname()); err == nil {
		why = fmt.Sprintf("dial tcp %s: connect: connection refused", at.Host)
	}
	return unable(config.Endpoint, why)
}

// unable is a kubelet's sentence about a request to register that got no answer.
func unable(endpoint, why string) string {
	return fmt.Sprintf("Unable to register node with API server: Post \"%s/api/v1/nodes\": %s",
		strings.TrimRight(endpoint, "/"), why)
}

// Obstacle is why an instance that is to be a node of the cluster cannot even ask to be one, in the words of its log:
// it has no credentials, its subnet does not reach the endpoint, or it trusts others than the cluster's authority. Empty:
// it can.
func (h *Host) Obstacle(tx *state.Txn, v region.Instance, config boot.Config, cluster region.Cluster) string {
	profile, found := region.InstanceProfiles.Get(tx, v.Launch.Profile)
	if !found || profile.Role == "" {
		return "Unable to register node with API server: getting credentials: no EC2 IMDS role found, operation error " +
			"ec2imds: GetMetadata, http response error StatusCode: 404"
	}
	if config.NeedsDescribe {
		if why := h.mayDescribe(tx, v, profile.Role, cluster); why != "" {
			return why
		}
	}
	endpoint := config.Endpoint
	if endpoint == "" {
		endpoint = endpoints(cluster)[0]
	}
	if !h.Reaches(tx, v.VPCID, v.SubnetID, v.PublicIP, cluster) || !h.comesIn(tx, v, cluster) {
		at, _ := url.Parse(endpoint)
		return unable(endpoint, fmt.Sprintf("dial tcp %s: i/o timeout", net.JoinHostPort(at.Hostname(), at.Port())))
	}
	if len(config.CA) > 0 && !trusts(config.CA, cluster) {
		return unable(endpoint, "tls: failed to verify certificate: x509: certificate signed by unknown authority")
	}
	return ""
}

// Reaches says whether packets from a subnet come to the cluster's endpoint: inside its VPC where the endpoint is private
// too, else by the internet from an address that publicAccessCidrs let in. publicIP is the machine's own, if it has one.
func (h *Host) Reaches(tx *state.Txn, vpcID, subnetID, publicIP string, cluster region.Cluster) bool {
	access := cluster.EndpointAccess()
	if access.Private && h.Network.IsInVPC(tx, cluster.ID, vpcID) {
		return true
	}
	reach, err := h.Network.SubnetReaches(tx, subnetID, publicIP)
	if err != nil || !access.Public || !reach.Internet {
		return false
	}
	from, err := netip.ParseAddr(reach.Source)
	return slices.ContainsFunc(access.PublicCIDRs, func(cidr string) bool {
		block, wrong := netip.ParsePrefix(cidr)
		return err == nil && wrong == nil && block.Contains(from)
	})
}

// comesIn says whether the VPC's rules let an instance come to the private endpoint: where there is one, its name leads there.
func (h *Host) comesIn(tx *state.Txn, v region.Instance, cluster region.Cluster) bool {
	if !cluster.EndpointAccess().Private || !h.Network.IsInVPC(tx, cluster.ID, v.VPCID) {
		return true
	}
	return h.Network.ReachesControlPlane(tx, cluster.ID, v) == nil
}

// trusts says whether one of the cluster's authorities is among those in PEM.
func trusts(bundle []byte, cluster region.Cluster) bool {
	for rest := bundle; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return false
		}
		for _, a := range cluster.CertificateAuthorities() {
			if own, _ := pem.Decode([]byte(a.Cert)); own != nil && bytes.Equal(own.Bytes, block.Bytes) {
				return true
			}
		}
	}
}

// mayDescribe is what bootstrap.sh tells where it has to ask for the cluster and its role may not; empty: it may.
func (h *Host) mayDescribe(tx *state.Txn, v region.Instance, role string, cluster region.Cluster) string {
	held, _ := region.Roles.Get(tx, role)
	who, _ := iam.PrincipalOf(tx, held.ARN)
	vpc := h.Network.VPC
	arn := "arn:aws:eks:" + vpc.Region + ":" + vpc.AccountID + ":cluster/" + cluster.Name
	decision, reason := who.Evaluate("eks:DescribeCluster", arn, iam.Keys{"aws:requestedregion": {vpc.Region}})
	if decision == iam.Allowed {
		return ""
	}
	return fmt.Sprintf("An error occurred (AccessDeniedException) when calling the DescribeCluster operation: User: "+
		"arn:aws:sts::%s:assumed-role/%s/%s is not authorized to perform: eks:DescribeCluster on resource: %s %s", vpc.AccountID, role,
		v.ID, arn, reason)
}

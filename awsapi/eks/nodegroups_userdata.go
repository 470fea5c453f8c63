package eks

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/ec2"
	"tripod/internal/instancetypes"
	"tripod/nodes/boot"
	"tripod/nodes/image"
	"tripod/region"
)

// issueError is what makes a node group's creation or update fail, as an issue of its health.
type issueError struct {
	code    types.NodegroupIssueCode
	message string
}

func (e *issueError) Error() string { return string(e.code) + ": " + e.message }

// nodeUserData is what EKS has a node group's instances start with, in base64: its own, with the user's of the launch
// template (given, in base64) in it.
func (s *Service) nodeUserData(cluster region.Cluster, g region.Nodegroup, imageID, given string) (string, error) {
	family, _, _ := image.FamilyOf(imageID)
	if family == boot.Windows { // no node is made of one here: its own user data stay
		return given, nil
	}
	user, err := base64.StdEncoding.DecodeString(given)
	if err != nil {
		user = []byte(given)
	}
	config := boot.Config{
		ClusterName: cluster.Name, Endpoint: "https://127.0.0.1:" + strconv.Itoa(cluster.EndpointPort),
		CA: []byte(cluster.BundleOf(cluster.Components)), ServiceCIDR: cluster.ServiceCIDR,
		Labels: nodeLabels(g, imageID), MaxPods: maxPodsOf(g.Work.Types),
	}
	for _, t := range nodeTaints(g.Taints) {
		config.Taints = append(config.Taints, boot.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
	}
	merged, err := boot.MergeManaged(user, config, family)
	if err != nil {
		code, message, found := strings.Cut(err.Error(), ": ")
		if !found {
			code, message = string(types.NodegroupIssueCodeEc2LaunchTemplateInvalidConfiguration), err.Error()
		}
		return "", &issueError{types.NodegroupIssueCode(code), message}
	}
	return base64.StdEncoding.EncodeToString([]byte(merged)), nil
}

// maxPodsOf is how many pods a node has at most, whichever of the types it is of; 0: the type is not known.
func maxPodsOf(names []string) (most int) {
	for _, name := range names {
		t, known := instancetypes.Find(name)
		if !known {
			return 0
		}
		if n := t.ManagedMaxPods(); most == 0 || n < most {
			most = n
		}
	}
	return most
}

// issueFor is the issue of a node group for which EKS could not make what it needs; false: the error is another one.
func issueFor(err error) (types.Issue, bool) {
	var told *issueError
	if errors.As(err, &told) {
		return issueOf(told.code, told.message), true
	}
	words := ec2.Words(err)
	return issueOf(types.NodegroupIssueCodeEc2LaunchTemplateInvalidConfiguration, words), words != ""
}

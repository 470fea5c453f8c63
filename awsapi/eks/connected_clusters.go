package eks

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

// activationLife is how long an activation code is good for: EKS Connector's 3 days.
const activationLife = 72 * time.Hour

// connectedCluster is a Kubernetes cluster elsewhere, registered for EKS Connector. No agent can connect here: it stays
// PENDING.
type connectedCluster struct {
	Name      string                        `json:"name"`
	ARN       string                        `json:"arn"`
	CreatedAt time.Time                     `json:"createdAt"`
	Connector types.ConnectorConfigResponse `json:"connector"`
	Tags      map[string]string             `json:"tags,omitempty"`
}

var connectedClusters = shelf[connectedCluster]{
	kind: "cluster", table: state.NewTable[connectedCluster]("connected-cluster"),
	label: func(c *connectedCluster) label { return label{"", c.Name, c.ARN, &c.Tags} },
}

// connectedNames are the names of registered clusters, which ListClusters gives with include=all.
func connectedNames(tx *state.Txn) []string { return connectedClusters.names(tx, "") }

// describeConnected is a registered cluster as DescribeCluster shows it: without its activation code, which EKS tells
// once.
func describeConnected(tx *state.Txn, name string) (*types.Cluster, bool) {
	if name == "" {
		return nil, false
	}
	found, ok := connectedClusters.get(tx, "", name)
	if !ok {
		return nil, false
	}
	found.Connector.ActivationCode = nil
	return found.shown(), true
}

func (c connectedCluster) shown() *types.Cluster {
	return &types.Cluster{
		Name: aws.String(c.Name), Arn: aws.String(c.ARN), CreatedAt: aws.Time(c.CreatedAt),
		Status:          types.ClusterStatusPending,
		ConnectorConfig: &c.Connector, Tags: mergeTags(c.Tags, nil),
	}
}

func (s *Service) registerCluster(call *operation.Call, in *eks.RegisterClusterInput) (*eks.RegisterClusterOutput,
	error) {
	name := aws.ToString(in.Name)
	// The activation is what a real agent would hand to Systems Manager: a UUID and 20 characters.
	code := rand.Text()[:20]
	return changeAccount(s, call, s.clusterARN(name), in.ClientRequestToken, in,
		func(c change) (*eks.RegisterClusterOutput, string, error) {
			a := about{cluster: name}
			if wrong := wrongName("name", name, 100); wrong != "" {
				return nil, "", a.invalidParameter("%s", wrong)
			}
			_, registered := connectedClusters.get(c.tx, "", name)
			if _, err := clusterNamed(c.tx, name); err == nil || registered {
				return nil, "", a.inUse("Cluster already exists with name: %s.", name)
			}
			config := in.ConnectorConfig
			if config == nil || !roleARN.MatchString(aws.ToString(config.RoleArn)) ||
				!slices.Contains(config.Provider.Values(), config.Provider) {
				return nil, "", a.invalidParameter("connectorConfig needs the roleArn of an IAM role and a provider of %v.",
					types.ConnectorConfigProvider("").Values())
			}
			if err := s.existingRole(c, a, *config.RoleArn); err != nil {
				return nil, "", err
			}
			tags, err := a.newTags(in.Tags)
			if err != nil {
				return nil, "", err
			}
			made := connectedCluster{Name: name, ARN: s.clusterARN(name), CreatedAt: c.now, Tags: tags,
				Connector: types.ConnectorConfigResponse{
					ActivationId: aws.String(c.id), ActivationExpiry: aws.Time(c.now.Add(activationLife)),
					Provider: aws.String(string(config.Provider)), RoleArn: config.RoleArn,
				}}
			connectedClusters.put(c.tx, made)
			made.Connector.ActivationCode = aws.String(code)
			return &eks.RegisterClusterOutput{Cluster: made.shown()}, made.ARN, nil
		})
}

func (s *Service) deregisterCluster(call *operation.Call,
	in *eks.DeregisterClusterInput) (*eks.DeregisterClusterOutput, error) {
	name := aws.ToString(in.Name)
	return changeAccount(s, call, s.clusterARN(name), nil, in,
		func(c change) (*eks.DeregisterClusterOutput, string, error) {
			shown, found := describeConnected(c.tx, name)
			if !found {
				a := about{cluster: name}
				if _, err := clusterNamed(c.tx, name); err == nil {
					return nil, "", a.notFound("The cluster %s is not a connected one: delete it with DeleteCluster.", name)
				}
				return nil, "", a.notFound("No cluster found for name: %s.", name)
			}
			connectedClusters.delete(c.tx, "", name)
			shown.Status = types.ClusterStatusDeleting
			return &eks.DeregisterClusterOutput{Cluster: shown}, "", nil
		})
}

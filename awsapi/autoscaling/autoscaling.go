// Package autoscaling is Amazon EC2 Auto Scaling (API version 2011-01-01) as far as it can be read: the group of each
// cluster's simulated nodes, as EKS makes one for a managed node group. Nothing scales: what would change a group is
// refused as an operation that Tripod does not have.
package autoscaling

import (
	_ "embed"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "autoscaling"

//go:embed operations.txt
var operationNames string // of all of the API's operations

// Service answers Auto Scaling's calls from a zone's copy of the regional state.
type Service struct {
	State state.Viewer
	// Network is EC2, which knows the nodes and the VPC they are in.
	Network *ec2.Service
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := s.API()
	return operation.Service{
		Title: "Auto Scaling", Name: Name, Protocol: wire.Query, APIs: []operation.API{api},
		Documented: operation.DocumentBy(api.Names(), []operation.Clause{
			{Words: []string{"LaunchConfigurations", "Activities"}, State: operation.Works,
				Effect: "none: nothing scales here"},
			{Words: []string{""}, State: operation.Works,
				Effect: "a group for each cluster's simulated nodes, as EKS makes for a managed node group"},
		}),
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.Query, Name: Name, Version: "2011-01-01",
		Namespace:  "http://autoscaling.amazonaws.com/doc/2011-01-01/",
		Operations: strings.Fields(operationNames),
		Actions: map[string]operation.Action{
			"DescribeAutoScalingGroups":    operation.QueryOf(Name, s.describeGroups),
			"DescribeAutoScalingInstances": operation.QueryOf(Name, s.describeInstances),
			"DescribeLaunchConfigurations": operation.QueryOf(Name, describeLaunchConfigurations),
			"DescribeScalingActivities":    operation.QueryOf(Name, s.describeActivities),
			"DescribeTags":                 operation.QueryOf(Name, s.describeTags),
		},
	}
}

func invalid(format string, args ...any) error {
	return &wire.Error{Code: "ValidationError", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// group is a cluster's nodes as an Auto Scaling group.
type group struct {
	name, arn string
	nodes     []ec2.Node
}

// groups are those of all clusters that have nodes, in the order of their names.
func (s *Service) groups() (all []group, err error) {
	vpc := s.Network.VPC
	err = s.State.View(func(tx *state.Txn) error {
		byCluster := map[string]*group{}
		for _, node := range s.Network.Nodes(tx) {
			g := byCluster[node.ClusterID]
			if g == nil {
				id := strings.ToLower(node.ClusterID)
				uuid := fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
				g = &group{name: "eks-" + ec2.NodeGroup + "-" + uuid}
				g.arn = fmt.Sprintf("arn:aws:autoscaling:%s:%s:autoScalingGroup:%s:autoScalingGroupName/%s", vpc.Region,
					vpc.AccountID, uuid, g.name)
				byCluster[node.ClusterID] = g
			}
			g.nodes = append(g.nodes, node)
		}
		all = nil
		for _, id := range slices.Sorted(maps.Keys(byCluster)) {
			all = append(all, *byCluster[id])
		}
		return nil
	})
	return all, err
}

// tags are a group's as EKS and cluster-autoscaler know them; each goes on to new instances.
func (g group) tags() (all wire.QueryList[tag]) {
	for _, t := range g.nodes[0].Tags() {
		if t.Key != "Name" {
			all = append(all, tag{g.name, "auto-scaling-group", t.Key, t.Value, true})
		}
	}
	return all
}

// stamp is a time as Auto Scaling writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

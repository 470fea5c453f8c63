package fis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/fis/types"

	"tripod/region"
	"tripod/state"
)

// resource is something that a target can be.
type resource struct {
	arn        string
	tags       map[string]string
	attributes map[string]string // by the paths of filters
	// about is what is told of it beside its ARN, and what its action needs.
	about map[string]string
}

// What is told of resolved targets.
const (
	aboutARN       = "arn"
	aboutCluster   = "clusterId"
	aboutNamespace = "namespace"
	aboutPod       = "podName"
	aboutUID       = "podUid"
	aboutType      = "managedResourceType"
	aboutID        = "shiftId"
)

// candidates are all resources of a type.
func (s *Service) candidates(tx *state.Txn, kind string) (all []resource) {
	arn := func(service, name string) string {
		return "arn:aws:" + service + ":" + s.Region + ":" + s.AccountID + ":" + name
	}
	switch kind {
	case instanceType, spotType:
		for _, v := range region.Instances.List(tx) {
			if v.State == region.InstanceTerminated || kind == spotType && !v.Launch.Spot {
				continue
			}
			all = append(all, resource{arn: arn("ec2", "instance/"+v.ID), tags: s.Network.TagsOf(tx, v.ID),
				attributes: map[string]string{"State.Name": string(v.State), "Placement.AvailabilityZone": v.Zone, "VpcId": v.VPCID,
					"SubnetId": v.SubnetID, "InstanceType": v.Launch.Type, "InstanceId": v.ID, "ImageId": v.Launch.ImageID,
					"PrivateIpAddress": v.Address, "PrivateDnsName": v.DNSName}})
		}
	case nodegroupType:
		for _, g := range region.Nodegroups.List(tx) {
			all = append(all, resource{arn: aws.ToString(g.NodegroupArn), tags: g.Tags, attributes: map[string]string{
				"ClusterName": aws.ToString(g.ClusterName), "NodegroupName": aws.ToString(g.NodegroupName), "Status": string(g.Status),
				"CapacityType": string(g.CapacityType)}})
		}
	case roleType:
		for _, role := range region.Roles.List(tx) {
			all = append(all, resource{arn: role.ARN, tags: role.Tags, attributes: map[string]string{"RoleName": role.Name, "Path": role.Path}})
		}
	case subnetType:
		all = s.subnetCandidates(tx)
	case managedType:
		for _, one := range s.Shiftable(tx) {
			all = append(all, resource{arn: one.ARN, tags: s.tagsOfShiftable(tx, one),
				about: map[string]string{aboutType: one.Type, aboutID: one.ID}})
		}
	}
	return all
}

// tagsOfShiftable are the tags of what can be shifted.
func (s *Service) tagsOfShiftable(tx *state.Txn, one Shiftable) map[string]string {
	if cluster, found := region.Clusters.Get(tx, one.ID); found {
		return cluster.Tags
	}
	for _, group := range region.AutoScalingGroups.List(tx) {
		if group.ARN == one.ARN {
			tags := map[string]string{}
			for _, t := range group.Tags {
				tags[t.Key] = t.Value
			}
			return tags
		}
	}
	if balancer, found := region.LoadBalancers.Get(tx, one.ARN); found {
		return balancer.Tags
	}
	return nil
}

// resolve finds what a target is now, in an order of chance where not all are taken. pods are those of its parameters. The
// error is a sentence for the experiment's state.
func (s *Service) resolve(tx *state.Txn, t types.ExperimentTarget, pods []Pod) (found []resource, err error) {
	kind := aws.ToString(t.ResourceType)
	if kind == podType {
		for _, pod := range pods {
			found = append(found, resource{about: map[string]string{aboutCluster: pod.ClusterID, aboutNamespace: pod.Namespace,
				aboutPod: pod.Name, aboutUID: pod.UID}, attributes: map[string]string{"zone": pod.Zone}})
		}
		if zone := t.Parameters["availabilityZoneIdentifier"]; zone != "" {
			found = slices.DeleteFunc(found, func(r resource) bool { return r.attributes["zone"] != s.zoneOf(zone) })
		}
	} else {
		all := s.candidates(tx, kind)
		for _, arn := range t.ResourceArns {
			at := slices.IndexFunc(all, func(r resource) bool { return r.arn == arn })
			if at < 0 {
				return nil, fmt.Errorf("the resource %s was not found", arn)
			}
			found = append(found, all[at])
		}
		if len(t.ResourceArns) == 0 {
			found = slices.DeleteFunc(all, func(r resource) bool { return !matches(r, t) })
		}
		if kind == subnetType {
			found = slices.DeleteFunc(found, func(r resource) bool { return s.outside(r, t.Parameters) })
		}
	}
	return selected(found, aws.ToString(t.SelectionMode)), nil
}

// matches says whether a resource has a target's tags, and fits its filters: of a filter's values one is enough.
func matches(r resource, t types.ExperimentTarget) bool {
	for key, value := range t.ResourceTags {
		if has, found := r.tags[key]; !found || has != value {
			return false
		}
	}
	for _, filter := range t.Filters {
		if !slices.Contains(filter.Values, r.attributes[aws.ToString(filter.Path)]) {
			return false
		}
	}
	return true
}

// selected are those of the resources that a selection mode takes.
func selected(all []resource, mode string) []resource {
	name, number, _ := strings.Cut(strings.TrimSuffix(mode, ")"), "(")
	most := len(all)
	switch name {
	case "COUNT":
		most = 0
		fmt.Sscan(number, &most)
	case "PERCENT":
		most = percentOf(len(all), number)
	default:
		return all
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(most, len(all))]
}

// shownTargets are resolved targets as FIS tells of them.
func shownTargets(name, kind string, found []resource) (shown []types.ResolvedTarget) {
	for _, r := range found {
		about := map[string]string{}
		for key, value := range r.about {
			about[key] = value
		}
		if r.arn != "" {
			about[aboutARN] = r.arn
		}
		shown = append(shown, types.ResolvedTarget{ResourceType: aws.String(kind), TargetName: aws.String(name), TargetInformation: about})
	}
	return shown
}

// findPods finds the pods that an experiment's targets are, by the targets' names: no transaction can.
func (s *Service) findPods(ctx context.Context, e experiment) (found map[string][]Pod, err error) {
	found = map[string][]Pod{}
	for _, name := range sortedNames(e.Targets) {
		t := e.Targets[name]
		if aws.ToString(t.ResourceType) != podType {
			continue
		}
		id := ""
		s.State.View(func(tx *state.Txn) error {
			given := t.Parameters["clusterIdentifier"]
			for _, cluster := range region.Clusters.List(tx) {
				if cluster.Name == given || strings.HasSuffix(given, ":cluster/"+cluster.Name) {
					id = cluster.ID
				}
			}
			return nil
		})
		if id == "" {
			return nil, fmt.Errorf("the cluster %s was not found", t.Parameters["clusterIdentifier"])
		}
		if found[name], err = s.Pods.Find(ctx, id, t.Parameters["namespace"], t.Parameters["selectorType"],
			t.Parameters["selectorValue"]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

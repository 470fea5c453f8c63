package ec2

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

const maxTags = 50

// tag is one tag of a resource.
type tag struct {
	Key   string `ec2:"Key,required" xml:"key" json:"key"`
	Value string `ec2:"Value" xml:"value" json:"value"`
}

// tagSpecification are the tags that a creation gives to what it makes.
type tagSpecification struct {
	ResourceType string `ec2:"ResourceType,required"`
	Tags         []tag  `ec2:"Tag"`
}

// tags are the tags of every resource by its id, sorted by key.
var tags = state.NewTable[[]tag]("ec2-tags")

// tagsOf are a resource's tags: those that come with the region have some until calls change them.
func (s *Service) tagsOf(tx *state.Txn, id string) list[tag] {
	stored, found := tags.Get(tx, id)
	if !found {
		return s.defaultTags(tx, id)
	}
	return stored
}

// defaultTags are those of the default network, by which the load balancer controller finds its subnets.
func (s *Service) defaultTags(tx *state.Txn, id string) list[tag] {
	for i, zone := range s.VPC.Zones {
		switch id {
		case s.VPC.SubnetIDs()[i]:
			return list[tag]{{"Name", "default-private-" + zone}, {"kubernetes.io/role/internal-elb", "1"}}
		case s.VPC.PublicSubnetIDs()[i]:
			return list[tag]{{"Name", "default-public-" + zone}, {"kubernetes.io/role/elb", "1"}}
		}
	}
	if strings.HasPrefix(id, "sg-") {
		for _, c := range s.clusters(tx) {
			if id == s.VPC.ClusterSecurityGroupID(c.ID) {
				return list[tag]{{"Name", clusterGroupName(c)}, {"kubernetes.io/cluster/" + c.Name, "owned"}}
			}
		}
	}
	if id == s.VPC.ID() {
		return list[tag]{{"Name", "default"}}
	}
	return nil
}

// newTags are the tags that a creation gives to a resource of that type.
func newTags(specifications []tagSpecification, resourceType string) ([]tag, error) {
	var given []tag
	for _, specification := range specifications {
		if specification.ResourceType != resourceType {
			return nil, refuse("InvalidParameterValue", "'%s' is not a valid taggable resource type for this "+
				"operation: use %s.", clip(specification.ResourceType), resourceType)
		}
		given = append(given, specification.Tags...)
	}
	return mergeTags(nil, given, false)
}

// launchTaggable says whether a launch gives tags to resources of that type.
func launchTaggable(resourceType string) error {
	switch resourceType {
	case "instance", "volume", "network-interface", "spot-instances-request":
		return nil
	}
	return refuse("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation: use instance, "+
		"volume, network-interface or spot-instances-request.", clip(resourceType))
}

// awsTags is how many of the tags AWS's own services have given: these do not count.
func awsTags(all []tag) (n int) {
	for _, t := range all {
		if strings.HasPrefix(t.Key, "aws:") {
			n++
		}
	}
	return n
}

// isReserved says whether a tag is one of AWS's own, which nobody but a service may change.
func isReserved(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }

// marks says whether a call is a service's that changes its own tags, and nothing else: that is no matter of the policies of
// the role by which it calls.
func marks(call *operation.Call) bool {
	if call.Principal.Service == "" || call.Operation != "CreateTags" && call.Operation != "DeleteTags" {
		return false
	}
	some := false
	for name, values := range call.Params {
		if !tagKey.MatchString(name) {
			continue
		}
		if some = true; !isReserved(values[0]) {
			return false
		}
	}
	return some
}

var tagKey = regexp.MustCompile(`^Tag\.\d+\.Key$`)

// mergeTags puts changed tags over those there are. A service may change reserved ones, too.
func mergeTags(present, changed []tag, service bool) ([]tag, error) {
	merged := slices.Clone(present)
	for i, t := range changed {
		switch {
		case isReserved(t.Key) && !service:
			return nil, refuse("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
		case len([]rune(t.Key)) > 127:
			return nil, refuse("InvalidParameterValue", "Tag key exceeds the maximum length of 127 characters")
		case len([]rune(t.Value)) > 255:
			return nil, refuse("InvalidParameterValue", "Tag value exceeds the maximum length of 255 characters")
		case slices.ContainsFunc(changed[:i], func(other tag) bool { return other.Key == t.Key }):
			return nil, refuse("InvalidParameterValue", "Duplicate tag key '%s' specified.", t.Key)
		}
		merged = append(slices.DeleteFunc(merged, func(other tag) bool { return other.Key == t.Key }), t)
	}
	if len(merged)-awsTags(merged) > maxTags {
		return nil, refuse("TagLimitExceeded", "The maximum number of tags per resource is %d.", maxTags)
	}
	slices.SortFunc(merged, func(a, b tag) int { return cmp.Compare(a.Key, b.Key) })
	return merged, nil
}

// taggable are the ids of all resources there are, with their types as DescribeTags names them.
func (s *Service) taggable(tx *state.Txn) map[string]string {
	types := map[string]string{}
	for _, v := range vpcs.all(s, tx) {
		types[v.VPCID] = "vpc"
	}
	for _, v := range subnets.all(s, tx) {
		types[v.SubnetID] = "subnet"
	}
	for _, v := range groups.all(s, tx) {
		types[v.GroupID] = "security-group"
		for _, r := range v.Rules {
			types[r.ID] = "security-group-rule"
		}
	}
	for _, v := range routeTables.all(s, tx) {
		types[v.RouteTableID] = "route-table"
	}
	for _, v := range internetGateways.all(s, tx) {
		types[v.GatewayID] = "internet-gateway"
	}
	for _, v := range flowLogs.all(s, tx) {
		types[v.FlowLogID] = "vpc-flow-log"
	}
	for _, v := range egressGateways.all(s, tx) {
		types[v.GatewayID] = "egress-only-internet-gateway"
	}
	for _, v := range vpcEndpoints.all(s, tx) {
		types[v.EndpointID] = "vpc-endpoint"
	}
	for _, v := range natGateways.all(s, tx) {
		types[v.GatewayID] = "natgateway"
	}
	for _, v := range addresses.all(s, tx) {
		types[v.AllocationID] = "elastic-ip"
	}
	for _, v := range launchTemplates.all(s, tx) {
		types[v.TemplateID] = "launch-template"
	}
	for _, v := range networkACLs.all(s, tx) {
		types[v.ACLID] = "network-acl"
	}
	for _, v := range dhcpOptionSets.all(s, tx) {
		types[v.OptionsID] = "dhcp-options"
	}
	for _, v := range keyPairs.all(s, tx) {
		types[v.KeyPairID] = "key-pair"
	}
	for _, v := range interfaces.all(s, tx) {
		types[v.InterfaceID] = "network-interface"
	}
	for _, v := range region.Instances.List(tx) {
		types[v.ID] = "instance"
	}
	for _, e := range userImages.List(tx) {
		types[e.Value.ImageID] = "image"
	}
	for _, e := range fleets.table.List(tx) {
		types[e.Value.FleetID] = "fleet"
	}
	for _, e := range spotRequests.table.List(tx) {
		types[e.Value.RequestID] = "spot-instances-request"
	}
	for _, v := range s.volumeRecords(tx) {
		types[v.ID] = "volume"
	}
	for _, v := range snapshots.all(s, tx) {
		types[v.SnapshotID] = "snapshot"
	}
	return types
}

// idForm is the form of ids, as far as they are told from other texts.
var idForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)*-[0-9a-f-]+$`)

// typesOf are the types of the resources among the texts that are ids. Instances and volumes, which there are many of, are
// looked up one by one.
func (s *Service) typesOf(tx *state.Txn, texts []string) map[string]string {
	types, others := map[string]string{}, []string{}
	for _, id := range texts {
		switch {
		case strings.HasPrefix(id, "i-"):
			if _, found := region.Instances.Get(tx, id); found {
				types[id] = "instance"
			}
		case strings.HasPrefix(id, volumes.prefix+"-"):
			if len(s.volumesNamed(tx, []string{id})) > 0 {
				types[id] = "volume"
			}
		case strings.HasPrefix(id, snapshots.prefix+"-"):
			if _, err := snapshotRecord(tx, id); err == nil {
				types[id] = "snapshot"
			}
		case idForm.MatchString(id):
			others = append(others, id)
		}
	}
	if len(others) > 0 {
		all := s.taggable(tx)
		for _, id := range others {
			if kind := all[id]; kind != "" {
				types[id] = kind
			}
		}
	}
	return types
}

type createTagsInput struct {
	Resources []string `ec2:"ResourceId,required"`
	Tags      []tag    `ec2:"Tag,required"`
}

func (s *Service) createTags(call *operation.Call, in *createTagsInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		return s.retag(tx, in.Resources, func(present []tag) ([]tag, error) {
			return mergeTags(present, in.Tags, call.Principal.Service != "")
		})
	})
}

// removedTag names a tag to remove: without a value whatever it is, else only with that one.
type removedTag struct {
	Key   string  `ec2:"Key,required"`
	Value *string `ec2:"Value"`
}

type deleteTagsInput struct {
	Resources []string     `ec2:"ResourceId,required"`
	Tags      []removedTag `ec2:"Tag"`
}

func (s *Service) deleteTags(call *operation.Call, in *deleteTagsInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		return s.retag(tx, in.Resources, func(present []tag) ([]tag, error) {
			return slices.DeleteFunc(slices.Clone(present), func(t tag) bool {
				if isReserved(t.Key) && call.Principal.Service == "" {
					return false
				}
				return len(in.Tags) == 0 || slices.ContainsFunc(in.Tags, func(r removedTag) bool {
					return r.Key == t.Key && (r.Value == nil || *r.Value == t.Value)
				})
			}), nil
		})
	})
}

// retag changes the tags of resources, all or none.
func (s *Service) retag(tx *state.Txn, ids []string, edit func([]tag) ([]tag, error)) error {
	types := s.typesOf(tx, ids)
	for _, id := range ids {
		if types[id] == "" {
			if instances.check(id) == nil {
				return instances.notFound(id)
			}
			return refuse("InvalidID", "The ID '%s' is not valid", clip(id))
		}
		edited, err := edit(s.tagsOf(tx, id))
		if err != nil {
			return err
		}
		tags.Put(tx, id, edited)
	}
	return nil
}

// tagDescription is a tag as DescribeTags shows it.
type tagDescription struct {
	Key          string `xml:"key"`
	ResourceID   string `xml:"resourceId"`
	ResourceType string `xml:"resourceType"`
	Value        string `xml:"value"`
}

type describeTagsOutput struct {
	Tags      list[tagDescription] `xml:"tagSet"`
	NextToken string               `xml:"nextToken,omitempty"`
}

func (s *Service) describeTags(call *operation.Call, in *page) (*describeTagsOutput, error) {
	var all []tagDescription
	err := s.State.View(func(tx *state.Txn) error {
		for id, resourceType := range s.taggable(tx) {
			for _, t := range s.tagsOf(tx, id) {
				all = append(all, tagDescription{t.Key, id, resourceType, t.Value})
			}
		}
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	place := func(t tagDescription) string { return t.ResourceID + "/" + t.Key }
	slices.SortFunc(all, func(a, b tagDescription) int { return cmp.Compare(place(a), place(b)) })
	if all, err = matching(call.Operation, all, in.Filters,
		func(t tagDescription) []tag { return []tag{{t.Key, t.Value}} }); err != nil {
		return nil, err
	}
	out := &describeTagsOutput{}
	out.Tags, out.NextToken, err = cut(call.Operation, all, *in, nil, place)
	return out, err
}

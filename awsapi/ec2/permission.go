package ec2

import (
	"cmp"
	"crypto/rand"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// made are the types of what operations make. Who makes one needs the permission on all of the type, TYPE/*, beside
// that on what the call names.
var made = map[string]string{
	"CreateVpc": "vpc", "CreateSubnet": "subnet", "CreateSecurityGroup": "security-group",
	"CreateRouteTable":      "route-table",
	"CreateInternetGateway": "internet-gateway", "CreateNatGateway": "natgateway", "AllocateAddress": "elastic-ip",
	"CreateNetworkAcl": "network-acl", "CreateDhcpOptions": "dhcp-options",
	"CreateEgressOnlyInternetGateway": "egress-only-internet-gateway", "CreateFlowLogs": "vpc-flow-log",
	"CreateVpcEndpoint": "vpc-endpoint", "CreateKeyPair": "key-pair", "ImportKeyPair": "key-pair",
	"CreateLaunchTemplate": "launch-template", "CreateImage": "image", "CopyImage": "image", "RegisterImage": "image",
	"CreateVolume": "volume", "CreateSnapshot": "snapshot", "CreateSnapshots": "snapshot", "CopySnapshot": "snapshot",
	"CreateNetworkInterface": "network-interface",
}

var (
	// mentions are parameters whose ids a call only mentions: it needs no permission on them.
	mentions = regexp.MustCompile(`^(TagSpecification|Tag|LaunchTemplateData|IpPermissions|Filter|SecurityGroupRule\.\d+\.SecurityGroupRule)\.`)
	// targets are parameters of routes that say where they lead.
	targets = []string{"GatewayId", "NatGatewayId", "EgressOnlyInternetGatewayId", "NetworkInterfaceId", "InstanceId"}
	// taggedType is the parameter that says what gets a creation's tags.
	taggedType = regexp.MustCompile(`^TagSpecification\.\d+\.ResourceType$`)
)

// subject is a resource that a call is about: one that there is, or TYPE/* for one to be made.
type subject struct {
	arn  string
	keys iam.Keys
	new  bool
}

// permit refuses a call where the caller may not do it to each resource that it names, and to what it makes, with its
// tags.
func (s *Service) permit(call *operation.Call) error {
	if marks(call) {
		return nil
	}
	call.Keys = call.Keys.With(iam.Keys{"ec2:region": {s.VPC.Region}})
	switch call.Operation {
	case "RunInstances", "CreateFleet", "RequestSpotInstances":
		return s.permitLaunch(call)
	}
	subjects := []subject{{arn: "*"}}
	if !strings.HasPrefix(call.Operation, "Describe") {
		var err error
		if subjects, err = s.subjects(call); err != nil {
			return wrap(call, err)
		}
	}
	untagged := *call // a creation's tags are conditions on what it makes, and on nothing else
	untagged.Keys = call.Keys.Without("aws:requesttag/", "aws:tagkeys")
	for _, one := range subjects {
		asked := call
		if made[call.Operation] != "" && !one.new {
			asked = &untagged
		}
		if err := asked.Authorize(wire.EC2Query, "ec2:"+call.Operation, one.arn, one.keys); err != nil {
			return s.encode(call, err)
		}
	}
	for name, values := range call.Params {
		if !taggedType.MatchString(name) {
			continue
		}
		if err := call.Authorize(wire.EC2Query, "ec2:CreateTags", s.arn(values[0], "*"),
			iam.Keys{"ec2:createaction": {call.Operation}}); err != nil {
			return s.encode(call, err)
		}
	}
	if strings.HasSuffix(call.Operation, "IamInstanceProfile") || call.Operation == "ReplaceIamInstanceProfileAssociation" {
		return s.permitAssociation(call)
	}
	return nil
}

// subjects are what a call that changes something is about; all, where it names nothing that there is.
func (s *Service) subjects(call *operation.Call) ([]subject, error) {
	var subjects []subject
	if kind := made[call.Operation]; kind != "" {
		subjects = append(subjects, subject{arn: s.arn(kind, "*"), keys: newKeys(call), new: true})
	}
	err := s.State.View(func(tx *state.Txn) error {
		named := s.named(tx, call)
		types := s.typesOf(tx, named)
		for _, id := range named {
			if types[id] == "" {
				continue // the operation itself says so, once it is allowed
			}
			var keys iam.Keys
			if types[id] == "instance" {
				keys = s.InstanceKeys(tx, id)
			} else {
				keys = tagKeys(s.TagsOf(tx, id))
			}
			subjects = append(subjects, subject{arn: s.arn(types[id], id), keys: keys})
		}
		return nil
	})
	if len(subjects) == 0 {
		subjects = []subject{{arn: "*"}}
	}
	return subjects, err
}

// InstanceKeys are the condition keys of an instance that there is: its tags, and what it is.
func (s *Service) InstanceKeys(tx *state.Txn, id string) iam.Keys {
	v, _ := region.Instances.Get(tx, id)
	d := s.detailsOf(tx, id)
	metadata := d.Metadata.shown()
	keys := iam.Keys{"ec2:region": {s.VPC.Region}, "ec2:instanceid": {id}, "ec2:instancetype": {v.Launch.Type},
		"ec2:availabilityzone": {v.Zone}, "ec2:tenancy": {cmp.Or(d.Placement.Tenancy, "default")}, "ec2:rootdevicetype": {"ebs"},
		"ec2:instancemarkettype": {marketOf(v)}, "ec2:metadatahttptokens": {metadata.Tokens},
		"ec2:ebsoptimized":         {strconv.FormatBool(d.EBSOptimized != nil && *d.EBSOptimized)},
		"ec2:metadatahttpendpoint": {metadata.Endpoint}, "ec2:metadatahttpputresponsehoplimit": {strconv.Itoa(metadata.HopLimit)}}
	if profile, found := region.InstanceProfiles.Get(tx, v.Launch.Profile); found {
		keys["ec2:instanceprofile"] = []string{profile.ARN}
	}
	return keys.With(tagKeys(s.TagsOf(tx, id)))
}

// tagKeys are the condition keys of a resource's tags.
func tagKeys(own map[string]string) iam.Keys {
	return iam.TagKeys("aws:ResourceTag", own).With(iam.TagKeys("ec2:ResourceTag", own))
}

// newKeys are the condition keys of what a call makes, beside its tags: of a volume what it is to be.
func newKeys(call *operation.Call) iam.Keys {
	if call.Operation != "CreateVolume" {
		return nil
	}
	keys := iam.Keys{}
	for key, parameter := range map[string]string{"ec2:volumesize": "Size", "ec2:volumetype": "VolumeType", "ec2:volumeiops": "Iops",
		"ec2:encrypted": "Encrypted", "ec2:availabilityzone": "AvailabilityZone", "ec2:availabilityzoneid": "AvailabilityZoneId",
		"ec2:volumethroughput": "Throughput"} {
		if value := call.Params.Get(parameter); value != "" {
			keys[key] = []string{value}
		}
	}
	if keys["ec2:encrypted"] == nil {
		keys["ec2:encrypted"] = []string{"false"}
	}
	return keys
}

// named are the ids that a call's parameters give, and those of what they give in other ways: the launch template of a
// name, the address of a public IP address, and what an association is of.
func (s *Service) named(tx *state.Txn, call *operation.Call) []string {
	var ids []string
	for name, values := range call.Params {
		if mentions.MatchString(name) || strings.HasSuffix(call.Operation, "Route") && slices.Contains(targets, name) {
			continue
		}
		ids = append(ids, values...)
	}
	ids = append(ids, s.associated(tx, call.Params.Get("AssociationId"))...)
	if ip := call.Params.Get("PublicIp"); ip != "" && strings.HasSuffix(call.Operation, "ssociateAddress") {
		if v, err := s.addressNamed(tx, "", ip); err == nil {
			ids = append(ids, v.AllocationID)
			if holder, used := s.associationOf(tx, v.AllocationID); used && call.Operation == "DisassociateAddress" {
				ids = append(ids, holder.InterfaceID, holder.Attachment.InstanceID)
			}
		}
	}
	if name := call.Params.Get("LaunchTemplateName"); name != "" && made[call.Operation] == "" {
		for _, t := range launchTemplates.all(s, tx) {
			if t.Name == name {
				ids = append(ids, t.TemplateID)
			}
		}
	}
	slices.Sort(ids) // so that the same call always has the same error
	return slices.Compact(ids)
}

// associated are the ids of the resources that an association is of: who ends it, or has it moved, needs the permission
// on each.
func (s *Service) associated(tx *state.Txn, associationID string) []string {
	kind, _, _ := strings.Cut(associationID, "-0")
	switch kind {
	case "rtbassoc":
		if t, at, err := s.routeAssociation(tx, associationID); err == nil {
			return []string{t.RouteTableID, t.Associations[at].SubnetID, t.Associations[at].GatewayID}
		}
	case "aclassoc":
		for _, v := range subnets.all(s, tx) {
			if a := aclOf(tx, v); a.AssociationID == associationID {
				return []string{a.ACLID, a.SubnetID}
			}
		}
	case "eipassoc":
		for _, v := range interfaces.all(s, tx) {
			if v.Association != nil && v.Association.AssociationID == associationID {
				return []string{v.Association.AllocationID, v.InterfaceID, v.Attachment.InstanceID}
			}
		}
	case "vpc-cidr-assoc":
		for _, v := range vpcs.all(s, tx) {
			if slices.ContainsFunc(v.CIDRs, func(a cidrAssociation) bool { return a.AssociationID == associationID }) ||
				slices.ContainsFunc(v.CIDRs6, func(a cidr6Association) bool { return a.AssociationID == associationID }) {
				return []string{v.VPCID}
			}
		}
	case "subnet-cidr-assoc":
		for _, v := range subnets.all(s, tx) {
			if slices.ContainsFunc(v.CIDRs6, func(a subnetCIDR6) bool { return a.AssociationID == associationID }) {
				return []string{v.SubnetID}
			}
		}
	}
	return nil
}

// encode adds to the refusal of a call that changes something why it was refused, for sts decode-authorization-message.
// A region that cannot make the key for it just now refuses without.
func (s *Service) encode(call *operation.Call, refused error) error {
	var denied *operation.Denied
	if !errors.As(refused, &denied) || strings.HasPrefix(call.Operation, "Describe") {
		return refused
	}
	key, err := iam.EnsureSessionKey(call.Request.Context(), s.State, rand.Reader, s.now())
	if err != nil {
		return refused
	}
	message, err := iam.SealDenial(rand.Reader, key, denied.Denial)
	if err != nil {
		return refused
	}
	told := *denied.Refusal
	told.Message += ". Encoded authorization failure message: " + message
	return &told
}

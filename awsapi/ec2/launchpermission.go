package ec2

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// launchAsked are the launches that a call asks for, by which its permissions are asked; none where it is no launch, or
// where it cannot be read: the operation says so then.
func launchAsked(call *operation.Call) (all []LaunchRequest, fleetTags []tag) {
	switch call.Operation {
	case "RunInstances":
		in := &runInstancesInput{}
		if wire.DecodeEC2(call.Params, in) == nil {
			want, _ := in.request() // wrong tags the operation refuses
			want.Count, want.Least = 1, 1
			all = append(all, want)
		}
	case "RequestSpotInstances":
		in := &requestSpotInput{}
		if wire.DecodeEC2(call.Params, in) == nil {
			all = append(all, LaunchRequest{SubnetID: in.Spec.SubnetID, Count: 1, Spot: true, data: in.Spec.templateData})
		}
	case "CreateFleet":
		in := &createFleetInput{}
		if wire.DecodeEC2(call.Params, in) != nil {
			return nil, nil
		}
		tagged, own, _ := in.tags()
		_, spot, _ := in.Target.shares()
		for _, config := range in.Configs {
			overrides := config.Overrides
			if len(overrides) == 0 {
				overrides = list[fleetOverride]{{}}
			}
			for _, o := range overrides {
				all = append(all, LaunchRequest{Template: config.Template.ref(), ImageID: o.ImageID, Type: o.Type, SubnetID: o.SubnetID,
					Zone: o.Zone, Count: 1, Spot: spot > 0, tagged: tagged})
			}
		}
		return all, own
	}
	return all, nil
}

// launchSubjects are what a launch is about: what it makes, with its tags and what it is to be, and what it makes it of.
func (s *Service) launchSubjects(call *operation.Call) (subjects []subject, profiles []string) {
	wanted, fleetTags := launchAsked(call)
	seen := map[string]bool{}
	add := func(one subject) {
		if key := fmt.Sprint(one.arn, one.keys); !seen[key] {
			seen[key], subjects = true, append(subjects, one)
		}
	}
	if call.Operation == "CreateFleet" {
		add(subject{arn: s.arn("fleet", "*"), keys: requestTags(fleetTags), new: true})
	}
	s.State.View(func(tx *state.Txn) error {
		for _, want := range wanted {
			p, err := s.planLaunch(tx, want)
			if err != nil {
				continue // the operation says so, once its caller may make any instance
			}
			for _, one := range s.subjectsOf(tx, p) {
				add(one)
			}
			if profile := p.instance.Launch.Profile; profile != "" && !slices.Contains(profiles, profile) {
				profiles = append(profiles, profile)
			}
		}
		return nil
	})
	if len(subjects) == 0 {
		var keys iam.Keys
		if len(wanted) > 0 {
			keys = requestTags(wanted[0].tagged["instance"])
		}
		add(subject{arn: s.arn("instance", "*"), keys: keys, new: true})
	}
	return subjects, profiles
}

// requestTags are the condition keys of tags that a call gives to what it makes.
func requestTags(all []tag) iam.Keys {
	given := map[string]string{}
	for _, t := range all {
		if awsTags([]tag{t}) == 0 {
			given[t.Key] = t.Value
		}
	}
	return operation.TagKeys(given, nil)
}

// subjectsOf are the resources of one launch, with the condition keys that EC2 has for each.
func (s *Service) subjectsOf(tx *state.Txn, p launchPlan) (all []subject) {
	v, d := p.instance, p.details
	common := iam.Keys{}
	if v.Launch.TemplateID != "" {
		common["ec2:launchtemplate"] = []string{s.arn("launch-template", v.Launch.TemplateID)}
	}
	made := func(kind string, keys iam.Keys) {
		all = append(all, subject{arn: s.arn(kind, "*"), keys: keys.With(common, requestTags(p.tags[kind])), new: true})
	}
	of := func(arn, id string, keys iam.Keys) {
		all = append(all, subject{arn: arn, keys: keys.With(common, tagKeys(s.TagsOf(tx, id)))})
	}
	zone, vpc := []string{v.Zone}, []string{s.arn("vpc", v.VPCID)}
	metadata := d.Metadata.shown()
	instance := iam.Keys{"ec2:instancetype": {v.Launch.Type}, "ec2:availabilityzone": zone,
		"ec2:tenancy": {cmp.Or(d.Placement.Tenancy, "default")}, "ec2:rootdevicetype": {"ebs"}, "ec2:instancemarkettype": {marketOf(v)},
		"ec2:ebsoptimized":       {strconv.FormatBool(d.EBSOptimized != nil && *d.EBSOptimized)},
		"ec2:metadatahttptokens": {metadata.Tokens}, "ec2:metadatahttpendpoint": {metadata.Endpoint},
		"ec2:metadatahttpputresponsehoplimit": {strconv.Itoa(metadata.HopLimit)}}
	if profile, found := region.InstanceProfiles.Get(tx, v.Launch.Profile); found {
		instance["ec2:instanceprofile"] = []string{profile.ARN}
	}
	made("instance", instance)
	for _, disk := range append([]instanceDisk{d.Root}, d.Disks...) {
		made("volume", iam.Keys{"ec2:volumesize": {strconv.Itoa(disk.GiB)}, "ec2:volumetype": {disk.Type},
			"ec2:volumeiops": {strconv.Itoa(disk.IOPS)}, "ec2:encrypted": {strconv.FormatBool(disk.Encrypted)},
			"ec2:availabilityzone": zone})
	}
	made("network-interface", iam.Keys{"ec2:subnet": {s.arn("subnet", v.SubnetID)}, "ec2:vpc": vpc, "ec2:availabilityzone": zone,
		"ec2:associatepublicipaddress": {strconv.FormatBool(p.public)}})
	if v.Launch.Spot {
		made("spot-instances-request", iam.Keys{})
	}
	of(s.arn("subnet", v.SubnetID), v.SubnetID, iam.Keys{"ec2:vpc": vpc, "ec2:availabilityzone": zone, "ec2:subnetid": {v.SubnetID}})
	for _, group := range v.Launch.Groups {
		of(s.arn("security-group", group), group, iam.Keys{"ec2:vpc": vpc, "ec2:securitygroupid": {group}})
	}
	if image, found := findImage(tx, v.Launch.ImageID); found {
		owner := cmp.Or(image.OwnerAlias, image.OwnerID)
		of("arn:aws:ec2:"+s.VPC.Region+"::image/"+image.ImageID, image.ImageID, iam.Keys{"ec2:owner": {owner},
			"ec2:public": {strconv.FormatBool(image.Public)}, "ec2:imagetype": {image.Type}, "ec2:imageid": {image.ImageID},
			"ec2:rootdevicetype": {image.RootDeviceType}})
	}
	if v.Launch.KeyName != "" {
		of(s.arn("key-pair", v.Launch.KeyName), v.Launch.KeyName, iam.Keys{"ec2:keypairname": {v.Launch.KeyName}})
	}
	if v.Launch.TemplateID != "" {
		of(s.arn("launch-template", v.Launch.TemplateID), v.Launch.TemplateID, iam.Keys{})
	}
	return all
}

func marketOf(v region.Instance) string {
	if v.Launch.Spot {
		return "spot"
	}
	return "on-demand"
}

// permitLaunch refuses a launch that its caller may not do with all that it makes and makes it of, whose tags it may not
// give, or to whose instances it may not pass their role.
func (s *Service) permitLaunch(call *operation.Call) error {
	subjects, profiles := s.launchSubjects(call)
	actions := []string{"ec2:" + call.Operation}
	if call.Operation == "CreateFleet" { // it launches in its caller's name
		actions = append(actions, "ec2:RunInstances")
	}
	untagged := *call // each resource has the tags of its own type
	untagged.Keys = call.Keys.Without("aws:requesttag/", "aws:tagkeys")
	for _, action := range actions {
		for _, one := range subjects {
			if action == "ec2:RunInstances" && one.arn == s.arn("fleet", "*") {
				continue
			}
			if err := untagged.Authorize(wire.EC2Query, action, one.arn, one.keys); err != nil {
				return s.encode(call, err)
			}
		}
	}
	for _, one := range subjects {
		if !one.new || len(one.keys["aws:tagkeys"]) == 0 {
			continue
		}
		create := actions[len(actions)-1][len("ec2:"):]
		if err := untagged.Authorize(wire.EC2Query, "ec2:CreateTags", one.arn,
			one.keys.With(iam.Keys{"ec2:createaction": {create}})); err != nil {
			return s.encode(call, err)
		}
	}
	for _, profile := range profiles {
		if err := s.permitProfile(call, profile); err != nil {
			return err
		}
	}
	return nil
}

// permitProfile refuses a caller who may not pass a profile's role to EC2.
func (s *Service) permitProfile(call *operation.Call, name string) error {
	var role string
	s.State.View(func(tx *state.Txn) error {
		profile, _ := region.InstanceProfiles.Get(tx, name)
		held, _ := region.Roles.Get(tx, profile.Role)
		role = held.ARN
		return nil
	})
	if role == "" {
		return nil
	}
	if err := call.PassRole(wire.EC2Query, operation.PassedRole{ARN: role, Service: "ec2.amazonaws.com"},
		s.arn("instance", "*")); err != nil {
		return s.encode(call, err)
	}
	return nil
}

// permitAssociation is permitProfile for a call that gives an instance its profile.
func (s *Service) permitAssociation(call *operation.Call) error {
	name := call.Params.Get("IamInstanceProfile.Name")
	if arn := call.Params.Get("IamInstanceProfile.Arn"); name == "" && arn != "" {
		s.State.View(func(tx *state.Txn) error {
			name, _ = profileNamed(tx, &instanceProfile{ARN: arn}) // the operation says what is wrong with it
			return nil
		})
	}
	if name == "" {
		return nil
	}
	return s.permitProfile(call, name)
}

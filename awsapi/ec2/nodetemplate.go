package ec2

import (
	"cmp"
	"slices"
	"strconv"

	"tripod/region"
	"tripod/state"
)

// NodeTemplate is what a managed node group's launch template says: EKS's own settings over a copy of the user's
// template ("Customize managed nodes with launch templates" of the EKS user guide).
type NodeTemplate struct {
	// From is the user's template, in a version; nil: there is none.
	From *region.TemplateRef
	// ImageID is the AMI; empty: the user's template has it.
	ImageID string
	// Profile is the instance profile's name, and CreatedBy the ARN of who makes the template.
	Profile, CreatedBy string
	// UserData is base64, in place of the user's; empty: the user's stays.
	UserData string
	// Groups are the ids of security groups, for a template that has none.
	Groups []string
	// KeyName is that of an EC2 key pair, or empty. Disk is the root device's size in GiB, and Device its name; 0: the
	// user's template, or the AMI, has it.
	KeyName string
	Disk    int
	Device  string
	// Tags are given to instances and their volumes and interfaces.
	Tags map[string]string
}

// hopLimit is that of instances' metadata in managed node groups: pods reach it, too.
const hopLimit = 2

// UserDataOf is the user data of a launch template's version, as it was given.
func (s *Service) UserDataOf(tx *state.Txn, of region.TemplateRef) (string, error) {
	data, err := s.templateDataOf(tx, of)
	return data.UserData, err
}

func (s *Service) templateDataOf(tx *state.Txn, of region.TemplateRef) (templateData, error) {
	_, v, err := s.versionOf(tx, of)
	return v.Data, err
}

// nodeTemplateData is what the template says.
func (s *Service) nodeTemplateData(tx *state.Txn, want NodeTemplate) (data templateData, err error) {
	if want.From != nil {
		if data, err = s.templateDataOf(tx, *want.From); err != nil {
			return data, err
		}
	}
	data.InstanceType = "" // the Auto Scaling group's overrides have the types
	data.ImageID = cmp.Or(want.ImageID, data.ImageID)
	data.UserData = cmp.Or(want.UserData, data.UserData)
	data.KeyName = cmp.Or(data.KeyName, want.KeyName)
	data.Profile = &instanceProfile{Name: want.Profile}
	hasGroups := len(data.Groups) > 0
	for _, one := range data.Interfaces {
		hasGroups = hasGroups || len(one.Groups) > 0
	}
	if !hasGroups && len(data.Interfaces) == 0 {
		data.Groups = want.Groups
	} else if !hasGroups { // groups beside interfaces are refused
		data.Interfaces = slices.Clone(data.Interfaces)
		for i := range data.Interfaces {
			data.Interfaces[i].Groups = want.Groups
		}
	}
	if data.Metadata == nil {
		limit := hopLimit
		data.Metadata = &metadataOptions{HopLimit: &limit}
	}
	if len(data.Devices) == 0 && want.Disk > 0 {
		yes := true
		data.Devices = list[blockDevice]{{Name: want.Device,
			Disk: &disk{GiB: &want.Disk, Type: "gp3", Deleted: &yes}}}
	}
	data.Specifications = withTags(data.Specifications, want.Tags)
	return data, data.check()
}

// withTags gives tags to instances, and to their volumes and interfaces, beside those that a template has. A template's
// own tag of that key counts.
func withTags(specifications list[instanceTags], given map[string]string) list[instanceTags] {
	out := slices.Clone(specifications)
	for _, kind := range []string{"instance", "volume", "network-interface"} {
		at := slices.IndexFunc(out, func(s instanceTags) bool { return s.ResourceType == kind })
		if at < 0 {
			at = len(out)
			out = append(out, instanceTags{ResourceType: kind})
		}
		merged := slices.Clone(out[at].Tags)
		for key, value := range given {
			if !slices.ContainsFunc(merged, func(t tag) bool { return t.Key == key }) {
				merged = append(merged, tag{key, value})
			}
		}
		slices.SortFunc(merged, func(a, b tag) int { return cmp.Compare(a.Key, b.Key) })
		out[at].Tags = merged
	}
	return out
}

// MakeNodeTemplate makes a node group's launch template of that name, with its first version. The error is in EC2's
// words.
func (s *Service) MakeNodeTemplate(tx *state.Txn, name string, want NodeTemplate) (region.TemplateRef, error) {
	data, err := s.nodeTemplateData(tx, want)
	if err != nil {
		return region.TemplateRef{}, err
	}
	for _, earlier := range launchTemplates.all(s, tx) {
		if earlier.Name == name {
			return region.TemplateRef{}, refuse("InvalidLaunchTemplateName.AlreadyExistsException",
				"Launch template name already in use.")
		}
	}
	first := templateVersion{TemplateID: newID("lt"), Name: name, Number: 1, Created: timestamp(s.now()),
		CreatedBy: want.CreatedBy, Data: data}
	t := launchTemplate{TemplateID: first.TemplateID, Name: name, Created: first.Created, CreatedBy: first.CreatedBy,
		Default: 1, Latest: 1, Last: 1, Versions: []templateVersion{first}}
	launchTemplates.put(s, tx, t)
	tags.Put(tx, t.TemplateID, sortedTags(want.Tags))
	return region.TemplateRef{ID: t.TemplateID, Name: name, Version: "1"}, nil
}

// AddNodeTemplateVersion adds a version to a node group's launch template, which is its default from then on. Of many
// versions the oldest that is not the one before goes. The error is in EC2's words.
func (s *Service) AddNodeTemplateVersion(tx *state.Txn, id string, want NodeTemplate) (region.TemplateRef, error) {
	data, err := s.nodeTemplateData(tx, want)
	if err != nil {
		return region.TemplateRef{}, err
	}
	t, err := s.template(tx, id, "")
	if err != nil {
		return region.TemplateRef{}, err
	}
	if len(t.Versions) >= maxVersions {
		t.Versions = slices.Delete(t.Versions, 0, 1)
	}
	t.Last++
	t.Latest, t.Default = t.Last, t.Last
	t.Versions = append(t.Versions, templateVersion{TemplateID: t.TemplateID, Name: t.Name, Number: t.Last,
		Created: timestamp(s.now()), CreatedBy: want.CreatedBy, Data: data})
	launchTemplates.put(s, tx, t)
	return region.TemplateRef{ID: t.TemplateID, Name: t.Name, Version: strconv.Itoa(t.Last)}, nil
}

// HasTemplate says whether there is a launch template with that id and version.
func (s *Service) HasTemplate(tx *state.Txn, of region.TemplateRef) bool {
	_, err := s.templateDataOf(tx, of)
	return err == nil
}

// DropNodeTemplate deletes a node group's launch template, if it is still there.
func (s *Service) DropNodeTemplate(tx *state.Txn, id string) {
	if _, err := launchTemplates.get(s, tx, id); err == nil {
		launchTemplates.delete(s, tx, id) // it is stored, so there is nothing to refuse
	}
}

// HasGroup says whether there is a security group with that id.
func (s *Service) HasGroup(tx *state.Txn, groupID string) bool {
	_, err := groups.get(s, tx, groupID)
	return err == nil
}

// GroupIsUsed says whether the rules of another security group name the one with that id, or an instance has it.
func (s *Service) GroupIsUsed(tx *state.Txn, groupID string) bool {
	for _, g := range groups.all(s, tx) {
		if g.GroupID != groupID && slices.ContainsFunc(g.Rules, func(r rule) bool { return r.Group == groupID }) {
			return true
		}
	}
	for _, v := range region.Instances.List(tx) {
		if v.State.Alive() && slices.Contains(v.Launch.Groups, groupID) {
			return true
		}
	}
	return false
}

package ec2

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"tripod/region"
	"tripod/state"
)

// TemplateChange is what a service of AWS puts into a launch template that it makes: what is given replaces what the
// template that it copies says.
type TemplateChange struct {
	ImageID, Type, KeyName, UserData, Profile string
	Groups                                    []string
	// HopLimit is how far the metadata service's answers go, GiB the size of the root volume; 0: as it was.
	HopLimit, GiB int
	// Tags are what instances, their volumes and their network interfaces get, over what the template copied says.
	Tags map[string]string
	// Spot says that spot instances are meant.
	Spot bool
	// Instances are the types of the group that the template is for; a template of AWS's services names none then.
	WithoutType bool
}

// nodegroupCreator is who makes launch templates for managed node groups.
func (s *Service) nodegroupCreator() string {
	return "arn:aws:sts::" + s.VPC.AccountID + ":assumed-role/AWSServiceRoleForAmazonEKSNodegroup/EKS"
}

// CreateLaunchTemplate makes a launch template as a service of AWS does, such as EKS for a managed node group: a copy of
// the version that from names (the zero value: of an empty one), without its subnets and its shutdown behaviour, and
// changed. The error is EC2's.
func (s *Service) CreateLaunchTemplate(tx *state.Txn, name string, from region.TemplateRef, change TemplateChange,
	given map[string]string, now time.Time) (region.TemplateRef, error) {
	data, err := s.changedData(tx, from, change)
	if err != nil {
		return region.TemplateRef{}, err
	}
	for _, earlier := range launchTemplates.all(s, tx) {
		if earlier.Name == name {
			return region.TemplateRef{}, refuse("InvalidLaunchTemplateName.AlreadyExistsException",
				"Launch template name already in use.")
		}
	}
	first := templateVersion{TemplateID: newID("lt"), Name: name, Number: 1, Created: timestamp(now),
		CreatedBy: s.nodegroupCreator(), Data: data}
	launchTemplates.put(s, tx, launchTemplate{TemplateID: first.TemplateID, Name: name, Created: first.Created,
		CreatedBy: first.CreatedBy, Default: 1, Latest: 1, Last: 1, Versions: []templateVersion{first}})
	tags.Put(tx, first.TemplateID, sortedTags(given))
	return region.TemplateRef{ID: first.TemplateID, Name: name, Version: "1"}, nil
}

// CreateLaunchTemplateVersion adds a version to the template with that id, made as CreateLaunchTemplate makes the first.
// The oldest one goes where there are too many, unless it is the default one.
func (s *Service) CreateLaunchTemplateVersion(tx *state.Txn, templateID string, from region.TemplateRef,
	change TemplateChange, now time.Time) (region.TemplateRef, error) {
	t, err := s.template(tx, templateID, "")
	if err != nil {
		return region.TemplateRef{}, err
	}
	data, err := s.changedData(tx, from, change)
	if err != nil {
		return region.TemplateRef{}, err
	}
	if len(t.Versions) >= maxVersions {
		oldest := slices.IndexFunc(t.Versions, func(v templateVersion) bool { return v.Number != t.Default })
		t.Versions = slices.Delete(t.Versions, oldest, oldest+1)
	}
	t.Last++
	t.Latest = t.Last
	t.Versions = append(t.Versions, templateVersion{TemplateID: t.TemplateID, Name: t.Name, Number: t.Last,
		Created: timestamp(now), CreatedBy: s.nodegroupCreator(), Data: data})
	launchTemplates.put(s, tx, t)
	return region.TemplateRef{ID: t.TemplateID, Name: t.Name, Version: strconv.Itoa(t.Last)}, nil
}

// DeleteLaunchTemplate deletes a launch template; one that is gone is no error.
func (s *Service) DeleteLaunchTemplate(tx *state.Txn, templateID string) error {
	if _, err := s.template(tx, templateID, ""); err != nil {
		return nil //nolint:nilerr // it is gone
	}
	return launchTemplates.delete(s, tx, templateID)
}

// changedData is what the version that from names says, changed.
func (s *Service) changedData(tx *state.Txn, from region.TemplateRef, change TemplateChange) (data templateData, err error) {
	if from != (region.TemplateRef{}) {
		t, err := s.template(tx, from.ID, nameUnless(from))
		if err != nil {
			return data, err
		}
		v, err := t.version(cmp.Or(from.Version, "$Default"))
		if err != nil {
			return data, err
		}
		data = v.Data
	}
	data.Shutdown = ""
	data.Interfaces = slices.Clone(data.Interfaces)
	for i := range data.Interfaces {
		data.Interfaces[i].SubnetID = ""
	}
	data.ImageID, data.KeyName = cmp.Or(change.ImageID, data.ImageID), cmp.Or(change.KeyName, data.KeyName)
	data.InstanceType, data.UserData = cmp.Or(change.Type, data.InstanceType), cmp.Or(change.UserData, data.UserData)
	if change.WithoutType {
		data.InstanceType = ""
	}
	if change.Profile != "" {
		data.Profile = &instanceProfile{Name: change.Profile}
	}
	if len(change.Groups) > 0 {
		data.Groups, data.GroupNames = change.Groups, nil
		if len(data.Interfaces) > 0 { // then the groups are those of the interface
			data.Interfaces[0].Groups, data.Groups = change.Groups, nil
		}
	}
	if change.HopLimit > 0 {
		metadata := metadataOptions{}
		if data.Metadata != nil {
			metadata = *data.Metadata
		}
		metadata.HopLimit, data.Metadata = &change.HopLimit, &metadata
	}
	if change.GiB > 0 && len(data.Devices) == 0 {
		kind, deleted := "gp3", true
		data.Devices = list[blockDevice]{{Name: rootDevice, Disk: &disk{GiB: &change.GiB, Type: kind, Deleted: &deleted}}}
	}
	if change.Spot {
		data.Market = &marketOptions{Type: "spot"}
	}
	data.Specifications = tagged(data.Specifications, change.Tags)
	return data, nil
}

// nameUnless is the template's name where its id is not given: EC2 takes one of them.
func nameUnless(ref region.TemplateRef) string {
	if ref.ID != "" {
		return ""
	}
	return ref.Name
}

// tagged lays tags over those that a template gives to instances, volumes and network interfaces.
func tagged(present []instanceTags, given map[string]string) (all list[instanceTags]) {
	if len(given) == 0 {
		return present
	}
	kinds := []string{"instance", "volume", "network-interface"}
	for _, own := range present {
		if !slices.Contains(kinds, own.ResourceType) {
			all = append(all, own)
		}
	}
	for _, kind := range kinds {
		merged := map[string]string{}
		for _, own := range present {
			for _, t := range own.Tags {
				if own.ResourceType == kind {
					merged[t.Key] = t.Value
				}
			}
		}
		for key, value := range given {
			merged[key] = value
		}
		all = append(all, instanceTags{kind, sortedTags(merged)})
	}
	return all
}

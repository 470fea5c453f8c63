package ec2

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// LaunchRequest asks for instances: what a launch template says, with what is given here over it.
type LaunchRequest struct {
	// Template names a launch template by its id or its name, and a version of it, where none is the default one; the zero
	// value: there is none.
	Template region.TemplateRef
	// ImageID, Type, SubnetID, KeyName, UserData (base64) and Profile (an instance profile's name) are the template's
	// where they are empty.
	ImageID, Type, SubnetID, KeyName, UserData, Profile string
	// Zone is where they are to be if no subnet is named: in the default subnet there. Empty: in any.
	Zone string
	// Groups are the ids of their security groups; none: the template's, else the VPC's default group.
	Groups []string
	Spot   bool
	// PublicIP says whether they have a public address; nil: as the template says, else as the subnet does.
	PublicIP *bool
	// Count is how many there are to be, Least with how many the caller is content; 0: with no fewer than Count.
	Count, Least int
	// Tags are the instances', over the template's. Those of AWS's own services (aws:...) may be among them.
	Tags map[string]string
	// Group is the Auto Scaling group's name, Requester the service that launches for somebody, such as
	// autoscaling.amazonaws.com.
	Group, Requester, ClientToken string

	// data is what RunInstances gives beside this, over the template's.
	data templateData
	// address is the private address that is asked for.
	address string
	// spotRequest is the id of the Spot Instance request that the launch fulfils; empty: it makes its own.
	spotRequest string
	// tagged are the tags of what is made, by the resource's type, over those of the template.
	tagged map[string][]tag
}

// Launch makes as many instances, pending, and gives them as they are then. Its errors are EC2's (*wire.Error), such as
// InsufficientInstanceCapacity, InsufficientFreeAddressesInSubnet and InvalidParameterValue: nothing is written then.
func (s *Service) Launch(tx *state.Txn, want LaunchRequest, now time.Time) ([]region.Instance, error) {
	p, err := s.planLaunch(tx, want)
	if err != nil {
		return nil, err
	}
	count, err := s.launchable(tx, p, want.Count, cmp.Or(want.Least, want.Count))
	if err != nil {
		return nil, err
	}
	reservation := newID("r")
	var made []region.Instance
	for i := range count {
		v := p.instance
		v.ID, v.InterfaceID, v.VolumeID = newID("i"), newID("eni"), newID("vol")
		v.ReservationID, v.LaunchIndex = reservation, i
		if err := s.giveAddresses(tx, p, &v); err != nil {
			if i >= cmp.Or(want.Least, want.Count) {
				break // as many as there was room for
			}
			s.undoLaunch(tx, made)
			return nil, err
		}
		if v, err = region.LaunchInstance(tx, v, now); err != nil {
			return nil, err
		}
		d := p.details.copied()
		d.SpotRequestID = want.spotRequest
		s.askSpot(tx, v, &d, now)
		s.keepDetails(tx, v.ID, d)
		for id, kind := range map[string]string{v.ID: "instance", v.InterfaceID: "network-interface", v.VolumeID: "volume"} {
			if given := p.tags[kind]; len(given) > 0 {
				tags.Put(tx, id, given)
			}
		}
		made = append(made, v)
	}
	for _, v := range made {
		s.emitState(tx, v)
	}
	return made, nil
}

// undoLaunch takes back what a launch has written that fails half way.
func (s *Service) undoLaunch(tx *state.Txn, made []region.Instance) {
	for _, v := range made {
		region.UndoLaunch(tx, v.ID)
		for _, id := range []string{v.ID, v.InterfaceID, v.VolumeID} {
			tags.Delete(tx, id)
		}
		s.forgetDetails(tx, v)
	}
}

// Terminate begins to terminate instances, for that reason; those that are terminated stay as they are. The error is
// EC2's where there is no such instance.
func (s *Service) Terminate(tx *state.Txn, ids []string, reason region.StateReason, now time.Time) error {
	for _, id := range ids {
		if _, err := s.instanceRecord(tx, id); err != nil {
			return err
		}
		if err := s.terminate(tx, id, reason, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) terminate(tx *state.Txn, id string, reason region.StateReason, now time.Time) error {
	before, _ := region.Instances.Get(tx, id)
	after, err := region.TerminateInstance(tx, id, reason, now)
	if err == nil && before.State != after.State {
		s.emitState(tx, after)
	}
	return err
}

// Stop begins to stop a running instance for that reason, and Start starts a stopped one. Nobody is asked whether the instance
// may be stopped, and whether its zone has room. The error says that its state does not allow it.
func (s *Service) Stop(tx *state.Txn, id string, reason region.StateReason, now time.Time) error {
	v, err := region.StopInstance(tx, id, reason, now)
	if err == nil {
		s.emitState(tx, v)
	}
	return err
}

// Start is described with Stop.
func (s *Service) Start(tx *state.Txn, id string, now time.Time) error {
	v, err := region.StartInstance(tx, id, now)
	if err == nil {
		s.emitState(tx, v)
	}
	return err
}

// Advance brings an instance whose state passes by itself to the next one: pending to running, stopping to stopped,
// shutting-down to terminated. Others stay as they are. A zone's agent calls it when the time for that has come, and so
// has EC2 tell of it and forget what goes with a terminated instance.
func (s *Service) Advance(tx *state.Txn, id string, now time.Time) (v region.Instance, err error) {
	v, _ = region.Instances.Get(tx, id)
	switch v.State {
	case region.InstancePending:
		v, err = region.RunInstance(tx, id, now)
	case region.InstanceStopping:
		v, err = region.EndStop(tx, id, now)
	case region.InstanceShuttingDown:
		s.endInterfaces(tx, v)
		s.endVolumes(tx, v)
		v, err = region.EndTermination(tx, id, now)
	default:
		return v, nil
	}
	if err == nil {
		s.emitState(tx, v)
	}
	return v, err
}

// Forget deletes the record of a terminated instance, and all that EC2 kept of it. AWS shows one for about an hour.
func (s *Service) Forget(tx *state.Txn, id string) error {
	v, _ := region.Instances.Get(tx, id)
	if err := region.ForgetInstance(tx, id); err != nil {
		return err
	}
	tags.Delete(tx, id)
	s.forgetDetails(tx, v)
	return nil
}

// TagsOf are a resource's tags.
func (s *Service) TagsOf(tx *state.Txn, id string) map[string]string {
	all := map[string]string{}
	for _, t := range s.tagsOf(tx, id) {
		all[t.Key] = t.Value
	}
	return all
}

// SetTags puts tags over those that a resource has. They are taken as they are: AWS's services give their own ones so.
func (s *Service) SetTags(tx *state.Txn, id string, given map[string]string) {
	all := s.TagsOf(tx, id)
	maps.Copy(all, given)
	tags.Put(tx, id, sortedTags(all))
}

// sortedTags are tags in the order of their keys, as they are stored.
func sortedTags(given map[string]string) []tag {
	all := make([]tag, 0, len(given))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		all = append(all, tag{key, given[key]})
	}
	return all
}

// instanceRecord is the instance with that id, or EC2's error.
func (s *Service) instanceRecord(tx *state.Txn, id string) (region.Instance, error) {
	if err := instances.check(id); err != nil {
		return region.Instance{}, err
	}
	v, found := region.Instances.Get(tx, id)
	if !found {
		return v, instances.notFound(id)
	}
	return v, nil
}

// launchPlan is what all instances of a launch have in common.
type launchPlan struct {
	instance region.Instance
	details  instanceDetails
	subnet   subnet
	space    *space // of the subnet; nil: it has no IPv4 addresses
	public   bool
	address  string           // that is asked for
	tags     map[string][]tag // by the resource's type
}

// planLaunch resolves what a launch names, and checks it.
func (s *Service) planLaunch(tx *state.Txn, want LaunchRequest) (p launchPlan, err error) {
	data, err := s.dataOf(tx, &p, want)
	if err != nil {
		return p, err
	}
	v := &p.instance
	v.ClientToken, v.Requester, v.Group = want.ClientToken, want.Requester, want.Group
	v.Launch.Spot = data.Market.spot()
	if err := s.planMachine(tx, &p, data); err != nil {
		return p, err
	}
	if err := s.planNetwork(tx, &p, data, want); err != nil {
		return p, err
	}
	p.tags, err = launchTags(data, want, v.Launch)
	return p, err
}

// dataOf is what the launch template says, with what the request says over it. The plan is told of the template.
func (s *Service) dataOf(tx *state.Txn, p *launchPlan, want LaunchRequest) (data templateData, err error) {
	if want.Template != (region.TemplateRef{}) {
		t, version, err := s.versionOf(tx, want.Template)
		if err != nil {
			return data, err
		}
		data = version.Data
		p.instance.Launch.TemplateID, p.instance.Launch.TemplateName = t.TemplateID, t.Name
		p.instance.Launch.TemplateVersion = strconv.Itoa(version.Number)
	}
	given := want.data
	given.ImageID = cmp.Or(want.ImageID, given.ImageID)
	given.InstanceType = cmp.Or(want.Type, given.InstanceType)
	given.KeyName = cmp.Or(want.KeyName, given.KeyName)
	given.UserData = cmp.Or(want.UserData, given.UserData)
	if want.Profile != "" {
		given.Profile = &instanceProfile{Name: want.Profile}
	}
	if want.Spot && !given.Market.spot() {
		given.Market = &marketOptions{Type: "spot"}
	}
	given.Specifications = nil // tags are laid over one another key by key
	if len(given.Groups)+len(given.GroupNames) > 0 {
		data.Groups, data.GroupNames = nil, nil
	}
	if len(want.Groups) > 0 {
		given.Groups, data.GroupNames = want.Groups, nil
		if data.Interfaces = slices.Clone(data.Interfaces); len(data.Interfaces) > 0 {
			data.Interfaces[0].Groups = want.Groups
		}
	}
	return given.over(data), nil
}

// launchTags are the tags of what a launch makes, by the resource's type: the template's, the request's over them, and
// those by which EC2 says which template it was.
func launchTags(data templateData, want LaunchRequest, of region.InstanceLaunch) (map[string][]tag, error) {
	merged := map[string]map[string]string{"instance": {}}
	add := func(kind string, all []tag) {
		if merged[kind] == nil {
			merged[kind] = map[string]string{}
		}
		for _, t := range all {
			merged[kind][t.Key] = t.Value
		}
	}
	for _, specification := range data.Specifications {
		if err := launchTaggable(specification.ResourceType); err != nil {
			return nil, err
		}
		add(specification.ResourceType, specification.Tags)
	}
	for kind, all := range want.tagged {
		add(kind, all)
	}
	maps.Copy(merged["instance"], want.Tags)
	if of.TemplateID != "" {
		merged["instance"]["aws:ec2launchtemplate:id"] = of.TemplateID
		merged["instance"]["aws:ec2launchtemplate:version"] = of.TemplateVersion
	}
	all := map[string][]tag{}
	for kind, own := range merged {
		all[kind] = sortedTags(own)
		if len(own)-awsTags(all[kind]) > maxTags {
			return nil, refuse("TagLimitExceeded", "The maximum number of tags per resource is %d.", maxTags)
		}
	}
	return all, nil
}

// name is an instance's private name, by its subnet's rule.
func (s *Service) name(p launchPlan, v region.Instance) string {
	if p.details.Hostname == resourceNames || v.Address == "" {
		return v.ID + "." + s.VPC.privateDomain()
	}
	return machine.Name(s.VPC.Region, netip.MustParseAddr(v.Address))
}

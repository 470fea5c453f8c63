package ec2

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"tripod/internal/instancetypes"
	"tripod/region"
	"tripod/state"
)

// InterfaceChanges are the network interfaces that one transaction changes. Whether addresses are free is asked before
// anything is written, and Write writes all: so a transaction with the changes of a hundred nodes costs no more than as
// many transactions. Its errors are EC2's.
type InterfaceChanges struct {
	s      *Service
	tx     *state.Txn
	spaces map[string]*space              // by subnet
	picked map[string]map[netip.Addr]bool // by subnet: what this transaction gives
	// changed are the interfaces as they are to be, gone those that are to be deleted; both by id.
	changed map[string]region.NetworkInterface
	gone    map[string]bool
	tags    map[string][]tag
}

// ChangeInterfaces begins changes in a transaction.
func (s *Service) ChangeInterfaces(tx *state.Txn) *InterfaceChanges {
	return &InterfaceChanges{s: s, tx: tx, spaces: map[string]*space{}, picked: map[string]map[netip.Addr]bool{},
		changed: map[string]region.NetworkInterface{}, gone: map[string]bool{}, tags: map[string][]tag{}}
}

// Write writes what has changed. Nothing may be asked for afterwards.
func (c *InterfaceChanges) Write() {
	for id := range c.gone {
		region.DeleteInterface(c.tx, id)
		tags.Delete(c.tx, id)
		delete(c.changed, id)
	}
	for _, v := range c.changed {
		region.ChangeInterface(c.tx, v)
	}
	for id, given := range c.tags {
		if !c.gone[id] {
			tags.Put(c.tx, id, given)
		}
	}
}

// Of are the interfaces of an instance, the primary one first, with the changes so far.
func (c *InterfaceChanges) Of(of region.Instance) []region.NetworkInterface {
	all := slices.DeleteFunc(region.InterfacesOf(c.tx, of), func(v region.NetworkInterface) bool { return c.gone[v.ID] })
	there := map[string]bool{}
	for i, v := range all {
		if now, changed := c.changed[v.ID]; changed {
			all[i] = now
		}
		there[v.ID] = true
	}
	for _, v := range c.changed {
		if v.AttachedTo() == of.ID && !there[v.ID] {
			all = append(all, v)
		}
	}
	return slices.DeleteFunc(all, func(v region.NetworkInterface) bool { return v.AttachedTo() != of.ID })
}

func (c *InterfaceChanges) space(home subnet) (*space, map[netip.Addr]bool) {
	if _, known := c.spaces[home.SubnetID]; !known {
		c.spaces[home.SubnetID], c.picked[home.SubnetID] = c.s.spaceOf(c.tx, home), map[netip.Addr]bool{}
	}
	return c.spaces[home.SubnetID], c.picked[home.SubnetID]
}

// home is an interface's subnet, which has IPv4 addresses.
func (c *InterfaceChanges) home(subnetID string) (subnet, error) {
	home, err := subnets.get(c.s, c.tx, subnetID)
	if err == nil && home.CIDRBlock == "" {
		err = refuse("InvalidParameterValue", "The subnet '%s' has no IPv4 addresses.", subnetID)
	}
	return home, err
}

// NewInterface is an interface that is to be made.
type NewInterface struct {
	SubnetID, Description string
	Groups                []string
	// Type is trunk, branch or efa; empty: interface. Trunk and VLAN are those of a branch.
	Type, Trunk string
	VLAN        int
	// Address is the primary address that is asked for, and Secondary the others; empty: any, and Count more. Prefixes are
	// those that are asked for, and PrefixCount how many others there are to be.
	Address     string
	Secondary   []string
	Count       int
	Prefixes    []string
	PrefixCount int
	Requester   string
	Tags        map[string]string
}

// Make makes an interface, with all of its addresses or not at all.
func (c *InterfaceChanges) Make(want NewInterface, now time.Time) (v region.NetworkInterface, err error) {
	home, err := c.home(want.SubnetID)
	if err != nil {
		return v, err
	}
	v = region.NetworkInterface{ID: newID("eni"), SubnetID: home.SubnetID, VPCID: home.VPCID, Zone: home.Zone,
		Description: want.Description, Groups: want.Groups, Type: want.Type, Trunk: want.Trunk, VLAN: want.VLAN, Created: now,
		Requester: want.Requester}
	v.MAC = macAddress(v.VPCID, v.ID)
	if v.Address, err = c.first(home, want.Address); err != nil {
		return v, err
	}
	if v, _, err = c.give(v, home, want.Secondary, want.Count); err == nil {
		v, _, err = c.givePrefixes(v, home, want.Prefixes, want.PrefixCount)
	}
	if err != nil {
		c.takeBack(home, append([]string{v.Address}, v.Secondary...))
		return v, err
	}
	c.changed[v.ID] = v
	if len(want.Tags) > 0 {
		c.tags[v.ID] = sortedTags(want.Tags)
	}
	return v, nil
}

// first is the primary address of a new interface.
func (c *InterfaceChanges) first(home subnet, asked string) (string, error) {
	space, picked := c.space(home)
	if asked != "" {
		ip, err := space.wanted(asked, "privateIpAddress", picked)
		picked[ip] = err == nil
		return ip.String(), err
	}
	ip, found := space.pick(picked)
	if !found {
		return "", errSubnetFull
	}
	return ip.String(), nil
}

// mostAddresses is how many addresses and prefixes an interface may have that nobody has yet: as many as any instance
// type's.
const mostAddresses = 64

// room refuses what is more than an interface may have: what its instance's type says, of addresses and prefixes
// together.
func (c *InterfaceChanges) room(v region.NetworkInterface, more int) error {
	most := mostAddresses
	if at, found := region.Instances.Get(c.tx, v.AttachedTo()); found {
		if t, known := instancetypes.Find(at.Launch.Type); known {
			most = t.Network.IPv4
		}
	}
	if 1+len(v.Secondary)+len(v.Prefixes)+more > most {
		return refuse("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")
	}
	return nil
}

// give adds secondary addresses to an interface: those that are named, and count more.
func (c *InterfaceChanges) give(v region.NetworkInterface, home subnet, named []string, count int) (region.NetworkInterface,
	[]string, error) {
	if err := c.room(v, len(named)+count); err != nil {
		return v, nil, err
	}
	space, picked := c.space(home)
	var given []string
	for _, text := range named {
		ip, err := space.wanted(text, "privateIpAddress", picked)
		if err != nil {
			return v, nil, err
		}
		picked[ip] = true
		given = append(given, ip.String())
	}
	for range count {
		ip, found := space.pick(picked)
		if !found {
			c.takeBack(home, given)
			return v, nil, errSubnetFull
		}
		given = append(given, ip.String())
	}
	v.Secondary = append(slices.Clone(v.Secondary), given...)
	return v, given, nil
}

// takeBack frees what a change that fails has picked.
func (c *InterfaceChanges) takeBack(home subnet, given []string) {
	for _, text := range given {
		delete(c.picked[home.SubnetID], netip.MustParseAddr(text))
	}
}

func (c *InterfaceChanges) givePrefixes(v region.NetworkInterface, home subnet, named []string, count int) (region.NetworkInterface,
	[]string, error) {
	if err := c.room(v, len(named)+count); err != nil {
		return v, nil, err
	}
	space, picked := c.space(home)
	var given []string
	for _, text := range named {
		prefix, err := netip.ParsePrefix(text)
		switch {
		case err != nil || prefix.Bits() != region.PrefixBits || prefix != prefix.Masked() || !space.block.Contains(prefix.Addr()):
			return v, nil, refuse("InvalidParameterValue", "Value (%s) for parameter ipv4Prefix is invalid.", clip(text))
		case !space.freePrefix(prefix, picked):
			return v, nil, refuse("InvalidIPAddress.InUse", "The prefix %s is in use.", prefix)
		}
		given = append(given, prefix.String())
	}
	for range count {
		prefix, found := space.pickPrefix(picked)
		if !found {
			return v, nil, errNoPrefix
		}
		given = append(given, prefix.String())
	}
	v.Prefixes = append(slices.Clone(v.Prefixes), given...)
	return v, given, nil
}

// Assign gives an interface more secondary addresses, all or none, and says which.
func (c *InterfaceChanges) Assign(v region.NetworkInterface, named []string, count int) ([]string, error) {
	home, err := c.home(v.SubnetID)
	if err != nil {
		return nil, err
	}
	v, given, err := c.give(v, home, named, count)
	if err == nil {
		c.changed[v.ID] = v
	}
	return given, err
}

// AssignPrefixes gives an interface more prefixes, all or none, and says which.
func (c *InterfaceChanges) AssignPrefixes(v region.NetworkInterface, named []string, count int) ([]string, error) {
	home, err := c.home(v.SubnetID)
	if err != nil {
		return nil, err
	}
	v, given, err := c.givePrefixes(v, home, named, count)
	if err == nil {
		c.changed[v.ID] = v
	}
	return given, err
}

// Unassign takes secondary addresses and prefixes from an interface. What it does not have is EC2's error.
func (c *InterfaceChanges) Unassign(v region.NetworkInterface, addresses, prefixes []string) error {
	without := func(has, names []string) (left, missing []string) {
		for _, name := range names {
			if !slices.Contains(has, name) {
				missing = append(missing, name)
			}
		}
		return slices.DeleteFunc(slices.Clone(has), func(one string) bool { return slices.Contains(names, one) }), missing
	}
	var missing, none []string
	v.Secondary, missing = without(v.Secondary, addresses)
	v.Prefixes, none = without(v.Prefixes, prefixes)
	if missing = append(missing, none...); len(missing) > 0 {
		return refuse("InvalidParameterValue", "Some of %v are not assigned to interface %s", missing, v.ID)
	}
	c.changed[v.ID] = v
	return nil
}

// Attach attaches an interface that nobody has to an instance, at a device of the default network card, or of another one;
// with a device of less than 0 at the first that is free.
func (c *InterfaceChanges) Attach(v region.NetworkInterface, to region.Instance, device, card int, deletes bool,
	now time.Time) (region.InterfaceAttachment, error) {
	a := region.InterfaceAttachment{ID: newID("eni-attach"), InstanceID: to.ID, Device: device, Card: card, At: now, Deletes: deletes}
	if err := c.attachable(v, to, &a); err != nil {
		return a, err
	}
	v.Attachment = &a
	if err := c.room(v, 0); err != nil {
		return a, err
	}
	c.changed[v.ID] = v
	return a, nil
}

// attachable refuses what EC2 does not attach, and chooses the device where none is given.
func (c *InterfaceChanges) attachable(v region.NetworkInterface, to region.Instance, a *region.InterfaceAttachment) error {
	switch {
	case v.Attachment != nil || v.Trunk != "":
		return refuse("InvalidNetworkInterface.InUse", "Interface: [%s] in use.", v.ID)
	case to.State != region.InstanceRunning && to.State != region.InstanceStopped:
		return refuse("IncorrectInstanceState", "Instance '%s' is not 'running' or 'stopped'.", to.ID)
	case v.Zone != to.Zone:
		return refuse("InvalidParameterCombination", "You may not attach a network interface to an instance if they are not in the same "+
			"availability zone")
	}
	t, known := instancetypes.Find(to.Launch.Type)
	cards := max(1, len(t.Network.Cards))
	if known && a.Card >= cards {
		return refuse("InvalidParameterValue", "The network card index %d is not valid for the instance type %s.", a.Card, t.Name)
	}
	most := t.DefaultInterfaces()
	if a.Card > 0 {
		most = t.Network.Cards[a.Card].Interfaces
	}
	used, count := map[int]bool{}, 0
	for _, other := range c.Of(to) {
		if other.Attachment.Card == a.Card {
			used[other.Attachment.Device] = true
			count++
		}
	}
	if a.Device < 0 {
		for a.Device = 0; used[a.Device]; {
			a.Device++
		}
	}
	switch {
	case known && count >= most:
		return refuse("AttachmentLimitExceeded", "Interface count %d exceeds the limit for %s", count+1, t.Name)
	case used[a.Device]:
		return refuse("InvalidParameterValue", "Instance '%s' already has an interface attached at device index '%d'.", to.ID, a.Device)
	}
	return nil
}

// Detach takes an interface from its instance, and Delete deletes one that nobody has.
func (c *InterfaceChanges) Detach(v region.NetworkInterface) region.NetworkInterface {
	v.Attachment = nil
	c.changed[v.ID] = v
	return v
}

// Delete is described with Detach. A trunk interface goes with its branches.
func (c *InterfaceChanges) Delete(v region.NetworkInterface) {
	for _, branch := range region.BranchesByTrunk.Of(v.ID).List(c.tx) {
		c.gone[branch.ID] = true
	}
	c.gone[v.ID] = true
}

// status is where an interface is in its life, in EC2's words.
func status(v region.NetworkInterface) string {
	if cmp.Or(v.AttachedTo(), v.Trunk) != "" {
		return "in-use"
	}
	return "available"
}

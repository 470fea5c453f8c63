package region

import (
	"net/netip"
	"time"

	"tripod/state"
)

// NetworkInterface is an EC2 network interface that has a record: one that a call or a node's CNI has made, or an
// instance's primary one that holds more than its first address. Of a primary one the instance has the rest: its groups
// are Instance.Launch.Groups, and InterfaceAt fills them in. Interfaces that follow from something else have no record: of
// control planes, gateways, endpoints, load balancers and Fargate's machines (package awsapi/ec2).
type NetworkInterface struct {
	ID          string `json:"id"` // eni-0123456789abcdef0
	SubnetID    string `json:"subnetId"`
	VPCID       string `json:"vpcId"`
	Zone        string `json:"zone"` // us-east-1a
	Description string `json:"description,omitempty"`
	MAC         string `json:"mac,omitempty"`
	// Address is the primary private IPv4 address, Secondary are the others. Prefixes are blocks of 16 addresses each:
	// 10.0.0.16/28.
	Address   string   `json:"address"`
	Secondary []string `json:"secondary,omitempty"`
	Prefixes  []string `json:"prefixes,omitempty"`
	Groups    []string `json:"groups,omitempty"` // the ids of its security groups
	// NoSourceCheck says that it takes and sends packets of others.
	NoSourceCheck bool `json:"noSourceCheck,omitempty"`
	// Type is trunk, branch or efa; empty: interface.
	Type string `json:"type,omitempty"`
	// Trunk is the trunk interface that a branch belongs to, by the VLAN of that number.
	Trunk string `json:"trunk,omitempty"`
	VLAN  int    `json:"vlan,omitzero"`
	// Requester is who has made it: the principal's id.
	Requester string    `json:"requester,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	// Token is the ClientToken of the call, and Asked says what that call asked for.
	Token string `json:"token,omitempty"`
	Asked string `json:"asked,omitempty"`
	// Attachment is nil while nobody has it.
	Attachment *InterfaceAttachment `json:"attachment,omitempty"`
}

// InterfaceAttachment is an interface's to an instance.
type InterfaceAttachment struct {
	ID         string    `json:"id"` // eni-attach-0123456789abcdef0
	InstanceID string    `json:"instanceId"`
	Device     int       `json:"device,omitzero"` // 0: it is the primary one
	Card       int       `json:"card,omitzero"`   // the network card
	At         time.Time `json:"at,omitzero"`
	// Deletes says that the interface goes with the instance.
	Deletes bool `json:"deletes,omitempty"`
}

// NetworkInterfaces are by ID.
var NetworkInterfaces = state.NewTable[NetworkInterface]("network-interface")

// PrefixBits is the length of the prefixes that interfaces have instead of single addresses, and PrefixSize how many
// addresses each has.
const (
	PrefixBits = 28
	PrefixSize = 1 << (32 - PrefixBits)
)

// PrefixOf is the prefix that would have the address.
func PrefixOf(address netip.Addr) netip.Prefix {
	block, _ := address.Prefix(PrefixBits) // no IPv4 address is too short for it
	return block
}

// Primary says whether it is an instance's first one.
func (v NetworkInterface) Primary() bool {
	return v.Attachment != nil && v.Attachment.Device == 0 && v.Attachment.Card == 0
}

// AttachedTo is the instance that has it; empty: none.
func (v NetworkInterface) AttachedTo() string {
	if v.Attachment == nil {
		return ""
	}
	return v.Attachment.InstanceID
}

// Addresses is how many addresses of its subnet it takes, the primary one among them.
func (v NetworkInterface) Addresses() int { return 1 + len(v.Secondary) + PrefixSize*len(v.Prefixes) }

// holds are the names by which InterfacesByAddress has it: SUBNET/ADDRESS and SUBNET/PREFIX.
func (v NetworkInterface) holds() []string {
	all := make([]string, 0, 1+len(v.Secondary)+len(v.Prefixes))
	all = append(all, v.SubnetID+"/"+v.Address)
	for _, a := range v.Secondary {
		all = append(all, v.SubnetID+"/"+a)
	}
	for _, p := range v.Prefixes {
		all = append(all, v.SubnetID+"/"+p)
	}
	return all
}

// InterfaceAt is the interface of a node, or of nobody yet, that has an address of a subnet, with the security groups that
// hold for it: pods' addresses are their node's interfaces', and a branch interface is its pod's alone. Fargate's machines
// are FargateByAddress; what AWS's services have is computed by package awsapi/ec2.
func InterfaceAt(tx *state.Txn, subnetID string, address netip.Addr) (v NetworkInterface, found bool) {
	at := subnetID + "/" + address.String()
	for _, v := range InterfacesByAddress.Of(at).List(tx) {
		return withGroups(tx, v), true
	}
	for _, of := range InstancesByAddress.Of(at).List(tx) {
		return primaryOf(of), true
	}
	if address.Is4() {
		for _, v := range InterfacesByAddress.Of(subnetID + "/" + PrefixOf(address).String()).List(tx) {
			return withGroups(tx, v), true
		}
	}
	return v, false
}

// withGroups is the interface with the groups that its instance has, if it is a primary one.
func withGroups(tx *state.Txn, v NetworkInterface) NetworkInterface {
	if v.Primary() {
		of, _ := Instances.Get(tx, v.Attachment.InstanceID)
		v.Groups = of.Launch.Groups
	}
	return v
}

// primaryOf is an instance's primary interface where it has no record.
func primaryOf(v Instance) NetworkInterface {
	return NetworkInterface{ID: v.InterfaceID, SubnetID: v.SubnetID, VPCID: v.VPCID, Zone: v.Zone, Address: v.Address,
		Groups: v.Launch.Groups, Created: v.Launched,
		Attachment: &InterfaceAttachment{InstanceID: v.ID, At: v.Launched, Deletes: true}}
}

// PrimaryInterface is an instance's primary interface, as it is recorded or would be.
func PrimaryInterface(tx *state.Txn, v Instance) NetworkInterface {
	if stored, found := NetworkInterfaces.Get(tx, v.InterfaceID); found {
		return withGroups(tx, stored)
	}
	return primaryOf(v)
}

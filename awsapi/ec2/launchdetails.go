package ec2

import (
	"slices"

	"tripod/region"
	"tripod/state"
)

// instanceDetails are what EC2 shows of an instance beside its record: what nobody but this package asks for.
type instanceDetails struct {
	Hostname       string          `json:"hostname,omitempty"` // resource-name where its names follow from its id
	NameA          bool            `json:"nameA,omitempty"`
	NameAAAA       bool            `json:"nameAAAA,omitempty"`
	NoTermination  bool            `json:"noTermination,omitempty"`
	NoStop         bool            `json:"noStop,omitempty"`
	Shutdown       string          `json:"shutdown,omitempty"` // terminate: what a shutdown from within does
	Monitored      bool            `json:"monitored,omitempty"`
	EBSOptimized   *bool           `json:"ebsOptimized,omitempty"`
	NoSourceCheck  bool            `json:"noSourceCheck,omitempty"`
	NoENA          bool            `json:"noEna,omitempty"` // enhanced networking is off
	Metadata       metadataOptions `json:"metadata,omitzero"`
	Credits        string          `json:"credits,omitempty"`
	CPU            cpuOptions      `json:"cpu,omitzero"`
	Placement      placement       `json:"placement,omitzero"`
	Interface      string          `json:"interface,omitempty"` // its interface's description
	KeepsInterface bool            `json:"keepsInterface,omitempty"`
	Reservations   string          `json:"reservations,omitempty"` // the capacity reservation preference
	Hibernation    bool            `json:"hibernation,omitempty"`
	Enclave        bool            `json:"enclave,omitempty"`
	Recovery       string          `json:"recovery,omitempty"` // disabled: no automatic recovery
	SpotRequestID  string          `json:"spotRequestId,omitempty"`
	SpotPersistent bool            `json:"spotPersistent,omitempty"`
	SpotAction     string          `json:"spotAction,omitempty"` // what an interruption does; empty: terminate
	FleetID        string          `json:"fleetId,omitempty"`
	ProfileID      string          `json:"profileId,omitempty"` // of the association with its instance profile
	ProfileAt      string          `json:"profileAt,omitempty"`
	// Root is the root volume, Disks are the volumes beside it.
	Root  instanceDisk   `json:"root,omitzero"`
	Disks []instanceDisk `json:"disks,omitempty"`
}

// instanceDisk is a volume that an instance was launched with.
type instanceDisk struct {
	Device     string `json:"device"`
	VolumeID   string `json:"volumeId,omitempty"` // of the root volume the record has it
	GiB        int    `json:"gib"`
	Type       string `json:"type"`
	IOPS       int    `json:"iops,omitzero"`
	Throughput int    `json:"throughput,omitzero"`
	Snapshot   string `json:"snapshot,omitempty"`
	Key        string `json:"key,omitempty"`
	Encrypted  bool   `json:"encrypted,omitempty"`
	Keeps      bool   `json:"keeps,omitempty"` // it is not to be deleted with its instance
}

// detailsTable has them by the instance's id; none where all is as EC2 has it by default.
var detailsTable = state.NewTable[instanceDetails]("ec2-instance-details")

// detailsOf are an instance's. Those of the nodes of a data directory of before are not stored.
func (s *Service) detailsOf(tx *state.Txn, id string) instanceDetails {
	d, _ := detailsTable.Get(tx, id)
	return d.complete()
}

// complete gives the root volume that EKS's nodes have where nothing is stored.
func (d instanceDetails) complete() instanceDetails {
	if d.Root == (instanceDisk{}) {
		d.Root = defaultRoot
	}
	return d
}

// rootOf is an instance's root volume with its id.
func (d instanceDetails) rootOf(v region.Instance) instanceDisk {
	d.Root.VolumeID = v.VolumeID
	return d.Root
}

// defaultRoot is the root volume of the images of EKS's nodes.
var defaultRoot = instanceDisk{Device: rootDevice, GiB: 20, Type: "gp3", IOPS: 3000, Throughput: 125}

// copied are the details for one of the instances of a launch: its volumes have ids of their own.
func (d instanceDetails) copied() instanceDetails {
	d.Disks = slices.Clone(d.Disks)
	for i := range d.Disks {
		d.Disks[i].VolumeID = newID("vol")
	}
	return d
}

func (s *Service) keepDetails(tx *state.Txn, id string, d instanceDetails) {
	detailsTable.Put(tx, id, d)
}

// forgetDetails deletes what was kept of an instance that is forgotten.
func (s *Service) forgetDetails(tx *state.Txn, v region.Instance) {
	d := s.detailsOf(tx, v.ID)
	detailsTable.Delete(tx, v.ID)
	if d.SpotRequestID != "" {
		spotRequests.table.Delete(tx, d.SpotRequestID)
		tags.Delete(tx, d.SpotRequestID)
	}
	if d.FleetID != "" {
		s.forgetFleet(tx, d.FleetID)
	}
	token, used := launchTokens.Get(tx, v.ClientToken)
	if used && !slices.ContainsFunc(token.Instances, func(id string) bool {
		_, there := region.Instances.Get(tx, id)
		return there
	}) {
		launchTokens.Delete(tx, v.ClientToken)
	}
}

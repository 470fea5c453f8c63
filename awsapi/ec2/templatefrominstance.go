package ec2

import (
	"cmp"

	"tripod/awsapi/operation"
	"tripod/state"
)

type templateDataOfInput struct {
	ID string `ec2:"InstanceId,required"`
}

type templateDataOfOutput struct {
	Data templateData `xml:"launchTemplateData"`
}

// launchTemplateData is what a launch template says that launches instances like one that there is.
func (s *Service) launchTemplateData(call *operation.Call, in *templateDataOfInput) (*templateDataOfOutput, error) {
	out := &templateDataOfOutput{}
	err := s.State.View(func(tx *state.Txn) error {
		v, err := s.instanceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		d := s.detailsOf(tx, v.ID)
		optimized, index, metadata := d.EBSOptimized == nil || *d.EBSOptimized, 0, d.Metadata
		shown := metadata.shown()
		data := templateData{ImageID: v.Launch.ImageID, InstanceType: v.Launch.Type, KeyName: v.Launch.KeyName,
			UserData: v.Launch.UserData, EBSOptimized: &optimized, NoTermination: &d.NoTermination, NoStop: &d.NoStop,
			Monitoring: &monitoring{d.Monitored}, Shutdown: cmp.Or(d.Shutdown, "stop"),
			Placement:   &placement{Zone: v.Zone, GroupName: d.Placement.GroupName, Tenancy: cmp.Or(d.Placement.Tenancy, "default")},
			Hibernation: &hibernationOf{d.Hibernation}, Enclave: &enclaveOf{d.Enclave},
			Maintenance:  &maintenanceOf{cmp.Or(d.Recovery, "default")},
			Reservations: &reservedOptions{cmp.Or(d.Reservations, "open")},
			Names:        &nameOptions{cmp.Or(d.Hostname, ipNames), &d.NameA, &d.NameAAAA},
			Metadata:     &metadataOptions{shown.Tokens, &shown.HopLimit, shown.Endpoint, shown.IPv6, shown.Tags},
		}
		if v.Launch.Profile != "" {
			data.Profile = &instanceProfile{Name: v.Launch.Profile}
		}
		if v.SubnetID != "" {
			deleted := !d.KeepsInterface
			data.Interfaces = list[interfaceOf]{{DeviceIndex: &index, Deleted: &deleted, Description: d.Interface,
				SubnetID: v.SubnetID, CardIndex: &index, Groups: v.Launch.Groups}}
		}
		for _, one := range append([]instanceDisk{d.Root}, d.Disks...) {
			deleted := !one.Keeps
			data.Devices = append(data.Devices, blockDevice{Name: one.Device, Disk: &disk{Encrypted: &one.Encrypted,
				Deleted: &deleted, GiB: &one.GiB, Type: one.Type, Snapshot: one.Snapshot, Key: one.Key}})
		}
		if own := s.tagsOf(tx, v.ID); len(own) > awsTags(own) {
			given := list[tag]{}
			for _, t := range own {
				if awsTags([]tag{t}) == 0 {
					given = append(given, t)
				}
			}
			data.Specifications = list[instanceTags]{{"instance", given}}
		}
		out.Data = data
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return out, nil
}

package ec2

import (
	"slices"

	"tripod/awsapi/operation"
)

// zone is an availability zone as EC2 shows it. All are said to be available: which are down is what Tripod's faults
// hide from its users.
type zone struct {
	OptInStatus        string         `xml:"optInStatus"`
	Messages           list[struct{}] `xml:"messageSet"`
	RegionName         string         `xml:"regionName"`
	ZoneName           string         `xml:"zoneName"`
	ZoneID             string         `xml:"zoneId"`
	GroupName          string         `xml:"groupName"`
	GroupLongName      string         `xml:"groupLongName,omitempty"`
	NetworkBorderGroup string         `xml:"networkBorderGroup"`
	ZoneType           string         `xml:"zoneType"`
	State              string         `xml:"zoneState"`
}

type describeZonesInput struct {
	Names   []string `ec2:"ZoneName"`
	IDs     []string `ec2:"ZoneId"`
	Filters []filter `ec2:"Filter"`
	// All asks for zones that are not opted into too; there are none.
	All bool `ec2:"AllAvailabilityZones"`
}

type describeZonesOutput struct {
	Zones list[zone] `xml:"availabilityZoneInfo"`
}

func (s *Service) describeZones(call *operation.Call, in *describeZonesInput) (*describeZonesOutput, error) {
	ids := s.VPC.ZoneIDs()
	for _, name := range append(slices.Clone(in.Names), in.IDs...) {
		if !slices.Contains(s.VPC.Zones, name) && !slices.Contains(ids, name) {
			return nil, refuse("InvalidParameterValue", "Invalid availability zone: [%s]", clip(name))
		}
	}
	var all []zone
	for i, name := range s.VPC.Zones {
		if len(in.Names) > 0 && !slices.Contains(in.Names, name) || len(in.IDs) > 0 && !slices.Contains(in.IDs, ids[i]) {
			continue
		}
		all = append(all, zone{
			OptInStatus: "opt-in-not-required", RegionName: s.VPC.Region, ZoneName: name, ZoneID: ids[i],
			GroupName: s.VPC.Region + "-zg-1", GroupLongName: zoneGroupName(s.VPC.Region),
			NetworkBorderGroup: s.VPC.Region, ZoneType: "availability-zone", State: "available",
		})
	}
	all, err := matching(call.Operation, all, in.Filters, nil)
	return &describeZonesOutput{all}, err
}

package ec2

import (
	"slices"

	"tripod/awsapi/wire"
)

// zone is an availability zone as EC2 shows it. All are said to be available: which are down is what Tripod's faults hide from its users.
type zone struct {
	OptInStatus        string         `xml:"optInStatus"`
	Messages           list[struct{}] `xml:"messageSet"`
	RegionName         string         `xml:"regionName"`
	ZoneName           string         `xml:"zoneName"`
	ZoneID             string         `xml:"zoneId"`
	GroupName          string         `xml:"groupName"`
	NetworkBorderGroup string         `xml:"networkBorderGroup"`
	ZoneType           string         `xml:"zoneType"`
	State              string         `xml:"zoneState"`
}

var zoneFilters = filters[zone]{
	"zone-name": one(func(z zone) string { return z.ZoneName }), "zone-id": one(func(z zone) string { return z.ZoneID }),
	"region-name": one(func(z zone) string { return z.RegionName }), "state": one(func(z zone) string { return z.State }),
	"zone-type": one(func(z zone) string { return z.ZoneType }), "group-name": one(func(z zone) string { return z.GroupName }),
	"opt-in-status": one(func(z zone) string { return z.OptInStatus }), "message": func(zone) []string { return nil },
}

func (s *Service) zoneActions() map[string]action {
	return map[string]action{"DescribeAvailabilityZones": typed(s.describeZones), "DescribeRegions": typed(s.describeRegions)}
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

func (s *Service) describeZones(_ *wire.Call, in *describeZonesInput) (*describeZonesOutput, error) {
	ids := s.VPC.ZoneIDs()
	for _, name := range append(slices.Clone(in.Names), in.IDs...) {
		if !slices.Contains(s.VPC.Zones, name) && !slices.Contains(ids, name) {
			return nil, refuse("InvalidParameterValue", "Invalid availability zone: ["+clip(name)+"]")
		}
	}
	var all []zone
	for i, name := range s.VPC.Zones {
		if len(in.Names) > 0 && !slices.Contains(in.Names, name) || len(in.IDs) > 0 && !slices.Contains(in.IDs, ids[i]) {
			continue
		}
		all = append(all, zone{
			OptInStatus: "opt-in-not-required", RegionName: s.VPC.Region, ZoneName: name, ZoneID: ids[i], GroupName: s.VPC.Region + "-zg-1",
			NetworkBorderGroup: s.VPC.Region, ZoneType: "availability-zone", State: "available",
		})
	}
	all, err := matching(all, in.Filters, zoneFilters, nil)
	return &describeZonesOutput{all}, err
}

// regionItem is a region as EC2 shows it: the only one here is Tripod's.
type regionItem struct {
	OptInStatus string `xml:"optInStatus"`
	Name        string `xml:"regionName"`
	Endpoint    string `xml:"regionEndpoint"`
}

var regionFilters = filters[regionItem]{
	"region-name": one(func(r regionItem) string { return r.Name }), "endpoint": one(func(r regionItem) string { return r.Endpoint }),
	"opt-in-status": one(func(r regionItem) string { return r.OptInStatus }),
}

type describeRegionsInput struct {
	Names   []string `ec2:"RegionName"`
	Filters []filter `ec2:"Filter"`
	// All asks for regions that are not opted into too; there are none.
	All bool `ec2:"AllRegions"`
}

type describeRegionsOutput struct {
	Regions list[regionItem] `xml:"regionInfo"`
}

func (s *Service) describeRegions(_ *wire.Call, in *describeRegionsInput) (*describeRegionsOutput, error) {
	for _, name := range in.Names {
		if name != s.VPC.Region {
			return nil, refuse("InvalidParameterValue", "Invalid region: ["+clip(name)+"]: this Tripod is "+s.VPC.Region+".")
		}
	}
	all := []regionItem{{"opt-in-not-required", s.VPC.Region, "ec2." + s.VPC.Region + ".amazonaws.com"}}
	all, err := matching(all, in.Filters, regionFilters, nil)
	return &describeRegionsOutput{all}, err
}

package ec2

import (
	"cmp"
	_ "embed"
	"slices"
	"strings"
	"sync"

	"tripod/awsapi/operation"
	"tripod/internal/instancetypes"
)

//go:embed instancetypenames.txt
var instanceTypeNames string // all that AWS has or had, sorted, but for the newest

var allInstanceTypes = sync.OnceValue(func() []string { return strings.Fields(instanceTypeNames) })

// CheckInstanceTypes says, in the words of EC2, which of the instance types AWS does not have. It has more than the
// catalogue tells of.
func CheckInstanceTypes(names []string) error {
	var unknown []string
	for _, name := range names {
		_, found := instancetypes.Find(name)
		if !found {
			_, found = slices.BinarySearch(allInstanceTypes(), name)
		}
		if !found {
			unknown = append(unknown, clip(name))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return refuse("InvalidInstanceType", "The following supplied instance types do not exist: [%s]",
		strings.Join(unknown, ", "))
}

// typesNamed are the instance types with those names; without names, all.
func typesNamed(names []string) ([]instanceType, error) {
	var types []instanceType
	if len(names) == 0 {
		for _, t := range instancetypes.All() {
			types = append(types, described(t))
		}
		return types, nil
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		t, found := instancetypes.Find(name)
		if !found { // Apple's, and those that AWS has withdrawn
			return nil, refuse("UnsupportedOperation", "Tripod does not have the instance type %s in its catalogue yet.", name)
		}
		types = append(types, described(t))
	}
	return types, nil
}

type describeInstanceTypesInput struct {
	Names      []string `ec2:"InstanceType"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
	// IncludeUnsupported asks for types of other regions, too: there are none.
	IncludeUnsupported bool `ec2:"IncludeUnsupportedInRegion"`
}

type describeInstanceTypesOutput struct {
	Types     list[instanceType] `xml:"instanceTypeSet"`
	NextToken string             `xml:"nextToken,omitempty"`
}

func (s *Service) describeInstanceTypes(call *operation.Call,
	in *describeInstanceTypesInput) (*describeInstanceTypesOutput, error) {
	if err := CheckInstanceTypes(in.Names); err != nil {
		return nil, err
	}
	types, err := typesNamed(in.Names)
	if err != nil {
		return nil, err
	}
	found, err := matching(call.Operation, types, in.Filters, nil)
	if err != nil {
		return nil, err
	}
	out := &describeInstanceTypesOutput{}
	out.Types, out.NextToken,
		err = cut(call.Operation, found, page{in.Filters, in.MaxResults, in.NextToken}, in.Names,
		func(t instanceType) string { return t.Name })
	return out, err
}

// offering says that an instance type is to be had in a place: all of them are, in every zone.
type offering struct {
	InstanceType string `xml:"instanceType"`
	LocationType string `xml:"locationType"`
	Location     string `xml:"location"`
}

type describeOfferingsInput struct {
	LocationType string   `ec2:"LocationType"`
	Filters      []filter `ec2:"Filter"`
	MaxResults   *int     `ec2:"MaxResults"`
	NextToken    string   `ec2:"NextToken"`
}

type describeOfferingsOutput struct {
	Offerings list[offering] `xml:"instanceTypeOfferingSet"`
	NextToken string         `xml:"nextToken,omitempty"`
}

func (s *Service) describeOfferings(call *operation.Call, in *describeOfferingsInput) (*describeOfferingsOutput,
	error) {
	locationType := cmp.Or(in.LocationType, "region")
	locations, known := map[string][]string{"region": {s.VPC.Region}, "availability-zone": s.VPC.Zones,
		"availability-zone-id": s.VPC.ZoneIDs()}[locationType]
	if !known {
		return nil, refuse("InvalidParameterValue", "LocationType must be region, availability-zone or availability-zone-id.")
	}
	var all []offering
	for _, name := range instancetypes.Names() {
		for _, location := range locations {
			all = append(all, offering{name, locationType, location})
		}
	}
	all, err := matching(call.Operation, all, in.Filters, nil)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b offering) int { return cmp.Compare(a.place(), b.place()) })
	out := &describeOfferingsOutput{}
	// a token is of one kind of location
	p := page{append(in.Filters, filter{"location-type", []string{locationType}}), in.MaxResults, in.NextToken}
	out.Offerings, out.NextToken, err = cut(call.Operation, all, p, nil, offering.place)
	return out, err
}

func (o offering) place() string { return o.InstanceType + "/" + o.Location }

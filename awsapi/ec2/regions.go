package ec2

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"tripod/awsapi/operation"
)

//go:embed regions.txt
var regionTable string

// regionItem is a region as EC2 shows it. AWS's other regions are named, as tools look for them; of theirs only
// Tripod's is served.
type regionItem struct {
	OptInStatus string `xml:"optInStatus"`
	Name        string `xml:"regionName"`
	Endpoint    string `xml:"regionEndpoint"`

	longName string
}

// What an account's access to a region is called.
const (
	optInNotRequired = "opt-in-not-required"
	optedIn          = "opted-in"
	notOptedIn       = "not-opted-in"
)

// awsRegions are those of AWS, in the order of their names.
var awsRegions = sync.OnceValue(func() (all []regionItem) {
	for line := range strings.Lines(regionTable) {
		name, longName, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "#" {
			continue
		}
		r := regionItem{optInNotRequired, name, "ec2." + name + ".amazonaws.com", longName}
		if opt, found := strings.CutPrefix(name, "*"); found {
			r = regionItem{notOptedIn, opt, "ec2." + opt + ".amazonaws.com", longName}
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b regionItem) int { return strings.Compare(a.Name, b.Name) })
	return all
})

// regions are AWS's, and Tripod's own: whoever runs it has access to that.
func (s *Service) regions() []regionItem {
	all := slices.Clone(awsRegions())
	at := slices.IndexFunc(all, func(r regionItem) bool { return r.Name == s.VPC.Region })
	switch {
	case at < 0:
		all = append(all, regionItem{OptInStatus: optInNotRequired, Name: s.VPC.Region,
			Endpoint: "ec2." + s.VPC.Region + ".amazonaws.com"})
	case all[at].OptInStatus == notOptedIn:
		all[at].OptInStatus = optedIn
	}
	return all
}

// zoneGroupName is the long name of the group that a region's zones are in; empty where AWS has no such region.
func zoneGroupName(region string) string {
	for _, r := range awsRegions() {
		if r.Name == region {
			return r.longName + " 1"
		}
	}
	return ""
}

type describeRegionsInput struct {
	Names   []string `ec2:"RegionName"`
	Filters []filter `ec2:"Filter"`
	All     bool     `ec2:"AllRegions"` // also those that the account has not opted into
}

type describeRegionsOutput struct {
	Regions list[regionItem] `xml:"regionInfo"`
}

func (s *Service) describeRegions(call *operation.Call, in *describeRegionsInput) (*describeRegionsOutput, error) {
	all := s.regions()
	for _, name := range in.Names {
		if !slices.ContainsFunc(all, func(r regionItem) bool { return r.Name == name }) {
			return nil, refuse("InvalidParameterValue", "Invalid region: [%s]", clip(name))
		}
	}
	all = slices.DeleteFunc(all, func(r regionItem) bool {
		if len(in.Names) > 0 {
			return !slices.Contains(in.Names, r.Name)
		}
		return !in.All && r.OptInStatus == notOptedIn
	})
	all, err := matching(call.Operation, all, in.Filters, nil)
	return &describeRegionsOutput{all}, err
}

package ec2

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"tripod/awsapi/operation"
	"tripod/internal/instancetypes"
)

// products are what EC2 has spot prices for. All Linux cost alike, Windows more.
var products = []string{
	"Linux/UNIX", "Linux/UNIX (Amazon VPC)", "Red Hat Enterprise Linux", "SUSE Linux", "Windows", "Windows (Amazon VPC)",
}

// spotPrice is the price of spot instances since a time.
type spotPrice struct {
	Zone    string `xml:"availabilityZone"`
	ZoneID  string `xml:"availabilityZoneId"`
	Type    string `xml:"instanceType"`
	Product string `xml:"productDescription"`
	Price   string `xml:"spotPrice"`
	Since   string `xml:"timestamp"`
}

type spotPricesInput struct {
	Types      []string `ec2:"InstanceType"`
	Products   []string `ec2:"ProductDescription"`
	Filters    []filter `ec2:"Filter"`
	Zone       string   `ec2:"AvailabilityZone"`
	ZoneID     string   `ec2:"AvailabilityZoneId"`
	Start      string   `ec2:"StartTime"`
	End        string   `ec2:"EndTime"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type spotPricesOutput struct {
	Prices    list[spotPrice] `xml:"spotPriceHistorySet"`
	NextToken string          `xml:"nextToken"` // there when empty, as EC2 has it
}

// spotPrices are constant: each has been the same since the beginning of the day, and was before.
func (s *Service) spotPrices(call *operation.Call, in *spotPricesInput) (*spotPricesOutput, error) {
	if err := CheckInstanceTypes(in.Types); err != nil {
		return nil, err
	}
	if in.Zone != "" && !slices.Contains(s.VPC.Zones, in.Zone) {
		return nil, refuse("InvalidParameterValue", "Invalid availability zone: [%s]", clip(in.Zone))
	}
	since := timestamp(s.now().UTC().Truncate(24 * time.Hour))
	var all []spotPrice
	for _, t := range instancetypes.All() {
		if !t.Has(instancetypes.Spot) || len(in.Types) > 0 && !slices.Contains(in.Types, t.Name) {
			continue
		}
		for i, zone := range s.VPC.Zones {
			if in.Zone != "" && zone != in.Zone || in.ZoneID != "" && s.VPC.ZoneIDs()[i] != in.ZoneID {
				continue
			}
			for _, product := range s.productsAsked(in) {
				all = append(all, spotPrice{zone, s.VPC.ZoneIDs()[i], t.Name, product, priceOf(t, zone, product), since})
			}
		}
	}
	all, err := matching(call.Operation, all, in.Filters, nil)
	if err != nil {
		return nil, err
	}
	out := &spotPricesOutput{}
	// a token is of one list of types, products and zones
	asked := append(slices.Clone(in.Filters), filter{"types", in.Types}, filter{"products", in.Products},
		filter{"zone", []string{in.Zone, in.ZoneID}})
	if in.MaxResults != nil && *in.MaxResults > 1000 {
		*in.MaxResults = 1000
	}
	slices.SortFunc(all, func(a, b spotPrice) int { return cmp.Compare(a.key(), b.key()) })
	out.Prices, out.NextToken, err = cut(call.Operation, all, page{asked, in.MaxResults, in.NextToken}, nil, spotPrice.key)
	return out, err
}

// productsAsked are those that the call names, or whose filter has them: prices of others are not made.
func (s *Service) productsAsked(in *spotPricesInput) []string {
	if len(in.Products) == 0 {
		return products
	}
	return slices.DeleteFunc(slices.Clone(products), func(p string) bool { return !slices.Contains(in.Products, p) })
}

func (p spotPrice) key() string { return p.Type + "/" + p.Zone + "/" + p.Product }

// windowsPerVCPU is what Windows adds to the price of an hour, in US dollars a vCPU.
const windowsPerVCPU = 0.046

func priceOf(t instancetypes.Type, zone, product string) string {
	price := t.SpotPrice(zone)
	if product[0] == 'W' {
		price += windowsPerVCPU * float64(t.VCPUs)
	}
	return strconv.FormatFloat(price, 'f', 6, 64)
}

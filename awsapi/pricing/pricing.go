// Package pricing is the AWS Price List API, as far as tools ask it what an EC2 instance costs: on demand, with Linux, in
// the region. Prices are those of us-east-1, wherever the region is.
package pricing

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/internal/instancetypes"
)

// Name is the service's signing name.
const Name = "pricing"

const ec2Service = "AmazonEC2"

// Service answers from package instancetypes.
type Service struct {
	Region string
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := &operation.JSONAPI{Name: Name, Actions: s.actions()}
	return operation.Service{
		Title: "Price List", Name: Name, Protocol: wire.AWSJSON, APIs: []operation.API{api}, BodyLimit: 64 << 10,
		Errors: operation.Errors{Internal: "InternalErrorException"},
		Documented: operation.DocumentBy(api.Names(), []operation.Clause{
			{Words: []string{""}, State: operation.Works,
				Effect: "EC2 instances on demand with Linux; prices of us-east-1 as of 2026, in any region"},
		}),
	}
}

func (s *Service) actions() map[string]operation.Action {
	return map[string]operation.Action{
		"DescribeServices":   operation.JSONOf(s.describeServices),
		"GetAttributeValues": operation.JSONOf(s.getAttributeValues),
		"GetProducts":        operation.JSONOf(s.getProducts),
	}
}

// attributes are those of an instance in the price list, by name.
func (s *Service) attributes(t instancetypes.Type) map[string]string {
	manufacturer := map[string]string{"AWS": "AWS Graviton Processor", "AMD": "AMD EPYC"}[t.Manufacturer]
	if manufacturer == "" {
		manufacturer = "Intel Xeon Platinum"
	}
	a := map[string]string{
		"instanceType": t.Name, "regionCode": s.Region, "servicecode": ec2Service, "servicename": "Amazon Elastic Compute Cloud",
		"operatingSystem": "Linux", "preInstalledSw": "NA", "capacitystatus": "Used", "marketoption": "OnDemand",
		"tenancy": "Shared", "licenseModel": "No License required", "locationType": "AWS Region", "location": location(s.Region),
		"operation": "RunInstances", "usagetype": "BoxUsage:" + t.Name, "vcpu": strconv.Itoa(t.VCPUs),
		"memory":             strconv.FormatFloat(float64(t.MiB)/1024, 'f', -1, 64) + " GiB",
		"networkPerformance": t.Network.Performance, "physicalProcessor": manufacturer, "processorArchitecture": "64-bit",
		"currentGeneration": map[bool]string{true: "Yes", false: "No"}[t.Has(instancetypes.Current)], "storage": "EBS only",
		"availabilityzone": "NA", "instancesku": "NA",
	}
	if t.Has(instancetypes.BareMetal) {
		a["tenancy"], a["usagetype"] = "Dedicated", "DedicatedUsage:"+t.Name
	}
	if d := t.Disks; d.Count > 0 {
		a["storage"] = fmt.Sprintf("%d x %d NVMe %s", d.Count, d.GB, strings.ToUpper(d.Kind))
	}
	for _, gpu := range t.Of(instancetypes.GPU) {
		a["gpu"] = strconv.Itoa(gpu.Count)
	}
	return a
}

// family is the product family: bare metal is one of its own.
func family(t instancetypes.Type) string {
	if t.Has(instancetypes.BareMetal) {
		return "Compute Instance (bare metal)"
	}
	return "Compute Instance"
}

// location is a region's name for people, as the price list has it.
func location(region string) string {
	known := map[string]string{"us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)",
		"us-west-1": "US West (N. California)", "us-west-2": "US West (Oregon)", "eu-west-1": "EU (Ireland)",
		"eu-central-1": "EU (Frankfurt)", "ap-northeast-1": "Asia Pacific (Tokyo)"}
	if name := known[region]; name != "" {
		return name
	}
	return region
}

type filter struct{ Field, Type, Value string }

// passes says whether attributes pass a filter; the type of match is a term's or a pattern's.
func (f filter) passes(attributes map[string]string) (bool, error) {
	value := ""
	for name, v := range attributes { // names are taken in any case
		if strings.EqualFold(name, f.Field) {
			value = v
		}
	}
	switch f.Type {
	case "TERM_MATCH", "EQUALS":
		return value == f.Value || strings.EqualFold(f.Field, "servicecode") && f.Value == ec2Service, nil
	case "CONTAINS":
		return strings.Contains(value, f.Value), nil
	case "ANY_OF":
		return slices.Contains(strings.Split(f.Value, ","), value), nil
	case "NONE_OF":
		return !slices.Contains(strings.Split(f.Value, ","), value), nil
	}
	return false, refuse("InvalidParameterException", "1 validation error detected: Value '"+wire.Clip(f.Type)+
		"' at 'filters.1.member.type' failed to satisfy constraint: Member must satisfy enum value set: [TERM_MATCH, EQUALS, "+
		"CONTAINS, ANY_OF, NONE_OF]")
}

func refuse(code, message string) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: message}
}

type getProductsInput struct {
	ServiceCode, FormatVersion string
	Filters                    []filter
	MaxResults                 *int
	NextToken                  *string
}

type getProductsOutput struct {
	FormatVersion string
	PriceList     []string
	NextToken     *string `json:",omitempty"`
}

func (s *Service) getProducts(call *operation.Call, in *getProductsInput) (*getProductsOutput, error) {
	if err := call.Authorize(wire.AWSJSON, "pricing:GetProducts", "*"); err != nil {
		return nil, err
	}
	if in.ServiceCode == "" {
		return nil, refuse("InvalidParameterException", "ServiceCode is required")
	}
	out := &getProductsOutput{FormatVersion: "aws_v1", PriceList: []string{}}
	if in.ServiceCode != ec2Service {
		return out, nil
	}
	var found []instancetypes.Type
	for _, t := range instancetypes.All() {
		passes, attributes := true, s.attributes(t)
		attributes["productFamily"] = family(t) // a filter like any other
		for _, f := range in.Filters {
			one, err := f.passes(attributes)
			if err != nil {
				return nil, err
			}
			passes = passes && one
		}
		if passes {
			found = append(found, t)
		}
	}
	size, err := pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	asked, _ := json.Marshal(in.Filters) // strings have JSON
	page, next, ok := wire.Page("GetProducts"+string(asked), size, in.NextToken, found,
		func(t instancetypes.Type) string { return t.Name })
	if !ok {
		return nil, refuse("InvalidNextTokenException", "The pagination token is invalid. Try again without a pagination token.")
	}
	for _, t := range page {
		out.PriceList = append(out.PriceList, s.product(t))
	}
	out.NextToken = next
	return out, nil
}

func pageSize(asked *int) (int, error) {
	switch {
	case asked == nil:
		return 100, nil
	case *asked < 1 || *asked > 100:
		return 0, refuse("InvalidParameterException", "MaxResults must be between 1 and 100")
	}
	return *asked, nil
}

// product is one entry of the price list: JSON in a string.
func (s *Service) product(t instancetypes.Type) string {
	sku := strings.ToUpper(strings.NewReplacer(".", "", "-", "").Replace(t.Name))
	const offer, rate = "JRTCKXETXF", "6YS6EN2CT7" // those of all prices on demand
	type dimension struct {
		Unit         string            `json:"unit"`
		EndRange     string            `json:"endRange"`
		BeginRange   string            `json:"beginRange"`
		Description  string            `json:"description"`
		AppliesTo    []string          `json:"appliesTo"`
		RateCode     string            `json:"rateCode"`
		PricePerUnit map[string]string `json:"pricePerUnit"`
	}
	price := strconv.FormatFloat(t.Price, 'f', 10, 64)
	text, _ := json.Marshal(map[string]any{ // strings and maps have JSON
		"product":     map[string]any{"productFamily": family(t), "attributes": s.attributes(t), "sku": sku},
		"serviceCode": ec2Service, "version": "20260501000000", "publicationDate": "2026-05-01T00:00:00Z",
		"terms": map[string]any{"OnDemand": map[string]any{sku + "." + offer: map[string]any{
			"sku": sku, "offerTermCode": offer, "effectiveDate": "2026-05-01T00:00:00Z", "termAttributes": map[string]string{},
			"priceDimensions": map[string]dimension{sku + "." + offer + "." + rate: {
				"Hrs", "Inf", "0", "$" + price + " per On Demand Linux " + t.Name + " Instance Hour", []string{},
				sku + "." + offer + "." + rate, map[string]string{"USD": price},
			}},
		}}},
	})
	return string(text)
}

type describeServicesInput struct {
	ServiceCode string
}

type serviceDescription struct {
	ServiceCode    string
	AttributeNames []string
}

type describeServicesOutput struct {
	FormatVersion string
	Services      []serviceDescription
}

func (s *Service) describeServices(call *operation.Call, in *describeServicesInput) (*describeServicesOutput, error) {
	if err := call.Authorize(wire.AWSJSON, "pricing:DescribeServices", "*"); err != nil {
		return nil, err
	}
	if in.ServiceCode != "" && in.ServiceCode != ec2Service {
		return nil, refuse("InvalidParameterException", "The service code "+wire.Clip(in.ServiceCode)+" is not in Tripod's price list: "+
			"it has "+ec2Service+" only.")
	}
	return &describeServicesOutput{"aws_v1", []serviceDescription{{ec2Service, s.attributeNames()}}}, nil
}

func (s *Service) attributeNames() []string {
	names := map[string]bool{}
	for _, t := range instancetypes.All() {
		for name := range s.attributes(t) {
			names[name] = true
		}
	}
	return sorted(names)
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

type getAttributeValuesInput struct {
	ServiceCode, AttributeName string
	MaxResults                 *int
	NextToken                  *string
}

type attributeValue struct{ Value string }

type getAttributeValuesOutput struct {
	AttributeValues []attributeValue
	NextToken       *string `json:",omitempty"`
}

func (s *Service) getAttributeValues(call *operation.Call, in *getAttributeValuesInput) (*getAttributeValuesOutput, error) {
	if err := call.Authorize(wire.AWSJSON, "pricing:GetAttributeValues", "*"); err != nil {
		return nil, err
	}
	values := map[string]bool{}
	if in.ServiceCode == ec2Service {
		for _, t := range instancetypes.All() {
			if value, has := s.attributes(t)[in.AttributeName]; has {
				values[value] = true
			}
		}
	}
	size, err := pageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	page, next, ok := wire.Page("GetAttributeValues"+in.AttributeName, size, in.NextToken, sorted(values),
		func(v string) string { return v })
	if !ok {
		return nil, refuse("InvalidNextTokenException", "The pagination token is invalid. Try again without a pagination token.")
	}
	out := &getAttributeValuesOutput{NextToken: next, AttributeValues: []attributeValue{}}
	for _, v := range page {
		out.AttributeValues = append(out.AttributeValues, attributeValue{v})
	}
	return out, nil
}

package ssm

import (
	"encoding/json"
	"slices"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// filterKeys are those that DescribeParameters takes; tag:KEY beside them.
var filterKeys = []string{"Name", "Type", "KeyId", "Path", "Label", "Tier", "DataType"}

// metadata is a parameter without its value.
type metadata struct {
	Name             string
	ARN              string
	Type             string
	KeyID            string `json:"KeyId,omitempty"`
	LastModifiedDate seconds
	LastModifiedUser string
	Description      string `json:",omitempty"`
	AllowedPattern   string `json:",omitempty"`
	Version          int64
	Tier             string
	Policies         []struct{}
	DataType         string
}

func (s *Service) describe(p Parameter, v *Version) metadata {
	return metadata{p.Name, s.arn(p.Name), p.Type, p.KeyID, epoch(v.Changed), v.User, p.Description, p.Pattern, v.Number, p.Tier,
		[]struct{}{}, p.DataType}
}

type describeInput struct {
	Filters          []parameterFilter // the older ones: equal, or the beginning of a name
	ParameterFilters []parameterFilter
	MaxResults       *int
	NextToken        *string
	Shared           bool
}

type describeOutput struct {
	Parameters []metadata
	NextToken  *string `json:",omitempty"`
}

func (s *Service) describeParameters(call *operation.Call, in *describeInput) (*describeOutput, error) {
	if err := s.may(call); err != nil {
		return nil, err
	}
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, refuse("ValidationException", "You can use either Filters or ParameterFilters in a single request.")
	}
	for i := range in.Filters {
		if in.Filters[i].Key == "Name" {
			in.Filters[i].Option = "BeginsWith"
		}
	}
	filters := slices.Concat(in.Filters, in.ParameterFilters)
	for _, f := range filters {
		if !slices.Contains(filterKeys, f.Key) && (len(f.Key) < 5 || f.Key[:4] != "tag:") {
			return nil, refuse("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [Name, Type, KeyId, "+
				"Path, Label, Tier, DataType, tag:KEY].", wire.Clip(f.Key))
		}
	}
	size, err := pageSize(in.MaxResults, 50)
	if err != nil {
		return nil, err
	}
	out := &describeOutput{Parameters: []metadata{}}
	return out, s.State.View(func(tx *state.Txn) error {
		var found []Parameter
		for _, p := range parameters.List(tx) {
			if passAll(filters, p) {
				found = append(found, p)
			}
		}
		asked, _ := json.Marshal(filters) // strings have JSON
		page, next, ok := wire.Page("DescribeParameters"+string(asked), size, in.NextToken, found,
			func(p Parameter) string { return p.Name })
		if !ok {
			return refuse("InvalidNextToken", "The specified token is not valid.")
		}
		for _, p := range page {
			out.Parameters = append(out.Parameters, s.describe(p, p.newest()))
		}
		out.NextToken = next
		return nil
	})
}

type historyInput struct {
	Name           string
	WithDecryption bool
	MaxResults     *int
	NextToken      *string
}

type historyEntry struct {
	metadata
	Value  string
	Labels []string
}

type historyOutput struct {
	Parameters []historyEntry
	NextToken  *string `json:",omitempty"`
}

func (s *Service) getParameterHistory(call *operation.Call, in *historyInput) (*historyOutput, error) {
	name := plainName(in.Name)
	if err := s.may(call, name); err != nil {
		return nil, err
	}
	size, err := pageSize(in.MaxResults, 50)
	if err != nil {
		return nil, err
	}
	out := &historyOutput{Parameters: []historyEntry{}}
	return out, s.State.View(func(tx *state.Txn) error {
		p, _, _, err := s.find(tx, name)
		if err != nil {
			return err
		}
		page, next, ok := wire.Page("GetParameterHistory"+name, size, in.NextToken, p.Versions,
			func(v Version) string { return versionKey(v.Number) })
		if !ok {
			return refuse("InvalidNextToken", "The specified token is not valid.")
		}
		for i := range page {
			one, err := s.show(tx, call, p, &page[i], "", in.WithDecryption)
			if err != nil {
				return err
			}
			out.Parameters = append(out.Parameters, historyEntry{s.describe(p, &page[i]), one.Value,
				append([]string{}, page[i].Labels...)})
		}
		out.NextToken = next
		return nil
	})
}

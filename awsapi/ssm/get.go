package ssm

import (
	"cmp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/nodes/image"
	"tripod/state"
)

// shown is a parameter with its value.
type shown struct {
	Name             string
	Type             string
	Value            string
	Version          int64
	Selector         string `json:",omitempty"`
	LastModifiedDate seconds
	ARN              string
	DataType         string
}

// show is a parameter as the caller may see it: a secret is decrypted for who may use its key.
func (s *Service) show(tx *state.Txn, call *operation.Call, p Parameter, v *Version, selector string, decrypt bool) (shown,
	error) {
	value := v.Value
	if p.Type == secure && !decrypt {
		value = p.opaque(v)
	} else if err := s.mayUse(tx, call, p, "Decrypt"); err != nil {
		return shown{}, err
	}
	if selector != "" {
		selector = ":" + selector
	}
	return shown{p.Name, p.Type, value, v.Number, selector, epoch(v.Changed), s.arn(p.Name), p.DataType}, nil
}

// find is a parameter of AWS's or of a user's, with one of its versions.
func (s *Service) find(tx *state.Txn, name string) (Parameter, *Version, string, error) {
	plain, selector := selected(name)
	p, found := public(plain)
	if !found {
		p, found = parameters.Get(tx, plain)
	}
	if !found {
		return Parameter{}, nil, "", refuse("ParameterNotFound", "Parameter %s not found.", wire.Clip(plain))
	}
	v := p.version(selector)
	if v == nil {
		return Parameter{}, nil, "", refuse("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the "+
			"version and try again.", wire.Clip(selector), p.Name)
	}
	return p, v, selector, nil
}

// public is a parameter of AWS's.
func public(name string) (Parameter, bool) {
	all := image.Parameters()
	i, found := slices.BinarySearchFunc(all, name, func(p image.Parameter, name string) int { return cmp.Compare(p.Name, name) })
	if !found {
		return Parameter{}, false
	}
	return publicParameter(all[i]), true
}

func publicParameter(p image.Parameter) Parameter {
	return Parameter{Name: p.Name, Type: "String", DataType: p.DataType, Tier: standard,
		Versions: []Version{{Number: 1, Value: p.Value, Changed: p.Changed, User: "arn:aws:iam::000000000000:root"}}}
}

type getParameterInput struct {
	Name           string
	WithDecryption bool
}

type getParameterOutput struct{ Parameter shown }

func (s *Service) getParameter(call *operation.Call, in *getParameterInput) (*getParameterOutput, error) {
	plain, _ := selected(in.Name)
	if err := s.may(call, plain); err != nil {
		return nil, err
	}
	out := &getParameterOutput{}
	return out, s.State.View(func(tx *state.Txn) error {
		p, v, selector, err := s.find(tx, in.Name)
		if err != nil {
			return err
		}
		out.Parameter, err = s.show(tx, call, p, v, selector, in.WithDecryption)
		return err
	})
}

type getParametersInput struct {
	Names          []string
	WithDecryption bool
}

type getParametersOutput struct {
	Parameters        []shown
	InvalidParameters []string
}

func (s *Service) getParameters(call *operation.Call, in *getParametersInput) (*getParametersOutput, error) {
	if len(in.Names) == 0 || len(in.Names) > 10 {
		return nil, operation.InvalidInput("1 validation error detected: Value at 'names' failed to satisfy constraint: Member " +
			"must have length less than or equal to 10")
	}
	plain := make([]string, len(in.Names))
	for i, name := range in.Names {
		plain[i], _ = selected(name)
	}
	if err := s.may(call, plain...); err != nil {
		return nil, err
	}
	out := &getParametersOutput{Parameters: []shown{}, InvalidParameters: []string{}}
	return out, s.State.View(func(tx *state.Txn) error {
		for i, name := range in.Names {
			if slices.Contains(in.Names[:i], name) {
				continue
			}
			p, v, selector, err := s.find(tx, name)
			if err != nil {
				out.InvalidParameters = append(out.InvalidParameters, name)
				continue
			}
			one, err := s.show(tx, call, p, v, selector, in.WithDecryption)
			if err != nil {
				return err
			}
			out.Parameters = append(out.Parameters, one)
		}
		return nil
	})
}

type parameterFilter struct {
	Key    string
	Option string
	Values []string
}

type getByPathInput struct {
	Path             string
	Recursive        bool
	WithDecryption   bool
	ParameterFilters []parameterFilter
	MaxResults       *int
	NextToken        *string
}

type getByPathOutput struct {
	Parameters []shown
	NextToken  *string `json:",omitempty"`
}

func (s *Service) getParametersByPath(call *operation.Call, in *getByPathInput) (*getByPathOutput, error) {
	if err := s.may(call, in.Path); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(in.Path, "/") {
		return nil, refuse("ValidationException", "The parameter doesn't meet the parameter name requirements. The parameter name must "+
			"begin with a forward slash \"/\". It can't be prefixed with \\\"aws\\\" or \\\"ssm\\\" (case-insensitive). It must use only "+
			"letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. "+
			"All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")
	}
	size, err := pageSize(in.MaxResults, 10)
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(in.Path, "/") + "/"
	out := &getByPathOutput{Parameters: []shown{}}
	return out, s.State.View(func(tx *state.Txn) error {
		var found []Parameter
		for _, p := range s.below(tx, path) {
			if rest := strings.TrimPrefix(p.Name, path); (in.Recursive || !strings.Contains(rest, "/")) && passAll(in.ParameterFilters, p) {
				found = append(found, p)
			}
		}
		page, next, ok := wire.Page("GetParametersByPath"+path, size, in.NextToken, found, func(p Parameter) string { return p.Name })
		if !ok {
			return refuse("InvalidNextToken", "The specified token is not valid.")
		}
		for _, p := range page {
			one, err := s.show(tx, call, p, p.newest(), "", in.WithDecryption)
			if err != nil {
				return err
			}
			out.Parameters = append(out.Parameters, one)
		}
		out.NextToken = next
		return nil
	})
}

// below are all parameters whose names begin with a prefix; AWS's are there for those who ask for them.
func (s *Service) below(tx *state.Txn, prefix string) []Parameter {
	all := parameters.Under(tx, prefix)
	if !strings.HasPrefix(prefix, "/aws/service/") {
		return all
	}
	for _, p := range image.Parameters() {
		if strings.HasPrefix(p.Name, prefix) {
			all = append(all, publicParameter(p))
		}
	}
	return all
}

func pageSize(asked *int, most int) (int, error) {
	switch {
	case asked == nil:
		return most, nil
	case *asked < 1 || *asked > most:
		return 0, operation.InvalidInput("1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member " +
			"must have a value that the operation's reference allows")
	}
	return *asked, nil
}

// passAll says whether a parameter passes all filters.
func passAll(filters []parameterFilter, p Parameter) bool {
	return !slices.ContainsFunc(filters, func(f parameterFilter) bool { return !f.passes(p) })
}

func (f parameterFilter) passes(p Parameter) bool {
	values := []string{}
	switch key, isTag := strings.CutPrefix(f.Key, "tag:"); {
	case isTag:
		value, has := p.Tags[key]
		if len(f.Values) == 0 || !has {
			return has
		}
		values = append(values, value)
	case f.Key == "Name":
		values = append(values, p.Name, strings.TrimPrefix(p.Name, "/"))
	case f.Key == "Type":
		values = append(values, p.Type)
	case f.Key == "KeyId":
		values = append(values, p.KeyID)
	case f.Key == "Tier":
		values = append(values, p.Tier)
	case f.Key == "DataType":
		values = append(values, p.DataType)
	case f.Key == "Label":
		for _, v := range p.Versions {
			values = append(values, v.Labels...)
		}
	case f.Key == "Path":
		return slices.ContainsFunc(f.Values, func(path string) bool {
			rest, within := strings.CutPrefix(p.Name, strings.TrimSuffix(path, "/")+"/")
			return within && (f.Option == "Recursive" || !strings.Contains(rest, "/"))
		})
	}
	return slices.ContainsFunc(values, func(value string) bool {
		return slices.ContainsFunc(f.Values, func(wanted string) bool {
			switch f.Option {
			case "BeginsWith":
				return strings.HasPrefix(value, wanted)
			case "Contains":
				return strings.Contains(value, wanted)
			}
			return value == wanted
		})
	})
}

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
)

// model is the part of botocore's model that is of use here.
type model struct {
	Operations map[string]operation `json:"operations"`
	Shapes     map[string]shape     `json:"shapes"`
}

type operation struct {
	HTTP   binding     `json:"http"`
	Input  *reference  `json:"input"`
	Errors []reference `json:"errors"`
}

// binding is how an operation is called in a REST protocol.
type binding struct {
	Method string `json:"method"`
	Path   string `json:"requestUri"`
	Status int    `json:"responseCode"`
}

type reference struct {
	Shape string `json:"shape"`
	// Location is where a member stands: uri, querystring, header; empty for the body. Name is its name there.
	Location string `json:"location"`
	Name     string `json:"locationName"`
}

type shape struct {
	Type     string               `json:"type"`
	Members  map[string]reference `json:"members"`
	Member   *reference           `json:"member"`
	Key      *reference           `json:"key"`
	Value    *reference           `json:"value"`
	Required []string             `json:"required"`
	Enum     []string             `json:"enum"`
	Min      *whole               `json:"min"`
	Max      *whole               `json:"max"`
	Pattern  string               `json:"pattern"`
	// Sensitive is a value that nobody may see again.
	Sensitive bool `json:"sensitive"`
}

// whole is a bound. Those of fractions, which models write as 0.0, are of outputs only: of them the whole part is read.
type whole int64

func (w *whole) UnmarshalJSON(text []byte) error {
	var f float64
	err := json.Unmarshal(text, &f)
	*w = whole(f)
	return err
}

func readModel(path string) (*model, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".gz") {
		unzipped, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if text, err = io.ReadAll(unzipped); err != nil {
			return nil, err
		}
	}
	m := &model{}
	return m, json.Unmarshal(text, m)
}

// inputs are the shapes that an input can hold, at any depth.
func (m *model) inputs() map[string]shape {
	reached := map[string]shape{}
	var reach func(name string)
	reach = func(name string) {
		if _, known := reached[name]; known {
			return
		}
		s := m.Shapes[name]
		reached[name] = s
		for _, member := range s.Members {
			reach(member.Shape)
		}
		for _, part := range []*reference{s.Member, s.Key, s.Value} {
			if part != nil {
				reach(part.Shape)
			}
		}
	}
	for _, op := range m.Operations {
		if op.Input != nil {
			reach(op.Input.Shape)
		}
	}
	return reached
}

// memberName is a structure's member by its field in the SDK: most services begin members with a small letter, and some
// as Go does.
func (m *model) memberName(structure, field string) string {
	small := strings.ToLower(field[:1]) + field[1:]
	if _, found := m.Shapes[structure].Members[small]; found {
		return small
	}
	if _, found := m.Shapes[structure].Members[field]; found || m.capital() {
		return field
	}
	return small
}

// capital says whether the service's inputs have members that begin with a capital letter.
func (m *model) capital() bool {
	for _, op := range m.Operations {
		if op.Input == nil {
			continue
		}
		for name := range m.Shapes[op.Input.Shape].Members {
			if name[:1] == strings.ToUpper(name[:1]) {
				return true
			}
		}
	}
	return false
}

// refusals are the exceptions with which operations refuse bad values, where the model does not give them
// InvalidParameterException.
func (m *model) refusals() map[string]string {
	refusals := map[string]string{}
	for name, op := range m.Operations {
		has := map[string]bool{}
		for _, exception := range op.Errors {
			has[exception.Shape] = true
		}
		if has["InvalidParameterException"] {
			continue
		}
		for _, exception := range []string{"BadRequestException", "InvalidRequestException"} {
			if has[exception] {
				refusals[name] = exception
			}
		}
	}
	return refusals
}

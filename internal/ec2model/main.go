// Command ec2model writes what Amazon's model says of the EC2 operations that Tripod has: their inputs, answers and
// filters. Tests hold the package awsapi/ec2 against it. It also writes the names of all instance types, which that
// package looks up. The model is botocore's service-2.json, also compressed; what is written is checked in, so that
// neither a build nor a test needs the model.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/ec2"
)

type botocore struct {
	Operations map[string]struct {
		Input  *member `json:"input"`
		Output *member `json:"output"`
	} `json:"operations"`
	Shapes map[string]shape `json:"shapes"`
}

type shape struct {
	Type     string            `json:"type"`
	Members  map[string]member `json:"members"`
	Member   *member           `json:"member"`
	Required []string          `json:"required"`
	Enum     []string          `json:"enum"`
}

type member struct {
	Shape         string `json:"shape"`
	LocationName  string `json:"locationName"`
	QueryName     string `json:"queryName"`
	Documentation string `json:"documentation"`
}

// model is what is written. A member's type is string, boolean and the like, the name of a structure, or either of them
// after [] for a list; ! behind it says that it is required.
type model struct {
	Operations map[string]operation `json:"operations"`
	// structures by name: members by the names that requests have for them
	Inputs  map[string]map[string]string `json:"inputs"`
	Outputs map[string]map[string]string `json:"outputs"` // and those in answers
}

type operation struct {
	Input   string   `json:"input,omitempty"`
	Output  string   `json:"output,omitempty"`
	Filters []string `json:"filters,omitempty"`
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: ec2model SERVICE-2.JSON[.GZ] FILE FILE-OF-INSTANCE-TYPES")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "ec2model:", err)
		os.Exit(1)
	}
}

func run(from, to, instanceTypes string) error {
	text, err := read(from)
	if err != nil {
		return err
	}
	var source botocore
	if err := json.Unmarshal(text, &source); err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	m := model{map[string]operation{}, map[string]map[string]string{}, map[string]map[string]string{}}
	for _, offered := range (&ec2.Service{}).Listing().Documented {
		one, found := source.Operations[offered.Operation]
		if !found {
			return fmt.Errorf("the model has no operation %s", offered.Operation)
		}
		var o operation
		if one.Input != nil {
			o.Input = one.Input.Shape
			o.Filters = source.filters(o.Input)
			source.reach(m.Inputs, o.Input, requestName)
		}
		if one.Output != nil {
			o.Output = one.Output.Shape
			source.reach(m.Outputs, o.Output, answerName)
		}
		m.Operations[offered.Operation] = o
	}
	written, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	names := strings.Join(slices.Sorted(slices.Values(source.Shapes["InstanceType"].Enum)), "\n") + "\n"
	return errors.Join(os.WriteFile(to, append(written, '\n'), 0o644), os.WriteFile(instanceTypes, []byte(names), 0o644))
}

func read(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return text, err
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unzipped)
}

// reach adds a structure and those that it holds.
func (b botocore) reach(into map[string]map[string]string, name string, called func(string, member) string) {
	if into[name] != nil {
		return
	}
	s := b.Shapes[name]
	members := map[string]string{}
	into[name] = members
	for field, m := range s.Members {
		text := b.typeOf(into, m.Shape, called)
		if slices.Contains(s.Required, field) {
			text += "!"
		}
		members[called(field, m)] = text
	}
}

func (b botocore) typeOf(into map[string]map[string]string, name string, called func(string, member) string) string {
	switch s := b.Shapes[name]; s.Type {
	case "structure":
		b.reach(into, name, called)
		return name
	case "list":
		return "[]" + b.typeOf(into, s.Member.Shape, called)
	default:
		return s.Type
	}
}

// requestName is a member's name in the protocol's requests.
func requestName(field string, m member) string {
	switch {
	case m.QueryName != "":
		return m.QueryName
	case m.LocationName != "":
		return strings.ToUpper(m.LocationName[:1]) + m.LocationName[1:]
	}
	return field
}

func answerName(field string, m member) string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return field
}

// listed is an item of a documented list of filters: it begins with the filter's name.
var listed = regexp.MustCompile(`<li>\s*<p>\s*<code>([^<]+)</code>`)

// filters are those that the documentation of an input's member Filters lists, without tag:KEY and tag-key, which all
// resources have.
func (b botocore) filters(input string) (names []string) {
	for field, m := range b.Shapes[input].Members {
		if field != "Filters" && field != "Filter" {
			continue
		}
		for _, found := range listed.FindAllStringSubmatch(m.Documentation, -1) {
			if name := strings.TrimSpace(found[1]); !strings.HasPrefix(name, "tag") && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

package ec2

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

//go:generate go run ../../internal/ec2model $EC2_MODEL testdata/model.json

// model is what Amazon says of the operations that Tripod has: internal/ec2model wrote it and tells its form.
type model struct {
	Operations map[string]struct {
		Input, Output string
		Filters       []string
	}
	Inputs, Outputs map[string]map[string]string
}

func readModel(t *testing.T) model {
	t.Helper()
	text, err := os.ReadFile("testdata/model.json")
	if err != nil {
		t.Fatal(err)
	}
	var m model
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// parameters are the names of an operation's parameters with their types, to some depth: the first element stands for a list.
func (m model) parameters(operation string) map[string]string {
	all := map[string]string{}
	var add func(path, structure string, depth int)
	add = func(path, structure string, depth int) {
		for name, kind := range m.Inputs[structure] {
			at := path + name
			for text := strings.TrimSuffix(kind, "!"); strings.HasPrefix(text, "[]"); text = text[2:] {
				at += ".1"
			}
			element := strings.TrimLeft(strings.TrimSuffix(kind, "!"), "[]")
			if m.Inputs[element] == nil {
				all[at] = element
			} else if depth < 5 {
				add(at+".", element, depth+1)
			}
		}
	}
	add("", m.Operations[operation].Input, 0)
	return all
}

// required are an operation's required parameters, with texts in them.
func (m model) required(operation string) map[string]string {
	all := map[string]string{}
	structure := m.Operations[operation].Input
	for name, kind := range m.Inputs[structure] {
		switch {
		case !strings.HasSuffix(kind, "!"):
		case strings.HasPrefix(kind, "[]"):
			all[name+".1"] = "x"
		case m.Inputs[strings.TrimSuffix(kind, "!")] == nil:
			all[name] = "x"
		}
	}
	return all
}

func TestTheModelIsOfTheOperationsThatThereAre(t *testing.T) {
	m := readModel(t)
	got, want := slices.Sorted(maps.Keys(m.Operations)), slices.Sorted(maps.Keys((&Service{}).actions()))
	if !slices.Equal(got, want) {
		t.Errorf("testdata/model.json is stale: run 'EC2_MODEL=.../botocore/data/ec2/2016-11-15/service-2.json.gz go generate ./awsapi/ec2'")
	}
}

// TestZeroOfEveryParameterIsAValue sends false and 0 for each boolean and number that an operation has: what comes of it may be another error, but not
// that the parameter is missing.
func TestZeroOfEveryParameterIsAValue(t *testing.T) {
	m, s, tried := readModel(t), newService(), 0
	for operation := range m.Operations {
		for name, kind := range m.parameters(operation) {
			zero := map[string]string{"boolean": "false", "integer": "0", "long": "0", "double": "0", "float": "0"}[kind]
			if zero == "" || name == "DryRun" {
				continue
			}
			tried++
			params := []string{name + "=" + zero}
			for required, text := range m.required(operation) {
				if required != name {
					params = append(params, required+"="+text)
				}
			}
			if _, err := ask(s, operation, params...); code(err) == "MissingParameter" && strings.Contains(err.Error(), name) {
				t.Errorf("%s %v: %v", operation, params, err)
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d parameters were tried", tried)
	}
}

func TestAttributesAreSwitchedOff(t *testing.T) {
	s := newService()
	subnetID, vpcID := s.VPC.PublicSubnetIDs()[0], s.VPC.ID()
	must(t, s, "ModifySubnetAttribute", "SubnetId="+subnetID, "MapPublicIpOnLaunch.Value=false")
	if got := element(t, must(t, s, "DescribeSubnets", "SubnetId.1="+subnetID), "mapPublicIpOnLaunch"); got != "false" {
		t.Errorf("mapPublicIpOnLaunch is %s, want false", got)
	}
	for _, attribute := range []string{"EnableDnsHostnames", "EnableDnsSupport", "EnableNetworkAddressUsageMetrics"} {
		must(t, s, "ModifyVpcAttribute", "VpcId="+vpcID, attribute+".Value=false")
		name := strings.ToLower(attribute[:1]) + attribute[1:]
		if got := element(t, must(t, s, "DescribeVpcAttribute", "VpcId="+vpcID, "Attribute="+name), "value"); got != "false" {
			t.Errorf("%s is %s, want false", name, got)
		}
	}
}

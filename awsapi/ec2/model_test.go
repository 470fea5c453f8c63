package ec2

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

//go:generate go run ../../internal/ec2model $EC2_MODEL testdata/model.json instancetypenames.txt

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
	m, err := parseModel()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func parseModel() (m model, err error) {
	text, err := os.ReadFile("testdata/model.json")
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// parameters are the names of an operation's parameters with their types, to some depth: the first element stands for a
// list.
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
		t.Errorf("testdata/model.json is stale: run 'EC2_MODEL=.../botocore/data/ec2/2016-11-15/service-2.json.gz go " +
			"generate ./awsapi/ec2'")
	}
}

// TestZeroOfEveryParameterIsAValue sends false and 0 for each boolean and number that an operation has: what comes of
// it may be another error, but not that the parameter is missing.
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

// TestEveryDocumentedFilterIsKnown asks each operation with each of its filters: it is answered, or said not to be
// there yet.
func TestEveryDocumentedFilterIsKnown(t *testing.T) {
	m, s := readModel(t), newServiceWithNodes(t)
	documented, later := 0, 0
	for operation, o := range m.Operations {
		for _, name := range o.Filters {
			documented++
			if _, known := documentedFilters()[operation][name]; !known {
				t.Errorf("filters.txt has no %s of %s", name, operation)
			}
		}
		for name, places := range documentedFilters()[operation] {
			params := []string{"Filter.1.Name=" + name, "Filter.1.Value.1=*"}
			switch operation {
			case "DescribeFleetInstances":
				params = append(params, "FleetId=fleet-1")
			case "DescribeLaunchTemplateVersions":
				params = append(params, "LaunchTemplateVersion.1=$Latest")
			case "DescribeInstanceTypes": // one of a thousand
				params = append(params, "InstanceType.1=g5.xlarge")
			}
			_, err := ask(s, operation, params...)
			if slices.Contains(places, notYet) {
				later++
				if code(err) != "UnsupportedOperation" || !strings.Contains(err.Error(), "yet") {
					t.Errorf("%s %s: got %v, want UnsupportedOperation", operation, name, err)
				}
			} else if err != nil {
				t.Errorf("%s %s: %v", operation, name, err)
			}
		}
	}
	for operation := range documentedFilters() {
		if _, offered := m.Operations[operation]; !offered {
			t.Errorf("filters.txt has %s, which Tripod has not", operation)
		}
	}
	t.Logf("%d filters are documented; of those in filters.txt %d are not there yet", documented, later)
}

// TestFiltersFindWhatTheyShow looks for a resource by what it shows at a filter's place: it is found.
func TestFiltersFindWhatTheyShow(t *testing.T) {
	s := newServiceWithNodes(t)
	for _, tt := range []struct{ operation, filter, value, id string }{
		{"DescribeVpcs", "cidr-block-association.state", "associated", "vpcId"},
		{"DescribeSubnets", "private-dns-name-options-on-launch.hostname-type", "ip-name", "subnetId"},
		{"DescribeSubnets", "available-ip-address-count", "8185", "subnetId"},
		{"DescribeSecurityGroups", "ip-permission.group-name", "default", "groupId"},
		{"DescribeSecurityGroups", "egress.ip-permission.cidr", "0.0.0.0/0", "groupId"},
		{"DescribeSecurityGroups", "ip-permission.protocol", "-1", "groupId"},
		{"DescribeRouteTables", "route.origin", "CreateRouteTable", "routeTableId"},
		{"DescribeRouteTables", "association.route-table-association-id", id("rtbassoc", id("rtb", s.VPC.ID()), ""),
			"routeTableId"},
		{"DescribeNetworkAcls", "entry.rule-number", "32767", "networkAclId"},
		{"DescribeNetworkAcls", "association.subnet-id", s.VPC.SubnetIDs()[0], "networkAclId"},
		{"DescribeInstances", "network-interface.attachment.instance-owner-id", "111122223333", "instanceId"},
		{"DescribeInstances", "network-interface.tag-key", "eks:cluster-name", "instanceId"},
		{"DescribeInstances", "metadata-options.http-tokens", "required", "instanceId"},
		{"DescribeInstances", "owner-id", "111122223333", "instanceId"},
		{"DescribeInstanceStatus", "instance-status.reachability", "passed", "instanceId"},
		{"DescribeNetworkInterfaces", "association.public-ip", "203.0.113.1", "networkInterfaceId"},
		{"DescribeNetworkInterfaces", "interface-type", "nat_gateway", "networkInterfaceId"},
		{"DescribeAddresses", "network-interface-owner-id", "111122223333", "allocationId"},
		{"DescribeVolumes", "attachment.delete-on-termination", "true", "volumeId"},
		{"DescribeInstanceTypes", "network-info.ipv6-supported", "true", "instanceType"},
		{"DescribeInstanceTypes", "vcpu-info.valid-threads-per-core", "2", "instanceType"},
		{"DescribeInstances", "boot-mode", "uefi-preferred", "instanceId"},
		{"DescribeInstances", "metadata-options.http-protocol-ipv4", "enabled", "instanceId"},
		{"DescribeInstances", "network-interface.requester-managed", "false", "instanceId"},
	} {
		element(t, must(t, s, tt.operation, "Filter.1.Name="+tt.filter, "Filter.1.Value.1="+tt.value), tt.id)
		if body := must(t, s, tt.operation, "Filter.1.Name="+tt.filter,
			"Filter.1.Value.1=no"+tt.value); strings.Contains(body,
			"<"+tt.id+">") {
			t.Errorf("%s %s: no%s was found", tt.operation, tt.filter, tt.value)
		}
	}
}

// newServiceWithNodes is a service with a cluster that has nodes.
func newServiceWithNodes(t *testing.T) *Service {
	t.Helper()
	s := newService()
	const cluster = "0123456789ABCDEF0123456789ABCDEF"
	err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		c := region.Cluster{ID: cluster, Name: "demo", Nodes: 3}
		region.Clusters.Put(tx, cluster, c)
		fleets.put(s, tx, fleet{FleetID: "fleet-1", Type: "maintain", State: "active"})
		return s.AdoptNodes(tx, c, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

package ec2

import (
	"slices"
	"strings"
	"testing"

	"tripod/internal/instancetypes"
	"tripod/state"
)

func TestRequirementsChooseAsAWSDoes(t *testing.T) {
	number := func(n float64) *float64 { return &n }
	percent := func(n int) *int { return &n }
	least := Requirements{VCPUs: Bounds{Min: number(2)}, MiB: Bounds{Min: number(4096)}}
	free := least
	free.OnDemandPercentage, free.SpotPercentage = percent(999999), percent(999999)
	burstable := least
	burstable.Burstable = "required"
	bare := free
	bare.BareMetal = "required"
	gpu := free
	gpu.Accelerators, gpu.AcceleratorType = Bounds{Min: number(1)}, []string{"gpu"}
	for _, one := range []struct {
		name         string
		of           Requirements
		architecture string
		some, none   []string
	}{
		{"defaults", least, "x86_64", []string{"c5.large", "m5.large", "c6a.large"},
			[]string{"m5.metal", "t3.large", "m7g.large", "c6g.large", "m5.24xlarge", "g5.xlarge"}},
		{"arm64", least, "arm64", []string{"c7g.large"}, []string{"c5.large", "t4g.large"}},
		{"without price protection", free, "x86_64", []string{"m5.24xlarge", "g5.xlarge"}, []string{"m5.metal", "t3.large"}},
		{"burstable", burstable, "", []string{"t3.medium", "t4g.medium"}, []string{"m5.large"}},
		{"bare metal", bare, "x86_64", []string{"m5.metal"}, []string{"m5.24xlarge"}},
		{"GPUs", gpu, "x86_64", []string{"g7e.2xlarge"}, []string{"m5.24xlarge"}},
	} {
		var names []string
		vcpus := 0
		for _, v := range one.of.Types(one.architecture) {
			names = append(names, v.Name)
			found, _ := instancetypes.Find(v.Name)
			if found.VCPUs < vcpus {
				t.Errorf("%s: %s is behind a larger one", one.name, v.Name)
			}
			vcpus = found.VCPUs
		}
		for _, name := range one.some {
			if !slices.Contains(names, name) {
				t.Errorf("%s: %s is missing", one.name, name)
			}
		}
		for _, name := range one.none {
			if slices.Contains(names, name) {
				t.Errorf("%s: %s is chosen", one.name, name)
			}
		}
	}
}

func TestALookUpIsNoConditionOfTheWholeTable(t *testing.T) {
	s := newService()
	made := func() string {
		return element(t, must(t, s, "CreateSecurityGroup", "GroupName="+newID("g"), "GroupDescription=d"), "groupId")
	}
	first := made()
	runs := 0
	err := s.State.Update(t.Context(), func(tx *state.Txn) error {
		if runs++; runs == 1 {
			if _, err := groups.get(s, tx, first); err != nil {
				return err
			}
			made() // somebody else's, meanwhile
		}
		tags.Put(tx, first, []tag{{"a", "b"}})
		return nil
	})
	if err != nil || runs != 1 {
		t.Errorf("the change ran %d times: %v", runs, err)
	}
	both := must(t, s, "DescribeSecurityGroups", "GroupId.1="+first, "GroupId.2="+made())
	if strings.Count(both, "<groupName>") < 2 {
		t.Errorf("got %s", both)
	}
	if _, err := ask(s, "DescribeSecurityGroups", "GroupId.1="+first, "GroupId.2=sg-0123456789abcdef0"); code(err) != "InvalidGroup.NotFound" {
		t.Errorf("with one that is not there: %v", err)
	}
}

package instancetypes

import (
	"slices"
	"testing"
)

func TestTypesAreFound(t *testing.T) {
	if names := Names(); len(names) < 1000 || !slices.IsSorted(names) {
		t.Errorf("%d names, sorted: %v", len(names), slices.IsSorted(names))
	}
	for i, one := range All() {
		found, is := Find(one.Name)
		if !is || found.MaxPods() < 4 && one.Name != "t1.micro" && one.Name != "m1.small" || found.Price <= 0 || found.VCPUs == 0 ||
			found.LinuxKiB() > int64(found.MiB)*1024 || found.LinuxKiB() < int64(found.MiB)*900 {
			t.Errorf("%s: %+v, %d pods, %d KiB", one.Name, found, found.MaxPods(), found.LinuxKiB())
		}
		if line := lines()[i]; Line(one, one.flags) != line {
			t.Errorf("the table has\n%s, written again\n%s", line, Line(one, one.flags))
		}
		for _, zone := range []string{"us-east-1a", "us-east-1b"} {
			if spot := one.SpotPrice(zone); spot <= 0 || spot > one.Price*0.6 {
				t.Errorf("%s costs %v on demand, and %v as spot in %s", one.Name, one.Price, spot, zone)
			}
		}
	}
	if _, is := Find("m5.huge"); is {
		t.Error("m5.huge is a type")
	}
}

func TestPodsAreThoseOfEKS(t *testing.T) {
	for name, want := range map[string][2]int{ // eni-max-pods.txt; bounded
		"t3.medium": {17, 17}, "m5.large": {29, 29}, "m5.xlarge": {58, 58}, "m5.4xlarge": {234, 110}, "m5.8xlarge": {234, 234},
		"m5.24xlarge": {737, 250}, "t3.nano": {4, 4}, "p4d.24xlarge": {737, 250}, "c5.large": {29, 29}, "m8g.large": {29, 29},
	} {
		found, _ := Find(name)
		if got := [2]int{found.MaxPods(), found.ManagedMaxPods()}; got != want {
			t.Errorf("%s: pods %v, want %v", name, got, want)
		}
	}
}

func TestDevicesAndFlags(t *testing.T) {
	g5, _ := Find("g5.12xlarge")
	if gpus := g5.Of(GPU); len(gpus) != 1 || gpus[0].Count != 4 || gpus[0].Manufacturer != "NVIDIA" || gpus[0].Name != "A10G" {
		t.Errorf("g5.12xlarge: %+v", gpus)
	}
	t4g, _ := Find("t4g.small")
	if t4g.Architecture() != "arm64" || !t4g.Has(Burstable) || !t4g.Has(Spot) || t4g.Has(BareMetal) || t4g.Family() != "t4g" {
		t.Errorf("t4g.small: %+v", t4g)
	}
	p4d, _ := Find("p4d.24xlarge")
	if len(p4d.Network.Cards) != 4 || p4d.Network.Interfaces != 60 || p4d.ValidCores[23] != 48 {
		t.Errorf("p4d.24xlarge: %+v", p4d)
	}
}

func BenchmarkFind(b *testing.B) {
	for b.Loop() {
		Find("m5.large")
	}
}

func BenchmarkAll(b *testing.B) {
	for b.Loop() {
		All()
	}
}

package instancetypes

import "hash/fnv"

// MaxPods is how many pods a node of the type has addresses for, as nodeadm and amazon-eks-ami's eni-max-pods.txt count:
// the interfaces of the default card, each with its addresses but the first one, and two pods in the host's network.
func (t Type) MaxPods() int { return t.DefaultInterfaces()*(t.Network.IPv4-1) + 2 }

// DefaultInterfaces are those of the default network card.
func (t Type) DefaultInterfaces() int {
	if len(t.Network.Cards) > 0 {
		return t.Network.Cards[0].Interfaces
	}
	return t.Network.Interfaces
}

// ManagedMaxPods is the same with the bounds that EKS gives to managed node groups: 110, and 250 from 30 vCPUs.
func (t Type) ManagedMaxPods() int {
	if t.VCPUs >= 30 {
		return min(t.MaxPods(), 250)
	}
	return min(t.MaxPods(), 110)
}

// measured is the memory, in KiB, that Linux has on types where somebody has looked.
var measured = map[string]int64{
	"t3.small": 1_928_596, "t3.medium": 3_943_352, "t3.large": 8_014_284, "t3.xlarge": 16_185_000,
	"m5.large": 7_910_184, "m5.xlarge": 15_896_988, "m5.2xlarge": 31_871_120, "m5.4xlarge": 63_818_900,
	"m6i.large": 7_871_048, "m6i.xlarge": 15_855_132, "m7i.large": 7_871_048,
	"c5.large": 3_768_692, "c5.xlarge": 7_862_028, "c6i.large": 3_862_760,
	"r5.large": 15_892_892, "r5.xlarge": 32_034_000,
}

// LinuxKiB is the memory, in KiB, that Linux has on a machine of the type: hypervisor and kernel take some. Where nobody
// has looked it is an estimate by the measured ones: of Nitro's machines 75 MiB and 4.8 % are missing, of burstable ones
// 153 MiB and 2.6 %, beyond 64 GiB 2.5 % of the rest, of Xen's and of bare metal 1.6 % of all.
func (t Type) LinuxKiB() int64 {
	if kib, known := measured[t.Name]; known {
		return kib
	}
	const mib, limit = 1024, 64 * 1024
	total := int64(t.MiB) * mib
	if t.Hypervisor != "nitro" {
		return total - total*16/1000
	}
	first := min(int64(t.MiB), limit) * mib
	missing, rest := 75*mib+first*479/10000, (total-first)*25/1000
	if t.Has(Burstable) {
		missing = 153*mib + first*26/1000
	}
	if small := total / 12; missing > small { // the smallest machines would have nothing left
		missing = small
	}
	return total - missing - rest
}

// SpotPrice is the price of a spot hour in a zone, in US dollars. Spot prices are nowhere published beyond some weeks:
// these are made up, constant, between a quarter and a half of the price on demand, as families are, and differ by some
// percent between zones.
func (t Type) SpotPrice(zone string) float64 {
	share := 0.25 + 0.25*unit(t.Family())
	price := t.Price * share * (0.97 + 0.06*unit(t.Name+"/"+zone))
	return float64(int64(price*10000+0.5)) / 10000 // EC2 has four digits
}

// unit is a number from 0 to 1 that follows from a text.
func unit(text string) float64 {
	h := fnv.New32a()
	h.Write([]byte(text))
	sum := h.Sum32()
	sum = (sum ^ sum>>16) * 0x45d9f3b // FNV's high bits barely differ between like texts
	return float64(sum^sum>>16) / float64(1<<32)
}

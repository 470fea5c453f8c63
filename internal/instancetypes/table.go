package instancetypes

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed types.txt
var table string

// lines are the table's, sorted by name. They are parts of the program's own text: only their headers take memory.
var lines = sync.OnceValue(func() []string {
	var all []string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "#") {
			all = append(all, strings.TrimSuffix(line, "\n"))
		}
	}
	return all
})

// Find finds a type by its name.
func Find(name string) (Type, bool) {
	i, found := slices.BinarySearchFunc(lines(), name, func(line, name string) int {
		at, _, _ := strings.Cut(line, "\t")
		return strings.Compare(at, name)
	})
	if !found {
		return Type{}, false
	}
	return parse(lines()[i]), true
}

// All are all types, sorted by name. They are made anew by each call, as nobody asks often.
func All() []Type {
	all := make([]Type, len(lines()))
	for i, line := range lines() {
		all[i] = parse(line)
	}
	return all
}

// Names are the names of all types, sorted.
func Names() []string {
	names := make([]string, len(lines()))
	for i, line := range lines() {
		names[i], _, _ = strings.Cut(line, "\t")
	}
	return names
}

// parse reads a line that Line wrote. The table is checked in: a line that is wrong is a fault of this program's.
func parse(line string) Type {
	f := strings.Split(line, "\t")
	if len(f) != 15 {
		panic("instancetypes: types.txt has a line with other fields than 15: " + line)
	}
	t := Type{Name: f[0], Price: float(f[1]), MiB: integer(f[4]), Architectures: split(f[5], ","), flags: f[7]}
	t.VCPUs, t.Cores, t.ThreadsPerCore = three(f[2])
	cores, threads, _ := strings.Cut(f[3], "/")
	t.ValidCores, t.ValidThreads = integers(cores), integers(threads)
	processor := strings.Split(f[6], " ")
	t.Manufacturer, t.ClockGHz, t.Features = processor[0], float(processor[1]), processor[2:]
	if f[8] != "-" {
		t.Hypervisor = f[8]
	}
	t.Network.Interfaces, t.Network.IPv4, t.Network.IPv6 = three(f[9])
	t.Network.Performance = f[10]
	for _, cards := range split(f[11], ";") {
		c := strings.SplitN(cards, ":", 5)
		for range integer(c[0]) {
			t.Network.Cards = append(t.Network.Cards, Card{integer(c[1]), float(c[2]), float(c[3]), c[4]})
		}
	}
	ebs := strings.Split(f[12], " ")
	t.Network.ENA, t.Network.EFA = ebs[0], integer(ebs[1])
	t.EBS = EBS{ebs[2], ebs[3], integer(ebs[4]), ebs[5], throughput(ebs[6]), throughput(ebs[7])}
	if disks := strings.Split(f[13], " "); len(disks) == 5 {
		t.Disks = Disks{integer(disks[0]), integer(disks[1]), disks[2], disks[3], disks[4]}
	}
	for _, device := range split(f[14], ";") {
		d := strings.Split(device, ":")
		t.Devices = append(t.Devices, Device{d[0], d[1], d[2], integer(d[3]), integer(d[4]), integer(d[5]), integer(d[6])})
	}
	return t
}

// Line is the type as the table has it, with those flags.
func Line(t Type, flags string) string {
	list := func(values []string, separator string) string {
		if len(values) == 0 {
			return "-"
		}
		return strings.Join(values, separator)
	}
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	speed := func(s Throughput) string { return fmt.Sprintf("%d:%d:%s", s.Mbps, s.IOPS, number(s.MBps)) }
	hypervisor, disks := t.Hypervisor, "-"
	if hypervisor == "" {
		hypervisor = "-"
	}
	if t.Disks.Count > 0 {
		disks = fmt.Sprintf("%d %d %s %s %s", t.Disks.Count, t.Disks.GB, t.Disks.Kind, t.Disks.Encryption, t.Disks.NVMe)
	}
	var cards, devices []string
	for i := 0; i < len(t.Network.Cards); {
		c, n := t.Network.Cards[i], 0
		for i < len(t.Network.Cards) && t.Network.Cards[i] == c {
			n, i = n+1, i+1
		}
		cards = append(cards, fmt.Sprintf("%d:%d:%s:%s:%s", n, c.Interfaces, number(c.Baseline), number(c.Peak), c.Performance))
	}
	for _, d := range t.Devices {
		devices = append(devices, fmt.Sprintf("%s:%s:%s:%d:%d:%d:%d", d.Kind, d.Manufacturer, d.Name, d.Count, d.MiB, d.Cores,
			d.Version))
	}
	return strings.Join([]string{
		t.Name, number(t.Price), fmt.Sprintf("%d/%d/%d", t.VCPUs, t.Cores, t.ThreadsPerCore),
		ranges(t.ValidCores) + "/" + ranges(t.ValidThreads), strconv.Itoa(t.MiB), strings.Join(t.Architectures, ","),
		strings.Join(append([]string{t.Manufacturer, number(t.ClockGHz)}, t.Features...), " "), flags, hypervisor,
		fmt.Sprintf("%d/%d/%d", t.Network.Interfaces, t.Network.IPv4, t.Network.IPv6), t.Network.Performance, list(cards, ";"),
		fmt.Sprintf("%s %d %s %s %d %s %s %s", t.Network.ENA, t.Network.EFA, t.EBS.Optimized, t.EBS.NVMe, t.EBS.Attachments,
			t.EBS.AttachmentLimit, speed(t.EBS.Baseline), speed(t.EBS.Most)),
		disks, list(devices, ";"),
	}, "\t")
}

// ranges writes numbers: 1,2,4-48+2 are 1, 2 and each second one from 4 to 48.
func ranges(numbers []int) string {
	if len(numbers) == 0 {
		return "-"
	}
	var texts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1]-numbers[j] == numbers[min(i+1, len(numbers)-1)]-numbers[i] {
			j++
		}
		if j-i < 2 {
			texts, i = append(texts, strconv.Itoa(numbers[i])), i+1
			continue
		}
		texts = append(texts, fmt.Sprintf("%d-%d+%d", numbers[i], numbers[j], numbers[i+1]-numbers[i]))
		i = j + 1
	}
	return strings.Join(texts, ",")
}

func integers(text string) (numbers []int) {
	for _, part := range split(text, ",") {
		from, rest, isRange := strings.Cut(part, "-")
		if !isRange {
			numbers = append(numbers, integer(part))
			continue
		}
		to, step, _ := strings.Cut(rest, "+")
		for n := integer(from); n <= integer(to); n += integer(step) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func split(text, separator string) []string {
	if text == "-" {
		return nil
	}
	return strings.Split(text, separator)
}

func three(text string) (a, b, c int) {
	parts := strings.Split(text, "/")
	return integer(parts[0]), integer(parts[1]), integer(parts[2])
}

func throughput(text string) Throughput {
	parts := strings.Split(text, ":")
	return Throughput{integer(parts[0]), integer(parts[1]), float(parts[2])}
}

func integer(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic("instancetypes: types.txt: " + err.Error())
	}
	return n
}

func float(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic("instancetypes: types.txt: " + err.Error())
	}
	return f
}

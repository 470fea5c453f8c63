// Package pressure tells whether the machine has enough of what processes need: Linux's pressure stall information.
package pressure

import (
	"os"
	"strconv"
	"strings"
)

// Pressure is how much of the last ten seconds, in percent, at least one process of the machine waited for something. A
// value is -1 where the system does not tell.
type Pressure struct{ Processor, Disk, Memory float64 }

// high is from where on a pressure explains that things are late. A machine with one task more than processors has
// about as much.
const high = 40

// dir is where Linux tells: kernel.org, "PSI - Pressure Stall Information". Other systems do not.
const dir = "/proc/pressure/"

// Now reads the machine's pressure: three small files, some 50 µs.
func Now() Pressure { return Pressure{read(dir + "cpu"), read(dir + "io"), read(dir + "memory")} }

// Starved says whether processes wait for a processor for a good part of the time.
func Starved() bool { return read(dir+"cpu") >= high }

// String names what is high, or is empty: "processor pressure 90 %, disk pressure 45 %".
func (p Pressure) String() string {
	var parts []string
	for _, one := range []struct {
		name  string
		value float64
	}{{"processor", p.Processor}, {"disk", p.Disk}, {"memory", p.Memory}} {
		if one.value >= high {
			parts = append(parts, one.name+" pressure "+strconv.Itoa(int(one.value))+" %")
		}
	}
	return strings.Join(parts, ", ")
}

func read(file string) float64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return -1
	}
	return parse(string(text))
}

// parse finds the share of "some" over ten seconds: "some avg10=54.73 avg60=56.21 avg300=40.31 total=212324395".
func parse(text string) float64 {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "some" {
			continue
		}
		if value, found := strings.CutPrefix(fields[1], "avg10="); found {
			if percent, err := strconv.ParseFloat(value, 64); err == nil {
				return percent
			}
		}
	}
	return -1
}

package api

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// KindLink is the target type of the way between two zones, or between a zone and the region's clients: link/a-b.
const KindLink = "link"

// Clients are the end of a link that is no zone: whoever speaks to the region from this machine.
const Clients = "clients"

// AllZones stands, as one end of a link, for all zones but the other end; so does a star, which shells take for themselves.
const AllZones = "all"

// The verbs of links. Heal, and Reset too, takes back what the others have done.
const (
	Partition = "partition"
	Slow      = "slow"
	Heal      = "heal"
)

// LinkVerbs are the verbs of links, in the order of the help.
var LinkVerbs = []string{Partition, Slow, Heal}

// LinkOrder is one of LinkVerbs for a link. Heal takes nothing but OneWay.
type LinkOrder struct {
	Verb string `json:"verb"`
	// Link is the target's name: a-b, a-clients, or a-all for the links between a and all other zones.
	Link string `json:"link"`
	LinkFault
}

// LinkFault is what Partition and Slow put on a link.
type LinkFault struct {
	// OneWay: only what the link's first end sends is touched.
	OneWay bool `json:"oneWay,omitempty"`
	// Reject is Partition's: connections are refused, and open ones are reset, where otherwise nobody is told anything.
	Reject bool `json:"reject,omitempty"`
	// Latency is Slow's, as the next three: it is added each way, give or take Jitter.
	Latency time.Duration `json:"latency,omitempty"`
	Jitter  time.Duration `json:"jitter,omitempty"`
	// Loss is in percent of the segments, as TCP feels it: each lost one stalls what comes behind it for 200 ms, then 400 ms and so on.
	Loss float64 `json:"loss,omitempty"`
	// Bandwidth is in bits a second, of all connections together.
	Bandwidth int64 `json:"bandwidth,omitempty"`
	// Share is of how many connections all this is true, in percent. 0: of all.
	Share float64 `json:"share,omitempty"`
	// Flap is for how long the fault is in force, and then not, and so on. 0: it is in force all the time.
	Flap time.Duration `json:"flap,omitempty"`
	// For is after how long the fault ends by itself. 0: it does not.
	For time.Duration `json:"for,omitempty"`
}

// linkOption is an option of LinkFault: its flag, and whether it is given.
type linkOption struct {
	name  string
	given bool
	verbs []string // that take it
}

func (f LinkFault) options() []linkOption {
	breaks := []string{Partition, Slow}
	return []linkOption{
		{"one-way", f.OneWay, LinkVerbs}, {"reject", f.Reject, []string{Partition}},
		{"latency", f.Latency != 0, []string{Slow}}, {"jitter", f.Jitter != 0, []string{Slow}},
		{"loss", f.Loss != 0, []string{Slow}}, {"bandwidth", f.Bandwidth != 0, []string{Slow}},
		{"share", f.Share != 0, breaks}, {"flap", f.Flap != 0, breaks}, {"for", f.For != 0, breaks},
	}
}

const (
	// mostLatency bounds what one byte can be late: more is a partition.
	mostLatency = time.Minute
	// leastFlap bounds how often the zones are told.
	leastFlap = 100 * time.Millisecond
)

// Check says, in one sentence, what is wrong with an order, whatever zones there are.
func (o LinkOrder) Check() error {
	if !slices.Contains(LinkVerbs, o.Verb) {
		return fmt.Errorf("there is no verb %q for a link: use %s", o.Verb, orList(LinkVerbs))
	}
	if !strings.Contains(o.Link, "-") {
		return fmt.Errorf("%q is no link: write link/a-b, link/a-%s or link/a-%s", KindLink+"/"+o.Link, Clients, AllZones)
	}
	for _, option := range o.options() {
		if option.given && !slices.Contains(option.verbs, o.Verb) {
			return fmt.Errorf("%s takes no --%s: that is for %s", o.Verb, option.name, orList(option.verbs))
		}
	}
	return o.LinkFault.check(o.Verb)
}

func (f LinkFault) check(verb string) error {
	percent := func(name string, value float64) error {
		if value < 0 || value > 100 || math.IsNaN(value) {
			return fmt.Errorf("--%s %v is no percentage: use 0 to 100", name, value)
		}
		return nil
	}
	if err := errors.Join(percent("loss", f.Loss), percent("share", f.Share)); err != nil {
		return err
	}
	switch {
	case f.For < 0:
		return fmt.Errorf("--for %v is no time that passes: write it as 30s or 5m", f.For)
	case f.Flap < 0 || f.Flap > 0 && f.Flap < leastFlap:
		return fmt.Errorf("--flap %v is too short: use %v or more", f.Flap, leastFlap)
	case f.Latency < 0 || f.Latency > mostLatency || f.Jitter < 0 || f.Jitter > mostLatency:
		return fmt.Errorf("--latency and --jitter are between 0 and %v: what is later is cut off by '%s'", mostLatency, Partition)
	case f.Jitter > f.Latency:
		return fmt.Errorf("--jitter %v is more than --latency %v: nothing arrives before it is sent", f.Jitter, f.Latency)
	case f.Bandwidth < 0 || f.Bandwidth > 0 && f.Bandwidth < 8000:
		return fmt.Errorf("--bandwidth %s is too little: use 8k (bits a second) or more", FormatBandwidth(f.Bandwidth))
	case verb == Slow && f.Latency == 0 && f.Loss == 0 && f.Bandwidth == 0:
		return errors.New("say how the link is slow: --latency 200ms, --loss 5 (percent) or --bandwidth 10M (bits a second)")
	}
	return nil
}

// Words describe a fault as the status shows it: "slow: latency 200ms ± 20ms, one way".
func (f LinkFault) Words(verb string) string {
	var parts []string
	add := func(given bool, format string, args ...any) {
		if given {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(f.Reject, "resets connections")
	if f.Jitter != 0 {
		add(true, "latency %v ± %v", f.Latency, f.Jitter)
	} else {
		add(f.Latency != 0, "latency %v", f.Latency)
	}
	add(f.Loss != 0, "loss %v %%", f.Loss)
	add(f.Bandwidth != 0, "bandwidth %sbit/s", FormatBandwidth(f.Bandwidth))
	add(f.Share != 0, "%v %% of the connections", f.Share)
	add(f.Flap != 0, "on and off every %v", f.Flap)
	add(f.OneWay, "one way")
	word := map[string]string{Partition: "cut", Slow: "slow"}[verb]
	if len(parts) == 0 {
		return word
	}
	return word + ": " + strings.Join(parts, ", ")
}

// units are those of a bandwidth, as tc and iperf write them.
var units = []struct {
	letter string
	factor int64
}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}}

// ParseBandwidth reads bits a second: 10M, 500k, 64000.
func ParseBandwidth(text string) (int64, error) {
	number, factor := strings.TrimSpace(text), int64(1)
	for _, unit := range units {
		for _, letter := range []string{unit.letter, strings.ToLower(unit.letter), strings.ToUpper(unit.letter)} {
			for _, suffix := range []string{letter + "bit/s", letter + "bit", letter + "bps", letter} {
				if rest, found := strings.CutSuffix(number, suffix); found && factor == 1 {
					number, factor = rest, unit.factor
				}
			}
		}
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || value < 0 || value*float64(factor) > 1e15 || math.IsNaN(value) {
		return 0, fmt.Errorf("%q is no bandwidth: write bits a second, such as 10M or 500k", text)
	}
	return int64(value * float64(factor)), nil
}

// FormatBandwidth writes bits a second as ParseBandwidth reads them.
func FormatBandwidth(bits int64) string {
	for _, unit := range units {
		if bits >= unit.factor {
			return strconv.FormatFloat(float64(bits)/float64(unit.factor), 'g', 4, 64) + unit.letter
		}
	}
	return strconv.FormatInt(bits, 10)
}

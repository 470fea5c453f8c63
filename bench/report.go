package main

import (
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// figure is one line of the report. Its samples are of its unit.
type figure struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Tripod  []float64 `json:"tripod"`
	Kwokctl []float64 `json:"kwokctl,omitempty"`
	// Beside are samples of what else the figure is compared with, which Rival names.
	Beside []float64 `json:"beside,omitempty"`
	Rival  string    `json:"rival,omitempty"`
	// Base names the figure of kwokctl that the ratio is to, when it is not this one.
	Base string `json:"base,omitempty"`
	// Quantile of the samples that counts: 0.5 is the median.
	Quantile float64 `json:"quantile"`
	// Ratio is Tripod's value divided by kwokctl's or the rival's; 0 without one.
	Ratio float64 `json:"ratio,omitempty"`
	// RatioTarget or Target is what Ratio, or the value, is to be at most; 0 means no target.
	// LeastRatio is what Ratio is to be at least, where more is better.
	RatioTarget float64 `json:"ratioTarget,omitempty"`
	LeastRatio  float64 `json:"leastRatio,omitempty"`
	Target      float64 `json:"target,omitempty"`
}

func (f *figure) value() float64 { return quantile(f.Tripod, f.Quantile) }

// report is what the bench prints.
type report struct {
	Time    time.Time `json:"time"`
	CPUs    int       `json:"cpus"`
	Figures []*figure `json:"figures"`
}

// Names of figures that more than one place mentions.
const (
	firstRequest = "first request through the endpoint"
	threeZones   = "three zones ready"
	defaultSA    = "default ServiceAccount"
	warmRestart  = "warm restart to three zones"
	rejoin       = "zone rejoins after a kill"
	startCPU     = "processor time until all are ready"
	memory       = "memory (PSS)"
	idleCPU      = "idle CPU"
	idleSwitches = "idle wake-ups per second"
	writeOther   = "write after loss of a zone"
	writeLeader  = "write after loss of etcd's leader"
	takeover     = "pod bound after loss of scheduler"

	signedRead    = "signed read, 8 clients"
	signedWrite   = "signed write, 8 clients"
	clusterActive = "second cluster ACTIVE"

	nodegroupActive = "node group of 3 ACTIVE, nodes Ready"
	podsReady       = "2,000 pods of a Deployment Ready"
	nodeMemory      = "memory of an idle node (PSS)"
	nodeCPU         = "CPU of an idle node"
	scaleMutating   = "mutating calls, nodes and pods held"
	scaleMemory     = "memory, nodes and pods held (PSS)"
	scaleBack       = "writes in time after a zone's death"

	albRequests    = "requests through an ALB"
	albAdded       = "p99 that an ALB adds at half load"
	nlbRequests    = "requests through an NLB"
	serviceAnswers = "Service LoadBalancer, to its first answer"
	claimBound     = "claim of a volume Bound"

	onePrincipal  = "request of one principal"
	eachPrincipal = "request of each of 1,000 principals"
	authorizerP99 = "authorizer asked by API servers"

	createUserFew, createUserMany = "CreateUser among few users", "CreateUser among 10,000"
	createKeyFew, createKeyMany   = "CreateAccessKey among few users", "CreateAccessKey among 10,000"
	getUserFew, getUserMany       = "GetUser among few users", "GetUser among 10,000"
)

// newReport has a figure for every part that is wanted. "Ready" is the figure of kwokctl that times are compared with.
func newReport(o options) *report {
	r := &report{Time: time.Now().UTC(), CPUs: runtime.NumCPU()}
	add := func(part string, f figure) {
		if o.wants(part) {
			r.Figures = append(r.Figures, &f)
		}
	}
	median := 0.5
	add("start", figure{Name: firstRequest, Unit: "s", Quantile: median, Base: threeZones, RatioTarget: 0.7})
	add("start", figure{Name: threeZones, Unit: "s", Quantile: median, RatioTarget: 1.5})
	add("start", figure{Name: startCPU, Unit: "s", Quantile: median, RatioTarget: 3})
	add("start", figure{Name: defaultSA, Unit: "s", Quantile: median, RatioTarget: 1})
	add("restart", figure{Name: warmRestart, Unit: "s", Quantile: median, Base: threeZones, RatioTarget: 0.9})
	add("rejoin", figure{Name: rejoin, Unit: "s", Quantile: median, Base: threeZones, RatioTarget: 0.6})
	add("idle", figure{Name: memory, Unit: "MiB", Quantile: median, RatioTarget: 1.3})
	add("idle", figure{Name: idleCPU, Unit: "%", Quantile: median, RatioTarget: 2.5})
	add("idle", figure{Name: idleSwitches, Unit: "/s", Quantile: median})
	for _, q := range []float64{median, 0.99} {
		add("writes", figure{Name: writeOther, Unit: "ms", Quantile: q, Target: target(q, 100)})
	}
	for _, q := range []float64{median, 0.99} {
		add("writes", figure{Name: writeLeader, Unit: "ms", Quantile: q, Target: target(q, 250)})
	}
	for _, kind := range linkKinds {
		for _, leader := range []bool{false, true} {
			add("links", figure{Name: kind.figureOf(leader), Unit: "ms", Quantile: median})
			add("links", figure{Name: kind.figureOf(leader), Unit: "ms", Quantile: 1, Target: kind.target})
		}
	}
	add("scheduler", figure{Name: takeover, Unit: "s", Quantile: median})
	add("scheduler", figure{Name: takeover, Unit: "s", Quantile: 1, Target: 1.5})
	add("aws", figure{Name: signedRead, Unit: "ms", Quantile: median, Target: 0.5})
	add("aws", figure{Name: signedWrite, Unit: "ms", Quantile: median, Target: 5})
	add("aws", figure{Name: clusterActive, Unit: "s", Quantile: median, Target: 8})
	add("access", figure{Name: onePrincipal, Unit: "ms", Quantile: median})
	add("access", figure{Name: eachPrincipal, Unit: "ms", Quantile: median})
	add("access", figure{Name: eachPrincipal, Unit: "ms", Quantile: 0.99})
	add("access", figure{Name: authorizerP99, Unit: "ms", Quantile: 0.99, Target: 5})
	for _, name := range []string{createUserFew, createUserMany, createKeyFew, createKeyMany, getUserFew, getUserMany} {
		add("principals", figure{Name: name, Unit: "ms", Quantile: median})
	}
	add("nodegroup", figure{Name: nodegroupActive, Unit: "s", Quantile: median, Target: 5})
	add("pods", figure{Name: podsReady, Unit: "s", Quantile: median, RatioTarget: 1})
	add("scale", figure{Name: nodeMemory, Unit: "KiB", Quantile: median, Target: 150})
	add("scale", figure{Name: nodeCPU, Unit: "%", Quantile: median, Target: 0.05})
	add("scale", figure{Name: scaleMutating, Unit: "ms", Quantile: 0.99, Target: 1000})
	add("scale", figure{Name: scaleMemory, Unit: "GiB", Quantile: 1, Target: 4})
	add("scale", figure{Name: scaleBack, Unit: "s", Quantile: median, Target: 10})
	add("alb", figure{Name: albRequests, Unit: "/s", Quantile: median, Rival: "nginx", LeastRatio: 0.5})
	add("alb", figure{Name: albAdded, Unit: "ms", Quantile: median, Target: 1})
	add("nlb", figure{Name: nlbRequests, Unit: "/s", Quantile: median, Rival: "haproxy", LeastRatio: 0.9})
	add("service", figure{Name: serviceAnswers, Unit: "s", Quantile: median, Target: 3})
	add("service", figure{Name: claimBound, Unit: "s", Quantile: median, Target: 1})
	return r
}

// target applies to the worst cases only.
func target(q, limit float64) float64 {
	if q > 0.5 {
		return limit
	}
	return 0
}

func (r *report) addTripod(name string, sample float64) {
	r.add(name, sample, func(f *figure) *[]float64 { return &f.Tripod })
}

func (r *report) addKwokctl(name string, sample float64) {
	r.add(name, sample, func(f *figure) *[]float64 { return &f.Kwokctl })
}

func (r *report) addBeside(name string, sample float64) {
	r.add(name, sample, func(f *figure) *[]float64 { return &f.Beside })
}

func (r *report) add(name string, sample float64, to func(*figure) *[]float64) {
	for _, f := range r.Figures {
		if f.Name == name {
			samples := to(f)
			*samples = append(*samples, sample)
		}
	}
	r.relate()
}

// compared are the samples beside Tripod's, with the name of whose they are.
func (f *figure) compared() ([]float64, string) {
	if f.Rival != "" {
		return f.Beside, f.Rival
	}
	return f.Kwokctl, "kwokctl"
}

// relate works out the ratios.
func (r *report) relate() {
	for _, f := range r.Figures {
		base, _ := f.compared()
		for _, other := range r.Figures {
			if other.Name == f.Base {
				base = other.Kwokctl
			}
		}
		if len(f.Tripod) > 0 && len(base) > 0 {
			f.Ratio = f.value() / quantile(base, f.Quantile)
		}
	}
}

func (r *report) print(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FIGURE\tN\tTRIPOD\tRANGE\tBESIDE\tRATIO\tASKED\tMET")
	for _, f := range r.Figures {
		if len(f.Tripod) == 0 {
			continue
		}
		name := f.Name
		switch f.Quantile {
		case 0.5:
		case 1:
			name += ", worst"
		default:
			name += fmt.Sprintf(", p%.0f", f.Quantile*100)
		}
		beside, ratio, limit, met := "-", "-", "-", ""
		if samples, whose := f.compared(); len(samples) > 0 {
			beside = number(quantile(samples, f.Quantile)) + " " + f.Unit + " " + whose
		}
		if f.Ratio > 0 {
			ratio = number(f.Ratio)
		}
		switch {
		case f.RatioTarget > 0 && f.Ratio > 0:
			limit, met = number(f.RatioTarget)+"x", yes(f.Ratio <= f.RatioTarget)
		case f.RatioTarget > 0:
			limit = number(f.RatioTarget) + "x"
		case f.LeastRatio > 0:
			limit = "at least " + number(f.LeastRatio) + "x"
			if f.Ratio > 0 {
				met = yes(f.Ratio >= f.LeastRatio)
			}
		case f.Target > 0:
			limit, met = number(f.Target)+" "+f.Unit, yes(f.value() <= f.Target)
		}
		fmt.Fprintf(table, "%s\t%d\t%s %s\t%s-%s\t%s\t%s\t%s\t%s\n", name, len(f.Tripod), number(f.value()), f.Unit,
			number(slices.Min(f.Tripod)), number(slices.Max(f.Tripod)), beside, ratio, limit, met)
	}
	table.Flush()
	fmt.Fprintf(w, "%d CPUs. Medians where nothing else is said; ratios to kwokctl's readiness (%s) where it has no "+
		"such figure.\n", r.CPUs, ready)
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}

// number has three significant digits at most, two behind the point.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// quantile of samples by the nearest rank; the median of an even number is the mean of the two in the middle.
func quantile(samples []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	n := len(sorted)
	switch {
	case n == 0:
		return math.NaN()
	case q == 0.5 && n%2 == 0:
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	rank := int(math.Ceil(q * float64(n)))
	return sorted[min(max(rank, 1), n)-1]
}

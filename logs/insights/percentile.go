package insights

import (
	"maps"
	"math"
	"slices"
)

// exactValues is of how many values percentiles are exact. Of more they are so to accuracy: values are counted in buckets
// whose bounds grow by that.
const exactValues, accuracy = 2048, 0.005

type percentile struct {
	of      func(*env) value
	percent float64
	exact   []float64
	buckets map[int]int // how many values there are, by the logarithm; below of negative ones
	n       int
	below   map[int]int
	zeros   int
}

func (p *percentile) add(e *env, memory *budget) error {
	f, ok := p.of(e).number()
	if !ok {
		return nil
	}
	return p.note(f, memory)
}

func (p *percentile) note(f float64, memory *budget) error {
	p.n++
	if p.n <= exactValues {
		p.exact = append(p.exact, f)
		return memory.take(8)
	}
	for _, old := range p.exact {
		p.bucket(old, 1)
	}
	p.exact = nil
	before := len(p.buckets) + len(p.below)
	p.bucket(f, 1)
	return memory.take(32 * (len(p.buckets) + len(p.below) - before))
}

func (p *percentile) bucket(f float64, times int) {
	at := func() int { return int(math.Ceil(math.Log(math.Abs(f)) / math.Log1p(accuracy))) }
	switch {
	case f > 0:
		p.buckets[at()] += times
	case f < 0:
		if p.below == nil {
			p.below = map[int]int{}
		}
		p.below[at()] += times
	default:
		p.zeros += times
	}
}

func (p *percentile) merge(other tally, memory *budget) error {
	o := other.(*percentile)
	for _, f := range o.exact {
		if err := p.note(f, memory); err != nil {
			return err
		}
	}
	if o.n <= exactValues {
		return nil
	}
	for _, f := range p.exact {
		p.bucket(f, 1)
	}
	p.exact = nil
	for at, times := range o.buckets {
		p.buckets[at] += times
	}
	for at, times := range o.below {
		if p.below == nil {
			p.below = map[int]int{}
		}
		p.below[at] += times
	}
	p.zeros += o.zeros
	p.n += o.n
	return memory.take(32 * (len(o.buckets) + len(o.below)))
}

// result is the value below which that percentage of the values lies: the nearest rank.
func (p *percentile) result() value {
	if p.n == 0 {
		return value{}
	}
	rank := max(1, int(math.Ceil(p.percent/100*float64(p.n))))
	if p.exact != nil {
		sorted := slices.Sorted(slices.Values(p.exact))
		return numberOf(sorted[rank-1])
	}
	for _, at := range slices.Backward(slices.Sorted(maps.Keys(p.below))) {
		if rank -= p.below[at]; rank <= 0 {
			return numberOf(-middle(at))
		}
	}
	if rank -= p.zeros; rank <= 0 {
		return numberOf(0)
	}
	last := 0.0
	for _, at := range slices.Sorted(maps.Keys(p.buckets)) {
		last = middle(at)
		if rank -= p.buckets[at]; rank <= 0 {
			break
		}
	}
	return numberOf(last)
}

// middle is what stands for the values of a bucket: it is within accuracy of all of them.
func middle(at int) float64 { return math.Pow(1+accuracy, float64(at)) / (1 + accuracy/2) }

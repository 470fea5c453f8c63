package eks

import (
	"math/rand/v2"
	"time"
)

// Pace says how long the states that a cluster passes through last at least. The zero value lets them be as short as
// the work is.
type Pace struct{ Create, Delete, Access, Version Span }

// Span is a range of times, of which each case gets one.
type Span struct{ Least, Most time.Duration }

// RealPace is EKS's, as its users meet it. The EKS user guide itself says "several minutes" of all of these.
var RealPace = Pace{Create: Span{7 * time.Minute, 15 * time.Minute}, Delete: Span{3 * time.Minute, 8 * time.Minute},
	Access: Span{3 * time.Minute, 10 * time.Minute}, Version: Span{8 * time.Minute, 20 * time.Minute}}

// after is when a state may end that begins now; nil when it need not last.
func (s Span) after(now time.Time) *time.Time {
	if s.Most == 0 {
		return nil
	}
	end := now.Add(s.Least + rand.N(s.Most-s.Least+1))
	return &end
}

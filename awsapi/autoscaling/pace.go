package autoscaling

import "time"

// Pace says how long what a group does takes at least. The zero value lets it be as short as it is: what users set
// themselves, such as hooks' timeouts, grace periods and cooldowns, counts in any case.
type Pace struct {
	// Boot is how long a new instance stays Pending, Health how long a group takes to see that an instance ended, and
	// Replace how long it then waits before it launches another.
	Boot, Health, Replace time.Duration
	// Impaired is how long an instance may answer nobody before its status checks count; zero: 5 s.
	Impaired time.Duration
	// Warmup says that an instance refresh waits for the warmup that nobody has set: the health check's grace period.
	Warmup bool
	// Drain says that an instance drains for the load balancers' own time where no user has set another; else for
	// quickDrain at most.
	Drain bool
}

// RealPace is that of EC2 Auto Scaling, as its users report it.
var RealPace = Pace{Boot: 30 * time.Second, Health: 40 * time.Second, Replace: 47 * time.Second,
	Impaired: 2 * time.Minute, Warmup: true, Drain: true}

const (
	usualImpaired = 5 * time.Second
	quickDrain    = 10 * time.Second
)

func (p Pace) impaired() time.Duration {
	if p.Impaired == 0 {
		return usualImpaired
	}
	return p.Impaired
}

// firstRetry and mostRetry are the pauses after launches that failed: they double from the one to the other.
const (
	firstRetry = 2 * time.Second
	mostRetry  = time.Minute
)

// retryAfter is the pause after that many failures in a row.
func retryAfter(failures int) time.Duration {
	pause := firstRetry
	for n := 1; n < failures && pause < mostRetry; n++ {
		pause *= 2
	}
	return min(pause, mostRetry)
}

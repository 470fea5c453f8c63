// Package throttle limits how often an account may call an operation, with token buckets as AWS has them.
package throttle

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"tripod/awsapi/history"
)

// Message is what AWS says to a call that is throttled.
const Message = "Rate exceeded"

// bucket is what an operation may be called: sustained calls a second, and at once after a rest.
type bucket struct {
	perSecond rate.Limit
	burst     int
}

// EC2's reads are as "Request throttling for the Amazon EC2 API" has non-mutating actions: 100 at once, 20 a second.
// AWS publishes no figures for EKS and IAM: theirs are of the order that users report, and the proportions are what
// matters here.
var (
	reads  = bucket{20, 100}
	writes = map[string]bucket{"eks": {1, 10}, "iam": {5, 20}}
	other  = bucket{5, 50}
	tokens = bucket{600, 600}
)

// Throttle holds the buckets. Its methods may be called by several goroutines.
type Throttle struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[key]*rate.Limiter
}

type key struct{ account, service, operation string }

// New returns full buckets. now is the clock.
func New(now func() time.Time) *Throttle {
	return &Throttle{now: now, buckets: map[key]*rate.Limiter{}}
}

// Allow takes a token for a call and says whether there was one. service and operation are names from tables, never a
// client's own text, so that nobody can make the buckets many.
func (t *Throttle) Allow(account, service, operation string) bool {
	k := key{account, service, operation}
	if service == "sts" {
		k.operation = "" // they share one
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	limiter := t.buckets[k]
	if limiter == nil {
		size := bucketOf(service, operation)
		limiter = rate.NewLimiter(size.perSecond, size.burst)
		t.buckets[k] = limiter
	}
	return limiter.AllowN(t.now(), 1)
}

func bucketOf(service, operation string) bucket {
	if service == "sts" {
		return tokens
	}
	if history.ReadOnly(operation) {
		return reads
	}
	if size, ok := writes[service]; ok {
		return size
	}
	return other
}

package throttle_test

import (
	"testing"
	"time"

	"tripod/awsapi/throttle"
)

func TestBucketsAreEmptiedAndFillAgain(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	buckets := throttle.New(func() time.Time { return now })
	take := func(service, operation string) (n int) {
		for n < 10000 && buckets.Allow("111122223333", service, operation) {
			n++
		}
		return n
	}
	for _, c := range []struct {
		service, operation string
		burst, perSecond   int
	}{
		{"eks", "DescribeCluster", 100, 20}, {"eks", "ListClusters", 100, 20}, {"eks", "CreateCluster", 10, 1},
		{"eks", "TagResource", 10, 1},
		{"ec2", "DescribeVpcs", 100, 20}, {"ec2", "CreateVpc", 50, 5}, {"iam", "CreateUser", 20, 5},
		{"sts", "GetCallerIdentity", 600, 600},
	} {
		if got := take(c.service, c.operation); got != c.burst {
			t.Errorf("%s:%s: %d at once, want %d", c.service, c.operation, got, c.burst)
		}
		now = now.Add(time.Second)
		if got := take(c.service, c.operation); got != c.perSecond {
			t.Errorf("%s:%s: %d after a second, want %d", c.service, c.operation, got, c.perSecond)
		}
	}
	if buckets.Allow("111122223333", "sts", "AssumeRole") {
		t.Error("STS's operations do not share a bucket")
	}
	if !buckets.Allow("444455556666", "eks", "CreateCluster") {
		t.Error("two accounts share a bucket")
	}
}

package etcdcluster

import (
	"net"
	"testing"
)

func TestNamesThatResolveNowhereHaveAddressesThatDiffer(t *testing.T) {
	was := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = was })
	resolveAnything()
	seen := map[string]bool{}
	for _, name := range []string{"etcd-a.0123.tripod.internal", "etcd-b.0123.tripod.internal", "etcd-c.0123.tripod.internal"} {
		addresses, err := net.DefaultResolver.LookupIPAddr(t.Context(), name)
		if err != nil || len(addresses) != 1 {
			t.Fatalf("%s: %v, %v", name, addresses, err)
		}
		seen[addresses[0].String()] = true
	}
	if len(seen) != 3 {
		t.Errorf("three names have the addresses %v", seen)
	}
}

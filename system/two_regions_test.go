package system

import (
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/client"
)

func TestTwoRegionsSideBySide(t *testing.T) {
	t.Parallel()
	one, two := startRegion(t), startRegion(t)
	if a, b := one.status(t).AWSEndpoint, two.status(t).AWSEndpoint; a == b {
		t.Errorf("both have the AWS endpoint %s", a)
	}
	if a, b := one.cluster(t), two.cluster(t); a.Endpoint == b.Endpoint || a.ID == b.ID {
		t.Errorf("the clusters are not two: %+v and %+v", a, b)
	}
	// Each region's kubeconfig and credentials are its own.
	config := one.config(t)
	config.Host = two.config(t).Host
	if _, err := mustClient(t, config).Discovery().ServerVersion(); err == nil ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("one region's authority vouches for the other: %v", err)
	}
	services := two.awsClientsWith(t, awsHTTP, mustCredentials(t, one))
	if _, err := services.sts.GetCallerIdentity(within(t, 10*time.Second), nil); err == nil {
		t.Error("one region takes the other's credentials")
	}

	before := two.status(t)
	entries := keepWriting(t, two, "journal")
	entries.goesOn(t, 10, 30*time.Second)
	one.do(t, "kill", "az/a")
	one.do(t, "kill", "az/b")
	one.await(t, 10*time.Second, "region", client.ForNoQuorum)
	must(t, "down", one.Close(within(t, 60*time.Second)))
	noProcesses(t, one.dir)
	entries.goesOn(t, 20, 20*time.Second)
	two.await(t, 20*time.Second, "region", client.ForHealthy)
	after := two.status(t)
	if len(after.Faults) != 0 {
		t.Errorf("the other region has faults %v", after.Faults)
	}
	for i := range before.Zones {
		if before.Zones[i].PID != after.Zones[i].PID {
			t.Errorf("zone %s of the other region was replaced", before.Zones[i].Name)
		}
	}
	entries.verify(t)
	// a machine under load can make a target silent for its balancer
	if len(entries.failures) > 0 && len(two.losses(t)) == 0 {
		t.Errorf("writes to the other region failed: %s", lastOf(entries.failures, 3))
	}
}

func mustCredentials(t testing.TB, r *testRegion) api.Credentials {
	t.Helper()
	credentials, err := client.ReadCredentials(r.dir)
	must(t, "read the credentials", err)
	return credentials
}

package eks_test

import (
	"strings"
	"testing"
	"time"

	"tripod/awsapi/apitest"
	"tripod/region"
	"tripod/state"
)

// withDemo is a region with the cluster demo and a role, for real clients.
func withDemo(t *testing.T) *apitest.World {
	t.Helper()
	return apitest.New(t, func(tx *state.Txn) {
		const id = "0123456789ABCDEF0123456789ABCDEF"
		region.Roles.Put(tx, "worker",
			region.Role{Name: "worker", ARN: "arn:aws:iam::111122223333:role/worker", ID: "AROAWORKERWORKERWORKE", Path: "/",
				TrustPolicy: trustOfAll})
		region.Clusters.Put(tx, id,
			region.Cluster{ID: id, Name: "demo", Version: "1.36", Status: "ACTIVE",
				CreatedAt:          time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
				AuthenticationMode: "API", Issuer: "https://localhost:4566/id/" + id, ServiceCIDR: "10.100.0.0/16"})
	})
}

func TestBoto3UsesClusters(t *testing.T) {
	w := withDemo(t)
	act(t, w.Memory)
	w.Boto3("testdata/clients.py")
}

func TestAWSCommandChangesACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("the aws command takes seconds to start each time")
	}
	w := withDemo(t)
	for _, c := range []struct{ args, want string }{
		{"describe-cluster-versions --query clusterVersions[].clusterVersion", "1.37\t1.36"},
		{"wait cluster-active --name demo", ""},
		{"update-cluster-version --name demo --kubernetes-version 1.37 --query update.type", "VersionUpdate"},
		{"list-updates --name demo --query length(updateIds)", "1"},
	} {
		if got := strings.TrimSpace(w.CLI(append(strings.Fields("eks "+c.args), "--output", "text")...)); got != c.want {
			t.Errorf("aws eks %s: got %q, want %q", c.args, got, c.want)
		}
	}
}

package controlplane

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tripod/az/plan"
	"tripod/az/zonetest"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const clusterTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},` +
	`"Action":"sts:AssumeRole"}]}`

// memory is a regional state of no voter.
type memory struct{ *state.Memory }

func (memory) Watch() (<-chan struct{}, func()) { return nil, func() {} }
func (memory) Leader() string                   { return "us-east-1a" }

func TestControllersGetCredentialsOfTheirClustersRole(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	record := region.Cluster{ID: zonetest.ClusterID, Name: "demo"}
	store := memory{region.NewMemory(func(tx *state.Txn) { region.Clusters.Put(tx, record.ID, record) })}
	zone := plan.Zone{Region: "us-east-1", AccountID: iam.DefaultAccountID, Zone: "us-east-1a",
		Peers: []plan.Peer{{Zone: "us-east-1a"}, {Zone: "us-east-1b"}, {Zone: "us-east-1c"}}}
	c := New(Host{Plan: zone, State: store, Logger: quiet(), Now: func() time.Time { return now }}, record)
	ask := func() (answer map[string]string, code int) {
		w := httptest.NewRecorder()
		c.serveCredentials(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		return answer, w.Code
	}
	if answer, code := ask(); code != http.StatusForbidden || !strings.Contains(answer["message"], "role/eksClusterRole") {
		t.Errorf("without the role: got %d %v", code, answer)
	}
	role := region.Role{Name: "eksClusterRole", ID: "AROACLUSTER", TrustPolicy: clusterTrust,
		ARN: "arn:aws:iam::" + iam.DefaultAccountID + ":role/eksClusterRole"}
	if err := store.Update(t.Context(), func(tx *state.Txn) error {
		region.Roles.Put(tx, role.Name, role)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	answer, code := ask()
	if code != http.StatusOK || answer["Expiration"] != "2026-03-04T05:21:07Z" {
		t.Fatalf("got %d %v", code, answer["message"])
	}
	principal, secret, err := iam.Lookup(store, answer["AccessKeyId"], answer["Token"], now)
	if err != nil {
		t.Fatal(err)
	}
	if principal.IssuerARN != role.ARN || principal.Service != "eks.amazonaws.com" || secret != answer["SecretAccessKey"] {
		t.Errorf("the credentials are %+v's", principal)
	}
}

package client

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"tripod/api"
)

func TestFaultsAreOrderedByTheirOwnPath(t *testing.T) {
	var path string
	var order api.FaultOrder
	dataDir := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path, order = r.URL.Path, api.FaultOrder{}
		json.NewDecoder(r.Body).Decode(&order)
		json.NewEncoder(w).Encode(api.FaultDone{Target: "node/n", Said: "is short of disk"})
	})
	region := New(dataDir)
	asked := api.FaultOrder{Target: api.Target{Kind: "node", Name: "n"}, Fault: "pressure=disk", For: time.Minute}
	done, err := region.Fault(t.Context(), asked)
	if err != nil || done.Said != "is short of disk" || path != "/v1/faults/fault" || order != asked {
		t.Errorf("got %+v, %v for %+v at %s", done, err, order, path)
	}
	if err := region.Do(t.Context(), "pod/default/web-0", "reset", "demo"); err != nil || path != "/v1/faults/reset" ||
		order != (api.FaultOrder{Target: api.Target{Kind: "pod", Name: "default/web-0"}, Cluster: "demo"}) {
		t.Errorf("reset: %v, with %+v at %s", err, order, path)
	}
}

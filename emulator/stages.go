package emulator

import (
	"fmt"
	"slices"

	"tripod/api"
	"tripod/region"
)

// stagesOf tells how far the creation of a cluster is, in the order of EKS's own workflow. Each zone does all of it, side by side with the others, so
// that a later stage may be complete before an earlier one; the cluster is ACTIVE as soon as its endpoint answers from one zone.
func (e *Emulator) stagesOf(c cluster, s api.Status) []api.Stage {
	parts := 0
	for _, z := range e.zones {
		state, _, _, _, _, _ := z.snapshot()
		if slices.Contains(state.Parts, c.state.ID) {
			parts++
		}
	}
	ready := map[string]int{}
	for _, z := range s.Zones {
		for _, i := range z.Instances {
			if i.Cluster == c.state.Name && i.State == api.StateReady {
				ready[i.Component]++
			}
		}
	}
	targets := 0
	if c.balancer != nil {
		for _, t := range c.balancer.Snapshot() {
			if t.Healthy {
				targets++
			}
		}
	}
	stages := []api.Stage{{Name: "network interfaces", Done: parts}, {Name: "etcd members", Done: ready["etcd"]}, {Name: "API servers", Done: ready["apiserver"]},
		{Name: "IAM authenticators", Done: parts}, {Name: "controllers", Done: ready["controllers"]}, {Name: "balancer targets", Done: targets}}
	for i := range stages {
		stages[i].Of = len(zoneLetters)
	}
	return stages
}

// noteStages makes an event of every stage that is complete for the first time, of the clusters that are created. It assumes that judging is locked.
func (e *Emulator) noteStages() {
	for _, c := range e.sortedClusters() {
		if c.creation == nil {
			continue
		}
		complete := true
		for _, stage := range e.stagesOf(c, e.status()) {
			if stage.Done < stage.Of {
				complete = false
				continue
			}
			if !c.creation[stage.Name] {
				c.creation[stage.Name] = true
				e.emit(api.Event{Cluster: c.state.Name, Type: api.ClusterStage,
					Message: fmt.Sprintf("cluster %s has its %s: %d of %d", c.state.Name, stage.Name, stage.Done, stage.Of)})
			}
		}
		if c.state.Status != region.ClusterCreating && complete {
			e.endCreation(c.state.ID)
		}
	}
}

func (e *Emulator) endCreation(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.clusters[id]; c != nil {
		c.creation = nil
	}
}

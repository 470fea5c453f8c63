package emulator

import (
	"fmt"
	"slices"

	"tripod/api"
	"tripod/region"
)

// stagesOf tells how far the creation of a cluster is, in the order of EKS's own workflow. Each zone does all of it,
// side by side with the others, so that a later stage may be complete before an earlier one; the cluster is ACTIVE as
// soon as its endpoint answers from one zone.
func (o *observer) stagesOf(c cluster, s api.Status) []api.Stage {
	parts := 0
	for _, z := range o.zones {
		if slices.Contains(z.status().agent.Parts, c.state.ID) {
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
	stages := []api.Stage{{Name: "network interfaces", Done: parts}, {Name: "etcd members", Done: ready["etcd"]},
		{Name: "API servers", Done: ready["apiserver"]},
		{Name: "IAM authenticators", Done: parts}, {Name: "controllers", Done: ready["controllers"]},
		{Name: "balancer targets", Done: targets}}
	for i := range stages {
		stages[i].Of = len(zoneLetters)
	}
	return stages
}

// noteStages makes an event of every stage that is complete for the first time, of the clusters that are created. It
// assumes that judging is locked.
func (v *supervisor) noteStages() {
	for _, c := range v.endpoints.sorted() {
		if c.creation == nil {
			continue
		}
		complete := true
		for _, stage := range v.observer.stagesOf(c, v.observer.status()) {
			if stage.Done < stage.Of {
				complete = false
				continue
			}
			if !c.creation[stage.Name] {
				c.creation[stage.Name] = true
				v.emit(api.Event{Cluster: c.state.Name, Type: api.ClusterStage,
					Message: fmt.Sprintf("cluster %s has its %s: %d of %d", c.state.Name, stage.Name, stage.Done, stage.Of)})
			}
		}
		if c.state.Status != region.ClusterCreating && complete {
			v.endpoints.endCreation(c.state.ID)
		}
	}
}

package az

import (
	"context"
	"maps"
	"slices"
	"time"

	"tripod/api"
	"tripod/az/balancing"
	"tripod/internal/loss"
	"tripod/region"
	"tripod/state"
)

// Report is what an agent tells the region, one JSON line a time: something that happened, how things stand, or what
// was lost.
type Report struct {
	Event *api.Event `json:"event,omitempty"`
	State *State     `json:"state,omitempty"`
	// Loss is of one of the zone's processes: the region tells all zones.
	Loss *loss.Loss `json:"loss,omitempty"`
}

// State of a zone as its agent knows it.
type State struct {
	// Seq rises with every state of an agent's life: they come by two ways, and a newer one counts.
	Seq        uint64 `json:"seq"`
	Serving    bool   `json:"serving"` // the AWS front and the control socket answer
	RaftLeader string `json:"raftLeader,omitempty"`
	// VoterDown is why the zone's part of the regional state is down; empty: it is not.
	VoterDown string         `json:"voterDown,omitempty"`
	Instances []api.Instance `json:"instances"`
	// Parts are the clusters, by id, whose part in this zone has its network interface and its IAM authenticator.
	Parts []string `json:"parts,omitempty"`
	// Clusters are those of the zone's copy of the regional state, and Index says how new that is: a higher one is of a
	// newer copy.
	Clusters []ClusterState `json:"clusters"`
	// Faults are those in force of what is no process of a zone, of the same copy.
	Faults []api.Fault `json:"faults,omitempty"`
	Index  uint64      `json:"index"`
	// LoadBalancers are those of the same copy. Their listeners have no address: that is the region's to give.
	LoadBalancers []api.LoadBalancer `json:"loadBalancers,omitempty"`
}

// ClusterState is a cluster's record without its secrets.
type ClusterState struct {
	Name         string               `json:"name"`
	ID           string               `json:"id"`
	Version      string               `json:"version"`
	Status       region.ClusterStatus `json:"status"`
	EndpointPort int                  `json:"endpointPort"`
	CACert       string               `json:"caCert"` // of all authorities that are trusted
	// Access says who may reach the endpoint, and Trouble is what the record says of it.
	Access  region.EndpointAccess `json:"access"`
	Trouble string                `json:"trouble,omitempty"`
	// NotBefore is when the status may end at the earliest.
	NotBefore *time.Time `json:"notBefore,omitempty"`
}

func (z *Zone) event(e api.Event) {
	if e.Zone == "" {
		e.Zone = z.config.Zone
	}
	e.Time = time.Now()
	z.logger.Info(e.Message, "event", e.Type, "target", e.Target)
	z.OnReport(Report{Event: &e})
}

func (z *Zone) tellLoss(l loss.Loss) { z.OnReport(Report{Loss: &l}) }

func (z *Zone) leaderChanged(leader string) {
	if leader == z.config.Zone && !z.former.Returns(regionalState) {
		z.event(api.Event{Type: api.LeaderChanged, Target: "az/" + leader, Message: leader + " leads " + regionalState})
	}
	z.changed()
}

// changed asks for a report of the state, soon.
func (z *Zone) changed() {
	select {
	case z.changes <- struct{}{}:
	default:
	}
}

func (z *Zone) reportState(context.Context) (time.Duration, error) {
	state := z.state()
	z.OnReport(Report{State: &state})
	return 0, nil
}

func (z *Zone) state() State {
	z.telling.Lock()
	defer z.telling.Unlock()
	z.told++
	s := State{Seq: z.told, RaftLeader: z.voter.Leader(), Instances: []api.Instance{}, Clusters: []ClusterState{}}
	if why := z.voter.Down(); why != nil {
		s.VoterDown = why.Error()
	}
	for _, i := range z.instances("") {
		s.Instances = append(s.Instances, i.Status())
	}
	z.mu.Lock()
	s.Serving, s.Parts = z.serving, slices.Sorted(maps.Keys(z.clusters))
	z.mu.Unlock()
	z.voter.View(func(tx *state.Txn) error {
		for _, c := range region.Clusters.List(tx) {
			s.Clusters = append(s.Clusters, ClusterState{Name: c.Name, ID: c.ID, Version: c.Version, Status: c.Status,
				EndpointPort: c.EndpointPort, CACert: c.BundleOf(c.Components),
				Access: c.EndpointAccess(), Trouble: c.EndpointTrouble(), NotBefore: c.NotBefore})
		}
		s.Faults, s.Index, s.LoadBalancers = faultsIn(tx), tx.Index(), balancing.Shown(tx, z.now())
		return nil
	})
	return s
}

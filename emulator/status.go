package emulator

import (
	"os"
	"slices"
	"strings"
	"sync"

	"tripod/api"
	"tripod/az"
	"tripod/internal/pressure"
	"tripod/internal/process"
	"tripod/lb"
	"tripod/region"
)

// observer tells the region's state.
type observer struct {
	*site
	life      *life
	zones     zones
	links     *links
	disks     *disks
	endpoints *endpoints
	fronts    *fronts
	sleeper   *sleeper
	spans     *spans
}

// judge says whether there is quorum and how the region does.
func (o *observer) judge() (quorum bool, phase string) {
	s := o.status()
	quorum = s.State.Quorum
	well := true
	passing := map[string]bool{} // clusters that come or go, beside which the region is well
	for _, c := range s.Clusters {
		// a port that somebody else has does not hold up the start of all the rest
		well = well && (c.Trouble == "" || !o.life.isUp())
		status := region.ClusterStatus(c.Status)
		passing[c.Name] = !status.Runs() || status == region.ClusterCreating && o.life.isUp()
		quorum = quorum && (c.Quorum || passing[c.Name])
	}
	for _, z := range s.Zones {
		well = well && z.State == api.StateReady
		for _, i := range z.Instances {
			well = well && (i.State == api.StateReady || passing[i.Cluster] || !o.life.isUp() && atFault(s.Faults, i.Target, i.Cluster))
		}
	}
	for _, b := range s.Balancers {
		for _, t := range b.Targets {
			well = well && (t.Healthy || passing[b.Name])
		}
	}
	well = well && o.endpoints.known() && s.State.Leader != "" // else the state is still being read
	switch {
	case o.life.isStopping():
		return quorum, api.PhaseStopping
	case o.sleeper.asleep.Load() != nil:
		return quorum, api.PhaseAsleep
	case well:
		return quorum, api.PhaseReady
	case !o.life.isUp():
		return quorum, api.PhaseStarting
	case !quorum:
		return quorum, api.PhaseNoQuorum
	default:
		return quorum, api.PhaseDegraded
	}
}

// atFault says whether somebody has broken what an instance works with: a start does not wait for it, and is not given up for it.
func atFault(faults []api.Fault, target, cluster string) bool {
	return slices.ContainsFunc(faults, func(f api.Fault) bool {
		kind, _, _ := strings.Cut(f.Target, "/")
		found, _ := api.FindRecordFault(kind)
		return found.InZone() && f.Target == target && f.Cluster == cluster
	})
}

// Status describes the region, with what its processes use.
func (o *observer) Status() api.Status {
	s := o.status()
	_, s.Phase = o.judge()
	measure(&s)
	if since := o.sleeper.asleep.Load(); since != nil {
		at := since.UTC()
		s.AsleepSince = &at
	}
	now := pressure.Now()
	s.Machine = api.Machine{ProcessorPressure: now.Processor, DiskPressure: now.Disk, MemoryPressure: now.Memory,
		Trouble: now.String()}
	return s
}

// measure asks the system for the memory of every process: some 10 ms of work, and so only done for who asks.
func measure(s *api.Status) {
	var wait sync.WaitGroup
	gauge := func(pid int, into *int64) {
		if pid != 0 {
			wait.Go(func() { *into = process.Memory(pid) })
		}
	}
	gauge(s.PID, &s.MemoryBytes)
	for i := range s.Zones {
		gauge(s.Zones[i].PID, &s.Zones[i].MemoryBytes)
		for j := range s.Zones[i].Instances {
			gauge(s.Zones[i].Instances[j].PID, &s.Zones[i].Instances[j].MemoryBytes)
		}
	}
	wait.Wait()
	for i := range s.Zones {
		for j := range s.Zones[i].Instances {
			s.Zones[i].MemoryBytes += s.Zones[i].Instances[j].MemoryBytes
		}
		s.MemoryBytes += s.Zones[i].MemoryBytes
	}
}

func (o *observer) status() api.Status {
	m := o.dir.marker
	s := api.Status{Schema: 1, Region: o.options.Region, AccountID: m.AccountID, DataDir: o.dir.path, PID: os.Getpid(),
		StartedAt: o.life.started.UTC(), ControlAddress: o.options.ControlAddress,
		AWSEndpoint: "http://" + loopback(m.Port), Clusters: []api.Cluster{}, Faults: []api.Fault{},
		LoadBalancers: append([]api.LoadBalancer{}, o.fronts.loadBalancers()...)}
	leaders := map[string]int{}
	for _, z := range o.zones {
		view, leader, faults := z.describe()
		for i := range faults {
			faults[i].Until = o.spans.until(faults[i])
		}
		s.Zones = append(s.Zones, view)
		s.Faults = append(s.Faults, faults...)
		if alive(view.State) && view.State != api.StateUnready { // else its voter is down
			s.State.Voters++
			leaders[leader]++
		}
	}
	s.State.Quorum = s.State.Voters >= majority
	for leader, votes := range leaders {
		if leader != "" && votes >= majority {
			s.State.Leader = leader
		}
	}
	s.Balancers = append(s.Balancers, describeBalancer("aws", o.endpoints.aws))
	for _, c := range o.endpoints.sorted() {
		s.Clusters = append(s.Clusters, c.describe(s.Zones))
		if c.creation != nil {
			s.Clusters[len(s.Clusters)-1].Stages = o.stagesOf(c, s)
		}
		if c.balancer != nil {
			s.Balancers = append(s.Balancers, describeBalancer(c.state.Name, c.balancer))
		}
	}
	s.Faults = slices.Concat(s.Faults, o.links.shown(), o.disks.shown(), o.endpoints.recordFaults())
	return s
}

// alive says whether a zone or an instance in that state counts for a quorum.
func alive(state string) bool {
	return state == api.StateReady || state == api.StateStarting || state == api.StateUnready
}

func (c cluster) describe(zones []api.Zone) api.Cluster {
	described := describeCluster(c.state, zones)
	described.Trouble = c.trouble
	if c.listener != nil {
		described.Private = c.listener.privateEndpoint()
	}
	return described
}

func describeCluster(state az.ClusterState, zones []api.Zone) api.Cluster {
	c := api.Cluster{Name: state.Name, ID: state.ID, Version: state.Version, Status: string(state.Status),
		Endpoint: "https://" +
			loopback(state.EndpointPort)}
	leaderless := 0
	for _, z := range zones {
		for _, i := range z.Instances {
			if i.Cluster != state.Name {
				continue
			}
			if i.Component == "etcd" && i.PID != 0 && alive(i.State) {
				c.EtcdMembers++
				if i.State == api.StateUnready {
					leaderless++
				}
			}
			for _, leads := range i.Leads {
				switch leads {
				case "etcd":
					c.EtcdLeader = z.Name
				case "kube-controller-manager":
					c.Controllers = z.Name
				case "kube-scheduler":
					c.Scheduler = z.Name
				}
			}
		}
	}
	if c.EtcdLeader != "" || leaderless == c.EtcdMembers { // else they elect one
		c.EtcdMembers -= leaderless
	}
	c.Quorum = c.EtcdMembers >= majority
	if !c.Quorum {
		c.EtcdLeader = ""
	}
	return c
}

func describeBalancer(name string, balancer *lb.Balancer) api.Balancer {
	b := api.Balancer{Name: name, Targets: []api.BalancerTarget{}}
	if address := balancer.Addr(); address != nil {
		b.Address = address.String()
	}
	for _, t := range balancer.Snapshot() {
		b.Targets = append(b.Targets, api.BalancerTarget{Zone: t.Name, Address: t.Address, Healthy: t.Healthy,
			Reason:      strings.TrimSpace(t.Reason),
			Connections: t.Open, Total: uint64(t.Total)})
	}
	return b
}

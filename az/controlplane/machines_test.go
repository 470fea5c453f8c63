package controlplane

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"
	"time"

	"tripod/awsapi/ec2"
	"tripod/az/machines"
	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// recorder are workers of which the test knows the machines.
type recorder struct {
	fakeWorkers
	now []machine.Machine
}

func (r *recorder) Set(machines []machine.Machine) error { r.now = machines; return nil }

func (r *recorder) names() (names []string) {
	for _, m := range r.now {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}

// joiningPart is the part of a cluster whose nodes are r's.
func joiningPart(t *testing.T, r *recorder) *Part {
	t.Helper()
	c := partOf(t, newHost(t))
	if err := c.writePKI(); err != nil {
		t.Fatal(err)
	}
	vpc := ec2.VPC{AccountID: "000000000000", Region: "us-east-1", Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	c.host.Machines = &machines.Host{Zone: c.host.Plan.Zone, Network: &ec2.Service{VPC: vpc, State: c.host.State}}
	c.host.Workers = func(config WorkersConfig) (Workers, error) { r.now = config.Machines; return r, nil }
	if err := c.startWorkers(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stopWorkers(context.Background()) })
	return c
}

// launched writes a running instance that is to be a node of the cluster.
func launched(t *testing.T, c *Part, id, zone string) {
	t.Helper()
	vpc := c.host.Machines.Network.VPC
	at := slices.Index(vpc.Zones, zone)
	config := fmt.Sprintf("apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    name: demo\n"+
		"    apiServerEndpoint: https://127.0.0.1:%d\n    certificateAuthority: %s\n    cidr: 10.100.0.0/16\n"+
		"  kubelet:\n    flags: [--node-labels=team=blue]\n    maxPodsExpression: ips_per_eni * 2\n"+
		"    config: {systemReserved: {memory: 1Gi}}\n", c.cluster.EndpointPort,
		base64.StdEncoding.EncodeToString(c.trust.Load().bundle))
	update(t, c, func(tx *state.Txn) {
		region.Roles.Put(tx, "node", region.Role{Name: "node"})
		region.InstanceProfiles.Put(tx, "node", region.InstanceProfile{Name: "node", Role: "node"})
		region.Instances.Put(tx, id, region.Instance{ID: id, State: region.InstanceRunning, Zone: zone, VPCID: vpc.ID(),
			SubnetID: vpc.SubnetIDs()[at], Address: fmt.Sprintf("10.0.%d.40", 32*at), DNSName: "node-" + id,
			Launch: region.InstanceLaunch{Type: "m5.large", Profile: "node",
				UserData: base64.StdEncoding.EncodeToString([]byte(config))},
			Boot: region.Boot{At: time.Now(), ClusterID: c.cluster.ID, Cluster: "demo", Version: "v1.36.1-eks-1"}})
	})
}

func update(t *testing.T, c *Part, fn func(tx *state.Txn)) {
	t.Helper()
	if err := c.host.State.Update(t.Context(), func(tx *state.Txn) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

func instanceOf(t *testing.T, c *Part, id string) (v region.Instance) {
	t.Helper()
	c.host.State.View(func(tx *state.Txn) error { v, _ = region.Instances.Get(tx, id); return nil })
	return v
}

func keep(t *testing.T, c *Part) {
	t.Helper()
	if again, err := c.keepMachines(t.Context()); again != 0 || err != nil {
		t.Fatalf("again after %v, %v", again, err)
	}
}

func TestNodesAreTheRunningInstancesOfTheZone(t *testing.T) {
	r := &recorder{}
	c := joiningPart(t, r)
	launched(t, c, "i-1", "us-east-1a")
	launched(t, c, "i-2", "us-east-1a")
	launched(t, c, "i-3", "us-east-1b")
	keep(t, c)
	if got, want := r.names(), []string{"node-i-1", "node-i-2"}; !slices.Equal(got, want) {
		t.Fatalf("nodes %v, want %v", got, want)
	}
	if m := r.now[0]; m.Boot.Labels["team"] != "blue" || m.Version != "v1.36.1-eks-1" || m.InstanceType != "m5.large" ||
		m.Subnet.String() != "10.0.0.0/19" || m.Boot.MaxPods != 20 || m.Boot.SystemReserved.Values["memory"] != "1Gi" {
		t.Errorf("machine %+v", m)
	}
	update(t, c, func(tx *state.Txn) {
		if _, err := region.TerminateInstance(tx, "i-1", region.UserShutdown, time.Now()); err != nil {
			t.Error(err)
		}
	})
	keep(t, c)
	if got, want := r.names(), []string{"node-i-2"}; !slices.Equal(got, want) {
		t.Errorf("after a termination nodes %v, want %v", got, want)
	}
	fault := region.Fault{Target: "node/node-i-2", Of: region.FaultedInstance, Fault: region.ImpairFault, InstanceID: "i-2",
		Since: time.Now()}
	update(t, c, func(tx *state.Txn) {
		region.Faults.Put(tx, fault.Key(), fault)
		region.ImpairInstance(tx, "i-2", fault.Since)
	})
	keep(t, c)
	if got := r.names(); len(got) != 0 {
		t.Errorf("an impaired instance answers as %v", got)
	}
	update(t, c, func(tx *state.Txn) {
		region.EndFault(tx, fault)
		region.ImpairInstance(tx, "i-2", time.Time{})
	})
	keep(t, c)
	if got, want := r.names(), []string{"node-i-2"}; !slices.Equal(got, want) {
		t.Errorf("when it answers again nodes %v, want %v", got, want)
	}
}

func TestWhatBecameOfANodeStandsInItsInstance(t *testing.T) {
	r := &recorder{}
	c := joiningPart(t, r)
	launched(t, c, "i-1", "us-east-1a")
	keep(t, c)
	const refused = "Unable to register node with API server: Unauthorized"
	c.reports.take("i-1", refused)
	keep(t, c)
	if got := instanceOf(t, c, "i-1").Boot; got.Trouble != refused || got.TroubledAt.IsZero() || !got.Joined.IsZero() {
		t.Errorf("refused: boot %+v", got)
	}
	c.reports.take("i-1", "")
	keep(t, c)
	joined := instanceOf(t, c, "i-1").Boot
	if joined.Trouble != "" || joined.Joined.IsZero() {
		t.Errorf("joined: boot %+v", joined)
	}
	if told := c.reports.pending(); len(told) > 0 {
		t.Errorf("reports are still to be written: %v", told)
	}
	update(t, c, func(tx *state.Txn) {
		cluster, _ := region.Clusters.Get(tx, c.cluster.ID)
		cluster.Access = &region.EndpointAccess{Public: true, PublicCIDRs: []string{"192.168.0.0/16"}}
		region.Clusters.Put(tx, cluster.ID, cluster)
	})
	keep(t, c)
	if got := instanceOf(t, c, "i-1").Boot; len(r.now) > 0 || got.Trouble == "" || !got.Joined.Equal(joined.Joined) {
		t.Errorf("the endpoint is closed to it: nodes %v, boot %+v", r.names(), got)
	}
}

func TestNothingIsReadAgainWhileNodesRest(t *testing.T) {
	r := &recorder{}
	c := joiningPart(t, r)
	launched(t, c, "i-1", "us-east-1a")
	c.reports.take("i-1", "")
	keep(t, c)
	keep(t, c) // what it wrote itself
	if _, same := c.look(); !same {
		t.Fatal("nothing has changed since")
	}
	update(t, c, func(tx *state.Txn) { region.Users.Put(tx, "ada", region.User{Name: "ada"}) })
	if _, same := c.look(); !same {
		t.Error("a user is not of the nodes' concern")
	}
}

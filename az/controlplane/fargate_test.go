package controlplane

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"tripod/awsapi/eks"
	"tripod/az/zonetest"
	"tripod/internal/reconcile"
	"tripod/nodes/boot"
	"tripod/nodes/machine"
	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

// onFargate writes a machine of Fargate's in a zone's private subnet, whose kubelet starts at that time.
func onFargate(t *testing.T, c *Part, taskID string, zone int, starts time.Time) (m region.FargateMachine) {
	t.Helper()
	update(t, c, func(tx *state.Txn) {
		region.Roles.Put(tx, "pods", region.Role{Name: "pods", ID: "AROAPODS", ARN: "arn:aws:iam::000000000000:role/team/pods"})
		var err error
		if m, err = c.host.Machines.Network.LaunchFargate(tx, region.FargateMachine{ClusterID: c.cluster.ID, TaskID: taskID,
			RoleARN: "arn:aws:iam::000000000000:role/team/pods", SubnetID: c.host.Machines.Network.VPC.SubnetIDs()[zone],
			Size: object.FargateSize{MilliCPU: 250, MemoryMiB: 512, DiskGiB: 20}, Version: "v1.36.1-eks-1", Starts: starts}); err != nil {
			t.Fatal(err)
		}
	})
	return m
}

func TestFargatesMachinesOfTheZoneAreNodesWhenTheyHaveStarted(t *testing.T) {
	r := &recorder{}
	c := joiningPart(t, r)
	now := time.Now()
	c.host.Now = func() time.Time { return now }
	m := onFargate(t, c, "0123456789-a", 0, now)
	onFargate(t, c, "0123456789-b", 1, now) // of another zone
	late := onFargate(t, c, "0123456789-c", 0, now.Add(time.Minute))
	if again, err := c.keepMachines(t.Context()); again != time.Minute || err != nil {
		t.Fatalf("again after %v, %v: want when the next one starts", again, err)
	}
	if got, want := r.names(), []string{m.Name}; !slices.Equal(got, want) {
		t.Fatalf("nodes %v, want %v", got, want)
	}
	want := machine.Machine{InstanceID: "0123456789-a/" + m.Name, Name: m.Name, Address: r.now[0].Address, Subnet: r.now[0].Subnet,
		Version: "v1.36.1-eks-1", Fargate: &m.Size, Boot: boot.Config{MaxPods: 1,
			Labels: map[string]string{"eks.amazonaws.com/compute-type": "fargate",
				"kubernetes.io/hostname": m.Name[len("fargate-"):]},
			Taints: []boot.Taint{{Key: "eks.amazonaws.com/compute-type", Value: "fargate", Effect: "NoSchedule"}}}}
	if diff := cmp.Diff(want, r.now[0], cmp.Comparer(func(a, b machine.Machine) bool {
		return a.InstanceID == b.InstanceID && a.Name == b.Name && a.Version == b.Version && *a.Fargate == *b.Fargate &&
			cmp.Equal(a.Boot.Labels, b.Boot.Labels) && cmp.Equal(a.Boot.Taints, b.Boot.Taints) && a.Boot.MaxPods == b.Boot.MaxPods
	})); diff != "" || r.now[0].Address.String() != m.Address {
		t.Errorf("(-want +got):\n%s", diff)
	}
	now = now.Add(time.Minute)
	keep(t, c)
	if got := r.names(); len(got) != 2 || !slices.Contains(got, late.Name) {
		t.Errorf("after its start nodes %v, want %s too", got, late.Name)
	}
	c.reports.take(m.InstanceID(), "Unable to register node with API server: Unauthorized")
	keep(t, c)
	c.host.State.View(func(tx *state.Txn) error {
		m, _ = region.FargateMachines.Get(tx, c.cluster.ID+"/"+m.Name)
		return nil
	})
	if m.Trouble == "" {
		t.Error("what its kubelet reported is not written down")
	}
	update(t, c, func(tx *state.Txn) { region.EndFargateMachine(tx, m) })
	keep(t, c)
	if got, want := r.names(), []string{late.Name}; !slices.Equal(got, want) {
		t.Errorf("after an end nodes %v, want %v", got, want)
	}
}

func TestAMachineOfFargatesSignsInAsItsNode(t *testing.T) {
	c := joiningPart(t, &recorder{})
	m := onFargate(t, c, "0123456789-a", 0, time.Now())
	c.host.Plan.AccountID = "000000000000"
	_, arn, err := c.nodeCredentials(t.Context(), m.InstanceID(), time.Hour)
	if want := "arn:aws:sts::000000000000:assumed-role/pods/" + m.Name; err != nil || arn != want {
		t.Errorf("it is %s, want %s (%v)", arn, want, err)
	}
	if _, _, err := c.nodeCredentials(t.Context(), "other/"+m.Name, time.Hour); err == nil {
		t.Error("a machine of before signs in as the one that has its name")
	}
	update(t, c, func(tx *state.Txn) { region.Roles.Delete(tx, "pods") })
	if _, _, err := c.nodeCredentials(t.Context(), m.InstanceID(), time.Hour); err == nil {
		t.Error("it signs in without its role")
	}
}

func TestNewPodsFallToProfilesThatAreActive(t *testing.T) {
	store := region.NewMemory(func(tx *state.Txn) {
		for name, status := range map[string]types.FargateProfileStatus{"b": "ACTIVE", "a": "ACTIVE", "c": "CREATING", "d": "DELETING"} {
			region.FargateProfiles.Put(tx, zonetest.ClusterID+"/"+name, region.FargateProfile{ClusterID: zonetest.ClusterID,
				FargateProfile: types.FargateProfile{FargateProfileName: aws.String(name), Status: status,
					Selectors: []types.FargateProfileSelector{{Namespace: aws.String("web"), Labels: map[string]string{"x": "y"}}}}})
		}
	})
	selectors := []object.FargateSelector{{Namespace: "web", Labels: map[string]string{"x": "y"}}}
	want := []object.FargateProfile{{Name: "a", Selectors: selectors}, {Name: "b", Selectors: selectors}}
	if diff := cmp.Diff(want, selectingProfiles(store, zonetest.ClusterID)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c := &Part{}
	if c.fargateAdmission() != nil {
		t.Error("a zone without Fargate has its webhook")
	}
	c.host.Logger = quiet()
	c.host.Fargate.Admission = func(func() []object.FargateProfile, *slog.Logger) http.Handler { return http.NotFoundHandler() }
	if c.fargateAdmission() == nil {
		t.Error("a zone with Fargate has no webhook")
	}
}

// quietFargate is a cluster in which nothing is on Fargate; it counts how often one is made, and how many are open.
type quietFargate struct {
	eks.FargateCluster
	made, open, admitted *int
	changes              chan struct{}
}

func (f quietFargate) Start(context.Context) error                       { *f.open++; return nil }
func (f quietFargate) Stop(context.Context) error                        { *f.open--; return nil }
func (f quietFargate) Changes() <-chan struct{}                          { return f.changes }
func (f quietFargate) Admit(context.Context) error                       { *f.admitted++; return nil }
func (f quietFargate) Pods(context.Context) ([]object.FargatePod, error) { return nil, nil }
func (f quietFargate) Nodes(context.Context) ([]object.Node, error)      { return nil, nil }

// led is a regional state whose leader the test says.
type led struct {
	State
	leader *string
}

func (l led) Leader() string { return *l.leader }

func TestFargateIsWatchedWhereTheZoneLeadsWhileThereAreProfiles(t *testing.T) {
	c := joiningPart(t, &recorder{})
	leader := c.host.Plan.Zone
	c.host.State = led{c.host.State, &leader}
	c.host.Clusters = &eks.Service{State: c.host.State, VPC: c.host.Machines.Network.VPC}
	var made, open, admitted int
	webhook := ""
	c.host.Fargate.Cluster = func(_ WorkersConfig, url string) (FargateCluster, error) {
		made++
		webhook = url
		return quietFargate{made: &made, open: &open, admitted: &admitted, changes: make(chan struct{})}, nil
	}
	want := func(what string, wantMade, wantOpen int) {
		t.Helper()
		if _, err := c.keepFargate(t.Context()); err != nil || made != wantMade || open != wantOpen {
			t.Errorf("%s: %d made, %d open, want %d and %d (%v)", what, made, open, wantMade, wantOpen, err)
		}
	}
	want("no profiles", 0, 0)
	update(t, c, func(tx *state.Txn) {
		if _, err := region.CreateFargateProfile(tx, region.FargateProfile{ClusterID: c.cluster.ID,
			FargateProfile: types.FargateProfile{FargateProfileName: aws.String("f")}}, nil); err != nil {
			t.Error(err)
		}
	})
	want("a profile", 1, 1)
	if admitted != 1 || len(selectingProfiles(c.host.State, c.cluster.ID)) != 1 || !strings.HasSuffix(webhook, "/fargate") {
		t.Errorf("pods do not fall to the profile: admitted %d times, at %s", admitted, webhook)
	}
	again := *c.trust.Load()
	c.trust.Store(&again)
	want("other certificates", 2, 1)
	leader = "us-east-1b"
	want("another zone leads", 2, 0)
	leader = c.host.Plan.Zone
	want("it leads again", 3, 1)
	if err := drop(t.Context(), &c.fargate); err != nil || open != 0 {
		t.Errorf("%d open at the end (%v)", open, err)
	}
	c.host.Fargate.Cluster = nil
	if _, err := c.keepFargate(t.Context()); !errors.Is(err, reconcile.ErrDone) {
		t.Errorf("a zone without Fargate keeps it: %v", err)
	}
}

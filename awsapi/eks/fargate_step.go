package eks

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/wire"
	"tripod/internal/version"
	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

const (
	// unseenPatience is how long a machine is kept whose pod the watch does not know: it may not have heard of it yet.
	unseenPatience = 3 * time.Second
	// mostLaunched bounds what one transaction launches: the next one follows at once.
	mostLaunched = 50
)

// What Fargate's scheduler says of pods that wait. The last two sentences are Tripod's own: EKS's are not known.
const (
	noFargateCapacity = "Fargate capacity is unavailable at this time. Please try again later or in a different availability zone."
	notAssumable      = "Failed to assume PodExecutionRole; Please make sure the role exists and trusts the " + fargateService +
		" service principal"
	notInAuth = "Pod execution role is not found in auth config or does not have all required permissions for launching " +
		"fargate pods."
	noProfileLabel = "Misconfigured Fargate Profile: the pod has no label eks.amazonaws.com/fargate-profile, since no profile " +
		"selected it when it was created"
	noSuchProfile = "Misconfigured Fargate Profile: the cluster has no fargate profile %s"
)

// fargateStep decides once about all that Fargate has of a cluster. It runs twice where it has something to write: to look,
// and then in a transaction. What it does in the cluster comes after.
type fargateStep struct {
	*FargateKeeper
	tx      *state.Txn
	write   bool
	news    bool // something is to be written
	now     time.Time
	pace    FargatePace
	cluster region.Cluster

	pods     []object.FargatePod
	byUID    map[string]object.FargatePod
	nodes    map[string]object.Node // by name
	profiles []region.FargateProfile
	machines []region.FargateMachine
	launched int

	orders []func(ctx context.Context) error
	wake   time.Time // zero: only a change matters
}

func (st *fargateStep) run(tx *state.Txn, write bool) error {
	st.tx, st.write = tx, write
	st.cluster, _ = region.Clusters.Get(tx, st.ClusterID)
	if !st.cluster.Runs() {
		return nil
	}
	st.profiles = fargateProfiles.list(tx, st.ClusterID)
	st.machines = region.FargateMachines.Under(tx, st.ClusterID+"/")
	st.keepMachines()
	st.endStrays()
	if err := st.place(); err != nil {
		return err
	}
	return st.keepProfiles()
}

// changes notes that something is to be written, and says whether it is to be written now.
func (st *fargateStep) changes() bool {
	st.news = true
	return st.write
}

func (st *fargateStep) order(do func(ctx context.Context) error) { st.orders = append(st.orders, do) }

// wakeAt has the step repeated at that time at the latest.
func (st *fargateStep) wakeAt(t time.Time) {
	if st.wake.IsZero() || t.Before(st.wake) {
		st.wake = t
	}
}

// over says whether the time has come; if not, the step is repeated then.
func (st *fargateStep) over(t time.Time) bool {
	if st.now.Before(t) {
		st.wakeAt(t)
		return false
	}
	return true
}

// lost says whether a zone is out, and whether it has been for so long that its machines are given up.
func (st *fargateStep) lost(zone string) (out, forGood bool) {
	outage, out := region.ZoneOutages.Get(st.tx, zone)
	return out, out && st.over(outage.Since.Add(st.pace.Lost))
}

// keepMachines binds pods whose nodes are Ready, and ends machines that are of no use.
func (st *fargateStep) keepMachines() {
	kept := st.machines[:0:0]
	for _, m := range st.machines {
		if !st.keepMachine(m) {
			if st.changes() {
				region.EndFargateMachine(st.tx, m)
			}
			continue
		}
		kept = append(kept, m)
	}
	st.machines = kept
}

// keepMachine says whether the machine stays.
func (st *fargateStep) keepMachine(m region.FargateMachine) bool {
	pod, known := st.byUID[m.PodUID]
	out, forGood := st.lost(m.Zone)
	switch {
	case !known:
		return !st.over(m.Launched.Add(unseenPatience))
	case pod.Node != "":
		if forGood && pod.Node == m.Name { // its kubelet cannot end it
			st.force(pod)
		}
		return pod.Node == m.Name // else somebody else has bound it
	case forGood:
		return false // another machine is launched elsewhere
	case out || pod.Ending:
		return true
	}
	if node := st.nodes[m.Name]; node.Ready && node.InstanceID == m.InstanceID() {
		pod.Size = m.Size
		st.order(func(ctx context.Context) error { return st.Cluster.Bind(ctx, pod, m.Name) })
		return true
	}
	if m.Trouble != "" && st.over(m.Starts.Add(st.pace.Trouble)) {
		st.tell(pod, blocked(m.Profile, notInAuth))
		return false
	}
	if st.over(m.Launched.Add(st.pace.Provision)) {
		st.tell(pod, fmt.Sprintf("Pod provisioning timed out (will retry) for pod: %s", pod))
		return false
	}
	return true
}

// blocked is what is said of a profile for whose pods nothing is launched.
func blocked(profile, why string) string {
	return fmt.Sprintf("Misconfigured Fargate Profile: fargate profile %s blocked for new launches due to: %s", profile, why)
}

// tell tells why a pod waits, unless that was said last, and holds the pod for a while.
func (st *fargateStep) tell(pod object.FargatePod, message string) {
	until := st.now.Add(st.pace.Retry)
	st.wakeAt(until)
	st.order(func(ctx context.Context) error {
		st.held[pod.UID] = until
		if st.told[pod.UID] == message {
			return nil
		}
		if err := st.Cluster.Tell(ctx, pod, object.FargateEvent{Warning: true, Reason: "FailedScheduling",
			Message: message}); err != nil {
			return fmt.Errorf("tell of the pod %s: %w", pod, err)
		}
		st.told[pod.UID] = message
		return nil
	})
}

// unlessHeld has something done to a pod or a node, and not again for a while: finalizers may keep what was deleted.
func (st *fargateStep) unlessHeld(what string, do func(ctx context.Context) error) {
	if until, held := st.held[what]; held {
		st.wakeAt(until)
		return
	}
	until := st.now.Add(st.pace.Retry)
	st.order(func(ctx context.Context) error {
		st.held[what] = until
		return do(ctx)
	})
}

// force deletes a pod whose machine is gone.
func (st *fargateStep) force(pod object.FargatePod) {
	st.unlessHeld(pod.UID, func(ctx context.Context) error { return st.Cluster.DeletePod(ctx, pod, true) })
}

// endStrays deletes nodes whose machines are gone, and pods that are bound to such.
func (st *fargateStep) endStrays() {
	names := map[string]bool{}
	for _, m := range st.machines {
		names[m.Name] = true
	}
	for name := range st.nodes {
		if !names[name] {
			st.unlessHeld(name, func(ctx context.Context) error { return st.Cluster.DeleteNode(ctx, name) })
		}
	}
	for _, pod := range st.pods {
		if strings.HasPrefix(pod.Node, "fargate-") && !names[pod.Node] {
			st.force(pod)
		}
	}
}

// place launches a machine for each pod that waits, the oldest first.
func (st *fargateStep) place() error {
	has := map[string]bool{}
	for _, m := range st.machines {
		has[m.PodUID] = true
	}
	waiting := slices.DeleteFunc(slices.Clone(st.pods), func(p object.FargatePod) bool {
		return p.Node != "" || p.Ending || has[p.UID]
	})
	slices.SortFunc(waiting, func(a, b object.FargatePod) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.String(), b.String()))
	})
	for _, pod := range waiting {
		if until, held := st.held[pod.UID]; held && !st.over(until) {
			continue
		}
		profile, why := st.profileOf(pod)
		switch {
		case why != "":
			st.tell(pod, why)
		case profile.Status == types.FargateProfileStatusDeleting: // the pod goes with it
		default:
			if err := st.launch(pod, profile); err != nil {
				return err
			}
		}
	}
	return nil
}

// profileOf is a pod's profile, or why nothing can be launched for it.
func (st *fargateStep) profileOf(pod object.FargatePod) (profile region.FargateProfile, why string) {
	at := slices.IndexFunc(st.profiles, func(p region.FargateProfile) bool { return p.Name() == pod.Profile })
	switch {
	case pod.Profile == "":
		return profile, noProfileLabel
	case at < 0:
		return profile, fmt.Sprintf(noSuchProfile, pod.Profile)
	case pod.Refused != "":
		return profile, pod.Refused
	}
	profile = st.profiles[at]
	if role, found := roleOf(st.tx, aws.ToString(profile.PodExecutionRoleArn)); !found ||
		!trusts(role.TrustPolicy, fargateService, assuming) {
		return profile, blocked(profile.Name(), notAssumable)
	}
	return profile, ""
}

// launch launches a machine for a pod in one of its profile's subnets.
func (st *fargateStep) launch(pod object.FargatePod, profile region.FargateProfile) error {
	places := st.places(pod, profile)
	if len(places) == 0 {
		st.tell(pod, noFargateCapacity)
		return nil
	}
	if !st.changes() {
		return nil
	}
	if st.launched == mostLaunched {
		st.wakeAt(st.now)
		return nil
	}
	kubelet, _ := version.FindKubernetes(st.cluster.Version)
	m := region.FargateMachine{
		ClusterID: st.ClusterID, TaskID: newTaskID(), Profile: profile.Name(), RoleARN: aws.ToString(profile.PodExecutionRoleArn),
		Namespace: pod.Namespace, Pod: pod.Name, PodUID: pod.UID, OwnerUID: pod.Owner, Size: pod.Size,
		Version: kubelet.Build, Launched: st.now, Starts: st.now.Add(st.pace.Boot),
	}
	for _, place := range places {
		m.SubnetID = place.subnetID
		made, err := st.Service.network().LaunchFargate(st.tx, m)
		if err == nil {
			st.machines = append(st.machines, made)
			st.launched++
			st.order(func(context.Context) error { delete(st.told, pod.UID); return nil })
			return nil
		}
		if full := new(wire.Error); !errors.As(err, &full) { // else it has no free address
			return err
		}
	}
	st.tell(pod, noFargateCapacity)
	return nil
}

// newTaskID is the id of a machine as Fargate's nodes have it: 10HEX-32HEX.
func newTaskID() string {
	var b [21]byte
	rand.Read(b[:]) // never fails
	text := fmt.Sprintf("%x", b)
	return text[:10] + "-" + text[10:]
}

// fargatePlace is a subnet that a machine can be launched in.
type fargatePlace struct {
	subnetID, zone string
	same, all      int // machines in the zone: of the pod's controller, and of the cluster
}

// places are the subnets for a pod's machine: in zones that live and have room, those first that have the fewest of the same
// controller's pods, then those that have the fewest of all.
func (st *fargateStep) places(pod object.FargatePod, profile region.FargateProfile) (all []fargatePlace) {
	network := st.Service.network()
	for _, subnetID := range profile.Subnets {
		zone, room, err := network.FargateZone(st.tx, subnetID)
		if _, out := region.ZoneOutages.Get(st.tx, zone); err != nil || !room || out {
			continue
		}
		one := fargatePlace{subnetID: subnetID, zone: zone}
		for _, m := range st.machines {
			if m.Zone == zone {
				one.all++
				if pod.Owner != "" && m.OwnerUID == pod.Owner {
					one.same++
				}
			}
		}
		all = append(all, one)
	}
	mathrand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b fargatePlace) int { return cmp.Or(cmp.Compare(a.same, b.same), cmp.Compare(a.all, b.all)) })
	return all
}

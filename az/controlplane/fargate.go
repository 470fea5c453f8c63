package controlplane

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/apiserver/launch"
	"tripod/awsapi/eks"
	"tripod/internal/reconcile"
	"tripod/nodes/boot"
	"tripod/nodes/image"
	"tripod/nodes/machine"
	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

// FargateCluster is what Fargate does in a cluster: fargate.Cluster.
type FargateCluster interface {
	eks.FargateCluster
	attendant
}

// FargateParts are those of Fargate that link Kubernetes' client libraries.
type FargateParts struct {
	// Admission makes the webhook that hands new pods to Fargate; profiles are those that pods fall to when it is asked.
	Admission func(profiles func() []object.FargateProfile, logger *slog.Logger) http.Handler
	// Cluster makes what Fargate does in a cluster, whose API servers find the webhook at that URL.
	Cluster func(config WorkersConfig, webhook string) (FargateCluster, error)
}

// fargatePath is that of Fargate's webhook, beside the one of pods' identity.
const fargatePath = "/fargate"

// fargating keeps the cluster's Fargate profiles in the zone that leads the regional state: watches of Fargate's pods and
// nodes are open there, while there are profiles or machines.
func (c *Part) fargating() reconcile.Loop {
	return reconcile.Loop{Key: "keep the pods on Fargate", Do: c.keepFargate,
		Watch:  func() (<-chan struct{}, func()) { return c.watchBeside(c.fargateNews) },
		Pauses: reconcile.Pauses{First: 200 * time.Millisecond, Most: 10 * time.Second}}
}

func (c *Part) keepFargate(ctx context.Context) (again time.Duration, err error) {
	if c.host.Fargate.Cluster == nil {
		return 0, reconcile.ErrDone
	}
	busy := false
	if err := c.host.State.View(func(tx *state.Txn) error {
		cluster, _ := region.Clusters.Get(tx, c.cluster.ID)
		own := c.cluster.ID + "/"
		busy = cluster.Runs() && cluster.Status != region.ClusterCreating &&
			!(region.FargateProfiles.Part(own).Empty(tx) && region.FargateMachines.Part(own).Empty(tx))
		return nil
	}); err != nil {
		return 0, err
	}
	return c.keepLeading(ctx, &c.fargate, busy, c.fargateNews, func(config WorkersConfig) (keeper, attendant, error) {
		cluster, err := c.host.Fargate.Cluster(config, "https://"+launch.PodIdentityHost(c.cluster.ID)+fargatePath)
		return &eks.FargateKeeper{Service: c.host.Clusters, ClusterID: c.cluster.ID, Cluster: cluster}, cluster, err
	})
}

// fargateAdmission is the webhook of Fargate for the zone's own API server; nil where the zone has none.
func (c *Part) fargateAdmission() http.Handler {
	if c.host.Fargate.Admission == nil {
		return nil
	}
	return c.host.Fargate.Admission(func() []object.FargateProfile { return selectingProfiles(c.host.State, c.cluster.ID) },
		c.host.Logger.With("component", "fargate-webhook", "cluster", c.cluster.Name))
}

// selectingProfiles are a cluster's profiles to which new pods fall, in the order of their names. Each new pod asks.
func selectingProfiles(store state.Viewer, clusterID string) (all []object.FargateProfile) {
	store.View(func(tx *state.Txn) error {
		for _, p := range region.FargateProfiles.Under(tx, clusterID+"/") {
			if p.Status != types.FargateProfileStatusActive {
				continue
			}
			one := object.FargateProfile{Name: p.Name()}
			for _, s := range p.Selectors {
				one.Selectors = append(one.Selectors, object.FargateSelector{Namespace: aws.ToString(s.Namespace), Labels: s.Labels})
			}
			all = append(all, one)
		}
		return nil
	})
	return all
}

// fargateIn are Fargate's machines of the cluster in the zone whose kubelets run, and when the next one starts (zero: none
// does). One whose subnet does not reach the cluster's endpoint never registers.
func (c *Part) fargateIn(tx *state.Txn, now time.Time) (found []machine.Machine, next time.Time) {
	cluster, there := region.Clusters.Get(tx, c.cluster.ID)
	if !there {
		return nil, next
	}
	for _, m := range c.fargateMachines().List(tx) {
		if m.Starts.After(now) {
			if next.IsZero() || m.Starts.Before(next) {
				next = m.Starts
			}
			continue
		}
		if one, ok := c.fargateMachine(tx, m, cluster); ok {
			found = append(found, one)
		}
	}
	return found, next
}

// fargateMachines are those of the cluster in the zone.
func (c *Part) fargateMachines() state.Part[region.FargateMachine] {
	return region.FargateByZone.Of(c.cluster.ID + "/" + c.host.Plan.Zone)
}

// fargateMachine is a machine as the simulator has it, where it can ask the cluster to be a node.
func (c *Part) fargateMachine(tx *state.Txn, m region.FargateMachine, cluster region.Cluster) (machine.Machine, bool) {
	address, err := netip.ParseAddr(m.Address)
	subnet, found := c.host.Machines.Network.SubnetCIDR(tx, m.SubnetID)
	if err != nil || !found || !c.host.Machines.Reaches(tx, m.VPCID, m.SubnetID, "", cluster) {
		return machine.Machine{}, false
	}
	return machine.Machine{
		InstanceID: m.InstanceID(), Name: m.Name, Address: address, Subnet: subnet, Version: m.Version, Fargate: &m.Size,
		System: image.Fargate,
		Boot: boot.Config{MaxPods: 1,
			// Fargate's nodes do not tell that they are Fargate's by their hostname
			Labels: map[string]string{"eks.amazonaws.com/compute-type": "fargate",
				"kubernetes.io/hostname": strings.TrimPrefix(m.Name, "fargate-")},
			Taints: []boot.Taint{{Key: "eks.amazonaws.com/compute-type", Value: "fargate", Effect: "NoSchedule"}},
		},
	}, true
}

// keepFargateLogging notes how the log router of a machine is configured: its pod has logging.
func (c *Part) keepFargateLogging(ctx context.Context, node string, config map[string]string) error {
	same := false
	if err := c.host.State.View(func(tx *state.Txn) error {
		m, _ := region.FargateMachines.Get(tx, c.cluster.ID+"/"+node)
		same = m.Logging != nil && maps.Equal(m.Logging, config)
		return nil
	}); err != nil || same {
		return err
	}
	return c.host.State.Update(ctx, func(tx *state.Txn) error {
		region.LogFargateMachine(tx, c.cluster.ID, node, config)
		return nil
	})
}

// fargateLogging is how the log router of the machine with that id is configured; nil: it has none, or that is not known here yet.
func (c *Part) fargateLogging(instanceID string) (config map[string]string, err error) {
	err = c.host.State.View(func(tx *state.Txn) error {
		m, _ := c.fargateNamed(tx, instanceID)
		config = m.Logging
		return nil
	})
	return config, err
}

// fargateNamed is the machine with the instance id that a kubelet has; found says whether it is one of Fargate's.
func (c *Part) fargateNamed(tx *state.Txn, instanceID string) (m region.FargateMachine, found bool) {
	_, name, isFargate := strings.Cut(instanceID, "/")
	if !isFargate {
		return m, false
	}
	m, found = region.FargateMachines.Get(tx, c.cluster.ID+"/"+name)
	return m, found && m.InstanceID() == instanceID
}

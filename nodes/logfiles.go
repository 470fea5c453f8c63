package nodes

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/internal/datadir"
	"tripod/nodes/logrouter"
	"tripod/nodes/podlogs"
)

// logFiles has the log files of the zone's nodes, by instance, and the routers that send them on.
type logFiles struct {
	mu    sync.Mutex
	nodes map[string]*podlogs.Node
	// routers are those of a node, by its name and the output's
	routers map[string]map[string]*logrouter.Router
	fargate map[string]*fargateLogs // by node
}

// logFilesOf are those of the node of that name; nil: it has none. A machine of Fargate's has some where its pod has logging.
func (z *zone) logFilesOf(name string) *podlogs.Node {
	n, found := z.roster.named(name)
	if !found || !z.routed(n) {
		return nil
	}
	z.logs.mu.Lock()
	defer z.logs.mu.Unlock()
	files := z.logs.nodes[n.instanceID]
	if files == nil {
		files = podlogs.NewNode(datadir.NodeRoot(z.conf.NodeDir(n.instanceID)), podlogs.DefaultLimits, nil)
		z.logs.nodes[n.instanceID] = files
	}
	return files
}

// keepLogs says where the containers' logs are written to; nil: nowhere.
func (z *zone) keepLogs() func(node string) *podlogs.Node {
	if !z.conf.NodeLogs && z.conf.FargateLogs == nil || z.conf.NodeDir == nil {
		return nil
	}
	z.logs.nodes = map[string]*podlogs.Node{}
	return z.logFilesOf
}

// prepareLogs makes what collectors look for before there is a log: the directories, the cluster's certificate authority where EKS's
// nodes have it, and beside the node's root which node it is.
func (z *zone) prepareLogs(n node) {
	if z.logs.nodes == nil {
		return
	}
	files := z.logFilesOf(n.name)
	if files == nil {
		return
	}
	dir := z.conf.NodeDir(n.instanceID)
	err := errors.Join(files.Prepare(), files.Keep(podlogs.AuthorityFile, z.conf.CA), datadir.WriteNode(dir, datadir.Node{Name: n.name,
		InstanceID: n.instanceID, Zone: z.conf.Zone, ClusterID: z.conf.ClusterID, Server: z.conf.Server,
		Kubelet: netip.AddrPortFrom(n.addr, kubeletPort).String()}))
	if err != nil {
		z.conf.Logger.Warn("make the directory of a node's logs", "node", n.name, "error", err)
	}
}

// forgetLogs forgets a node that has left; its files end with its instance.
func (z *zone) forgetLogs(n node) {
	if n.machine.Fargate != nil && z.logs.nodes != nil && z.ctx.Err() == nil { // nobody else ends what a machine of Fargate's held
		dir := z.conf.NodeDir(n.instanceID)
		if err := os.RemoveAll(dir); err != nil {
			z.conf.Logger.Warn("delete what a machine held", "node", n.name, "error", err)
		}
		os.Remove(filepath.Dir(dir)) // of its task, and of nothing else
	}
	z.logs.mu.Lock()
	defer z.logs.mu.Unlock()
	delete(z.logs.nodes, n.instanceID)
	delete(z.logs.fargate, n.name)
}

// keepLogs has a pod's logs kept, before others hear of it.
func (w *worker) keepLogs(pod *corev1.Pod) {
	if w.keep != nil {
		w.keep(pod)
	}
}

// sweepLogs deletes the logs of pods that have gone unseen.
func (w *worker) sweepLogs(there map[types.UID]bool) {
	if w.api == nil {
		return
	}
	for _, uid := range w.api.LoggedPods(w.name) {
		if !there[uid] {
			w.api.RemoveLogs(w.name, uid)
		}
	}
}

// dropLogs deletes the logs of a pod that has gone.
func (w *worker) dropLogs(uid types.UID) {
	if w.api != nil {
		w.api.RemoveLogs(w.name, uid)
	}
}

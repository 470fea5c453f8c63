package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"tripod/client"
	"tripod/internal/datadir"
)

// nodeLogs is where a collector finds a node's logs, and what its Kubernetes filter needs.
type nodeLogs struct {
	Node       string `json:"node"`
	Cluster    string `json:"cluster"` // its name, or its id where no region runs
	Zone       string `json:"zone"`
	InstanceID string `json:"instanceId"`
	// Root is the node's own; below it are Containers and Pods, /var/log/containers and /var/log/pods of a node.
	Root       string `json:"root"`
	Containers string `json:"containers"`
	Pods       string `json:"pods"`
	// APIServer, with the authority in CAFile, is Fluent Bit's Kube_URL and Kube_CA_File; Kubelet is what Use_Kubelet asks, an address
	// of the VPC.
	APIServer string `json:"apiServer"`
	CAFile    string `json:"caFile"`
	Kubelet   string `json:"kubelet"`
}

// logPaths prints where the nodes' log files are. It needs no running region.
func (a *app) logPaths(ctx context.Context, cluster string, asJSON bool) error {
	found, err := datadir.Nodes(a.dataDir)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no node of %s has log files: start the region with 'tripod up --node-logs'", a.dataDir)
	}
	names := map[string]string{}
	status, err := a.client().Status(ctx)
	switch {
	case err == nil:
		if err := findCluster(status, cluster); err != nil {
			return err
		}
		for _, c := range status.Clusters {
			names[c.ID] = c.Name
		}
	case !errors.Is(err, client.ErrNotRunning):
		return err
	}
	var all []nodeLogs
	for dir, n := range found {
		root := datadir.NodeRoot(dir)
		if cluster == "" || cluster == n.ClusterID || cluster == names[n.ClusterID] {
			all = append(all, nodeLogs{Node: n.Name, Cluster: cmp.Or(names[n.ClusterID], n.ClusterID), Zone: n.Zone,
				InstanceID: n.InstanceID, Root: root, Containers: filepath.Join(root, "var/log/containers"),
				Pods: filepath.Join(root, "var/log/pods"), APIServer: n.Server,
				CAFile: filepath.Join(root, "etc/kubernetes/pki/ca.crt"), Kubelet: n.Kubelet})
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("no node of cluster %s has log files", cluster)
	}
	slices.SortFunc(all, func(a, b nodeLogs) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Node, b.Node))
	})
	for _, n := range all {
		if asJSON {
			err = json.NewEncoder(a.Stdout).Encode(n)
		} else {
			_, err = fmt.Fprintf(a.Stdout, "%s\t%s\t%s\n", n.Cluster, n.Node, n.Containers)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

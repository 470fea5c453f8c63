package datadir

import (
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Node is what is noted of a simulated node beside its root, for those who read its files.
type Node struct {
	Name       string `json:"name"`
	InstanceID string `json:"instanceId"`
	Zone       string `json:"zone"`
	ClusterID  string `json:"clusterId"`
	Server     string `json:"server"`  // URL of the cluster's endpoint
	Kubelet    string `json:"kubelet"` // host:port in the VPC
}

const nodeFile = "node.json"

// WriteNode notes which node has a directory (NodeDir).
func WriteNode(nodeDir string, n Node) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	fresh := filepath.Join(nodeDir, nodeFile+".new")
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, filepath.Join(nodeDir, nodeFile))
}

// Nodes are those of a data directory that have noted themselves, with their directories.
func Nodes(dataDir string) (map[string]Node, error) {
	found, err := fs.Glob(os.DirFS(dataDir), path.Join("zones", "*", "nodes", "*", nodeFile))
	nodes := map[string]Node{}
	for _, name := range found {
		path := filepath.Join(dataDir, filepath.FromSlash(name))
		var n Node
		text, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(text, &n) == nil { // else the instance ends at this moment
			nodes[filepath.Dir(path)] = n
		}
	}
	return nodes, err
}

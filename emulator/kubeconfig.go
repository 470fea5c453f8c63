package emulator

import (
	"encoding/json"
	"fmt"

	"tripod/az"
	"tripod/internal/pki"
)

// writeKubeconfig makes the file that `tripod env` exports: a context per cluster, named by its ARN as `aws eks
// update-kubeconfig` does.
func (p *endpoints) writeKubeconfig(clusters []az.ClusterState) error {
	type named map[string]any
	var clusterList, users, contexts []named
	current := ""
	for _, c := range clusters {
		arn := fmt.Sprintf("arn:aws:eks:%s:%s:cluster/%s", p.options.Region, p.dir.marker.AccountID, c.Name)
		if current == "" || c.Name == p.dir.marker.Cluster {
			current = arn
		}
		clusterList = append(clusterList, named{"name": arn, "cluster": named{
			"server": "https://" + loopback(c.EndpointPort), "certificate-authority-data": []byte(c.CACert)}})
		users = append(users, named{"name": arn, "user": named{"exec": named{
			"apiVersion": "client.authentication.k8s.io/v1beta1", "command": p.options.Executable, "interactiveMode": "Never",
			"args": []string{"--data-dir", p.dir.path, "token", "--cluster", c.Name}}}})
		contexts = append(contexts, named{"name": arn, "context": named{"cluster": arn, "user": arn}})
	}
	text, err := json.MarshalIndent(named{"apiVersion": "v1", "kind": "Config", "preferences": named{},
		"clusters": clusterList,
		"users":    users, "contexts": contexts, "current-context": current}, "", "  ") // JSON is YAML too
	if err != nil {
		return err
	}
	return pki.Write(p.dir.file("kubeconfig"), append(text, '\n'))
}

package controlplane

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/internal/kubestate"
)

// KubeState tells the state of the cluster's objects, as kube-state-metrics does, by this zone's API server.
func (c *Part) KubeState(ctx context.Context) (*kubestate.Answer, error) {
	answer, err := c.kubeState.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("zone %s: %w", c.host.Plan.Zone, err)
	}
	return answer, nil
}

// stateClients are the cluster's administrator's, for one reading: in between nobody holds a connection.
func (c *Part) stateClients() (clients kubestate.Clients, done func(), err error) {
	administrator, err := c.newAPIClient(launch.Administrator)
	if err != nil {
		return clients, nil, err
	}
	administrator.Timeout = objectsTimeout
	config := &rest.Config{
		Host: "https://" + plan.APIServerAddress(c.cluster.EndpointPort, c.index), UserAgent: "tripod-kube-state",
		ContentConfig: rest.ContentConfig{AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
			ContentType: "application/vnd.kubernetes.protobuf"},
		QPS:            -1, // the server's priority and fairness is the limit
		WarningHandler: rest.NoWarnings{},
	}
	if clients.Objects, err = kubernetes.NewForConfigAndClient(config, administrator); err != nil {
		return clients, nil, err
	}
	clients.Metadata, err = metadata.NewForConfigAndClient(config, administrator)
	return clients, administrator.CloseIdleConnections, err
}

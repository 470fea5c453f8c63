package controlplane

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"tripod/awsapi/eks"
	"tripod/awsapi/logs"
	"tripod/internal/process"
	"tripod/logs/logship"
)

// clusterLogs ship the logs of a cluster's part in the zone to CloudWatch Logs, those of the types that are on.
type clusterLogs struct {
	// authenticator is its log; other components' are their processes'.
	authenticator *process.Log

	cancel context.CancelFunc
	done   chan struct{}
}

// openLogs opens the log that the zone writes for the cluster itself.
func (c *Part) openLogs() (err error) {
	c.logs.authenticator, err = process.OpenLog(c.logFile("authenticator"))
	return err
}

// authenticatorLogger writes a line for each of the authenticator's decisions.
func (c *Part) authenticatorLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(c.logs.authenticator, nil))
}

// startLogs begins to ship.
func (c *Part) startLogs(ctx context.Context) {
	ctx, c.logs.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.logs.done = make(chan struct{})
	shipper := c.shipper()
	go func() {
		defer close(c.logs.done)
		shipper.Run(ctx)
	}()
}

// stopLogs ships what is there still, once everything that logs has ended. Doing it again does nothing.
func (c *Part) stopLogs() {
	c.logs.cancel()
	<-c.logs.done
	c.logs.authenticator.Close()
}

// shipper knows EKS's names: the group /aws/eks/CLUSTER/cluster, and a stream for each component of each instance of
// the control plane.
func (c *Part) shipper() *logship.Shipper {
	sum := sha256.Sum256([]byte(c.cluster.ID + "/" + c.host.Plan.Zone))
	instance := hex.EncodeToString(sum[:16])
	stream := func(kind, name, component string, format logship.Format, wants func([]byte) bool) logship.Stream {
		return logship.Stream{Type: kind, Name: name + "-" + instance, Path: c.logFile(component), Format: format,
			Wants: wants}
	}
	group := "/aws/eks/" + c.cluster.Name + "/cluster"
	return &logship.Shipper{
		Streams: []logship.Stream{
			stream("api", "kube-apiserver", "apiserver", logship.Klog, nil),
			stream("audit", "kube-apiserver-audit", "audit", logship.Audit, nil),
			stream("authenticator", "authenticator", "authenticator", logship.Text, nil),
			stream("controllerManager", "kube-controller-manager", "controllers", logship.Klog, logship.OfManager),
			stream("scheduler", "kube-scheduler", "controllers", logship.Klog, logship.OfScheduler),
		},
		Enabled: func() (map[string]time.Time, error) {
			record, err := c.newest()
			if err != nil || record.ID == "" {
				return nil, err
			}
			return eks.EnabledLogs(record)
		},
		Watch: c.host.State.Watch,
		Ensure: func(ctx context.Context, stream string) (string, error) {
			id, err := logs.Ensure(ctx, c.host.State, group, stream, time.Now())
			if err != nil {
				return "", fmt.Errorf("ship the logs of cluster %s: %w", c.cluster.Name, err)
			}
			return id, nil
		},
		Store:  c.host.LogEvents,
		Logger: c.host.Logger.With("component", "log-shipper", "cluster", c.cluster.Name),
	}
}

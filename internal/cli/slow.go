package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tripod/api"
)

// slowRecord is the verb slow of links for a disk or an API server, of which it is a fault of api.RecordFaults. order has what was said.
func (a *app) slowRecord(cmd *cobra.Command, text, cluster string, order api.LinkOrder) error {
	target, err := api.ParseFaultTarget(text)
	if err != nil {
		return usage(cmd, "%v", err)
	}
	taken, other := []string{api.OptionCluster, api.OptionFor, api.FaultLatency}, ""
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && !slices.Contains(taken, flag.Name) && other == "" {
			other = flag.Name
		}
	})
	isDisk := target.Kind == api.KindDisk
	switch {
	case !isDisk && (other != "" || order.Latency == 0):
		return usage(cmd, "an API server takes --latency, such as 300ms, and --for, and nothing else that slows a link")
	case other != "":
		return usage(cmd, "'%s' takes no --%s for a disk: use %s", cmd.CommandPath(), other, "--"+strings.Join(taken, ", --"))
	case order.Latency == 0:
		return usage(cmd, "say how slow the disk is: --latency 500ms")
	}
	fault := api.FaultOrder{Target: target, Cluster: cluster, For: order.For, Fault: api.Slower(order.Latency)}
	switch err := fault.Check(); {
	case err != nil && isDisk && order.For >= 0:
		return usage(cmd, "--latency of a disk is up to 1m: what never syncs is a disk that is failing")
	case err != nil:
		return usage(cmd, "%v", err)
	}
	return a.fault(cmd.Context(), text, fault)
}

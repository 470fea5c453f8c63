package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tripod/api"
)

// slowDisk is the verb slow of links for a disk. What else can be wrong with one, the command fault does.
func (a *app) slowDisk(cmd *cobra.Command, text, cluster string) error {
	taken := []string{api.OptionCluster, api.OptionFor, api.FaultLatency}
	var err error
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && !slices.Contains(taken, flag.Name) && err == nil {
			err = usage(cmd, "'%s' takes no --%s for a disk: use %s", cmd.CommandPath(), flag.Name, "--"+strings.Join(taken, ", --"))
		}
	})
	if err != nil {
		return err
	}
	target, err := api.ParseFaultTarget(text)
	if err != nil {
		return usage(cmd, "%v", err)
	}
	order := api.FaultOrder{Target: target, Cluster: cluster}
	latency := durationFlag(cmd, api.FaultLatency)
	if latency == 0 {
		return usage(cmd, "say how slow the disk is: --latency 500ms")
	}
	order.Fault, order.For = api.SlowDisk(latency), durationFlag(cmd, api.OptionFor)
	if order.Check() != nil && order.For >= 0 {
		return usage(cmd, "--latency of a disk is up to 1m: what never syncs is a disk that is failing")
	}
	if err := order.Check(); err != nil {
		return usage(cmd, "%v", err)
	}
	return a.fault(cmd.Context(), text, order)
}

func durationFlag(cmd *cobra.Command, name string) time.Duration {
	d, _ := cmd.Flags().GetDuration(name)
	return d
}

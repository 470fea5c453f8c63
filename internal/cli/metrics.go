package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"tripod/api"
)

func (a *app) metricsCommand() *cobra.Command {
	cluster, query := "", queryOptions{}
	cmd := &cobra.Command{
		Use:   "metrics [TARGET]",
		Short: "Print the metrics of the region, of one instance or of a cluster's objects, or ask about the last hour's",
		Example: `  tripod metrics
  tripod metrics etcd/b
  tripod metrics kube-state/demo
  tripod metrics --query 'sum by (zone) (rate(apiserver_request_total[1m]))'
  tripod metrics --query tripod_memory_bytes --since 15m`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneTarget(cmd, args)
		},
		ValidArgsFunction: a.completeTargets(),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := query.check(cmd, args)
			switch {
			case err != nil:
				return err
			case asked:
				return a.query(cmd.Context(), query)
			case len(args) == 0:
				return a.client().Metrics(cmd.Context(), "", "", a.Stdout)
			case strings.HasPrefix(args[0], api.KubeState+"/"): // no target: nobody can break it
				return a.client().Metrics(cmd.Context(), args[0], "", a.Stdout)
			}
			target, err := api.ParseTarget(args[0])
			if err != nil {
				return usage(cmd, "%v", err)
			}
			err = a.client().Metrics(cmd.Context(), args[0], cluster, a.Stdout)
			return a.explain(cmd.Context(), err, target.Name, cluster)
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster, where there are several")
	query.register(cmd)
	return cmd
}

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/internal/loglevel"
)

func (a *app) logLevelCommand() *cobra.Command {
	cluster := ""
	cmd := &cobra.Command{
		Use:   "log-level TARGET LEVEL",
		Short: "Say how much a process logs from now on, until it ends",
		Long: "Say how much a process logs from now on, until it ends: error, warn, info or debug.\nTargets: az/b, etcd/b, apiserver/b, " +
			"controllers/b, and 'up', the region's own. API servers and controllers log info or debug.",
		Example: "  tripod log-level etcd/b debug\n  tripod log-level up warn",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage(cmd, "name a target and a level, such as etcd/b debug")
			}
			if err := loglevel.Level(args[1]).Check(); err != nil {
				return usage(cmd, "%v", err)
			}
			if _, err := api.ParseTarget(args[0]); err != nil && args[0] != api.TargetUp {
				return usage(cmd, "%v, or up", err)
			}
			return nil
		},
		ValidArgsFunction: a.completeTargets(api.TargetUp),
		RunE: func(cmd *cobra.Command, args []string) error {
			order := api.LogLevelOrder{Target: args[0], Level: args[1], Cluster: cluster}
			if err := a.client().SetLogLevel(cmd.Context(), order); err != nil {
				if target, _ := api.ParseTarget(args[0]); target.Name != "" {
					return a.explain(cmd.Context(), err, target.Name, cluster)
				}
				return err
			}
			fmt.Fprintf(a.Stdout, "%s logs %s from now on, until it ends\n", args[0], args[1])
			return nil
		},
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster, where there are several")
	return cmd
}

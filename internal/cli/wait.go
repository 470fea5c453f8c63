package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/client"
)

func (a *app) waitCommand() *cobra.Command {
	condition := client.Condition{}
	timeout := 2 * time.Minute
	cmd := &cobra.Command{
		Use:   "wait TARGET|region --for=CONDITION",
		Short: "Wait until a target or the region is in a state",
		Long: "Wait until a target or the region is in a state; also for a region that does not run yet.\n\nConditions: " +
			strings.Join(client.Conditions, ", ") + ".\n'healthy' is ready with everything inside ready, all balancers " +
			"content and no fault.",
		Example: "  tripod wait region --for=ready\n  tripod wait az/b --for=killed --timeout=5s",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "name one target, such as az/b, or 'region'")
			}
			return nil
		},
		ValidArgsFunction: a.completeTargets("region"),
		RunE: func(cmd *cobra.Command, args []string) error {
			condition.Target = args[0]
			if err := checkCondition(cmd, condition); err != nil {
				return err
			}
			return a.wait(cmd.Context(), condition, timeout)
		},
	}
	cmd.Flags().StringVar(&condition.For, "for", "", "the condition (needed)")
	cmd.Flags().StringVar(&condition.Cluster, "cluster", "", "only this cluster's instances")
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.FixedCompletions(client.Conditions,
		cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func checkCondition(cmd *cobra.Command, condition client.Condition) error {
	if !slices.Contains(client.Conditions, condition.For) {
		return usage(cmd, "--for=%s is not a condition: use one of %s", condition.For, strings.Join(client.Conditions, ", "))
	}
	if condition.Target == "region" {
		return nil
	}
	if _, err := api.ParseTarget(condition.Target); err != nil {
		return usage(cmd, "%v", err)
	}
	return nil
}

// wait tells on stderr what it waits for once that takes more than a second.
func (a *app) wait(ctx context.Context, condition client.Condition, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begin, said, last := time.Now(), "", "nothing answered"
	err := a.client().WaitFor(ctx, condition, func(missing string) {
		last = missing
		if time.Since(begin) > time.Second && missing != said {
			said = missing
			fmt.Fprintf(a.Stderr, "waiting for %s to be %s: %s\n", condition.Target, condition.For, missing)
		}
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s was not %s within %v: %s", condition.Target, condition.For, timeout, last)
	}
	return err
}

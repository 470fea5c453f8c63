package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/client"
)

// verbCommands has a command for each verb of the one list of them.
func (a *app) verbCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, verb := range api.Verbs {
		commands = append(commands, a.verbCommand(verb))
	}
	return commands
}

func (a *app) verbCommand(verb api.Verb) *cobra.Command {
	cluster, span := "", time.Duration(0)
	cmd := &cobra.Command{
		Use:   verb.Name + " TARGET",
		Short: verb.Short,
		Long: verb.Short + ".\n\n" + verb.Long +
			"\nTargets: az/b, etcd/b, apiserver/b, controllers/b. Returns when the effect is there.",
		Example:           "  tripod " + verb.Name + " az/b",
		Args:              oneTarget,
		ValidArgsFunction: a.completeTargets(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.resetRegion(cmd.Context())
			}
			if verb.Name == api.Reset {
				if record, err := a.takeBack(cmd, args[0], cluster); record {
					return err
				}
			}
			return a.do(cmd, args[0], verb, cluster, span)
		},
	}
	if verb.Name == api.Reset {
		cmd.Use = "reset [TARGET]"
		cmd.Long += "\nTakes back the faults of " + strings.Join(api.FaultForms(), ", ") + " too."
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return a.completeTargets(a.faultedTargets(cmd.Context())...)(cmd, args, typed)
		}
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneTarget(cmd, args)
		}
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "only this cluster's")
	if verb.Fault != "" {
		cmd.Flags().DurationVar(&span, api.OptionFor, 0, "after how long the region takes it back, such as 30s; else when you do")
	}
	return cmd
}

func (a *app) resetRegion(ctx context.Context) error {
	if err := a.client().Reset(ctx); err != nil {
		return err
	}
	fmt.Fprintln(a.Stdout, "everything reset")
	return nil
}

func (a *app) do(cmd *cobra.Command, text string, verb api.Verb, cluster string, span time.Duration) error {
	target, err := api.ParseTarget(text)
	if err == nil {
		err = verb.CheckSpan(target.Kind, span)
	}
	if err == nil && cmd.Flags().Changed(api.OptionFor) && span == 0 {
		err = errors.New("--for 0s is no time that passes: write it as 30s or 5m")
	}
	if err != nil {
		return usage(cmd, "%v", err)
	}
	ctx := cmd.Context()
	if err := a.client().DoFor(ctx, text, verb.Name, cluster, span); err != nil {
		return a.explain(ctx, err, target.Name, cluster)
	}
	hint := ""
	switch {
	case span > 0:
		hint = fmt.Sprintf(" for %v ('%s' %s before)", span, a.command(verb.Lift+" "+text), verb.Undo)
	case verb.Fault == api.StateKilled && target.Kind != api.KindZone:
		hint = " (its zone starts it again)"
	case verb.Undo != "":
		hint = fmt.Sprintf(" ('%s' %s)", a.command(verb.Lift+" "+text), verb.Undo)
	}
	fmt.Fprintln(a.Stdout, text, verb.Done+hint)
	return nil
}

// explain turns a refusal into the sentence about the zone or the cluster that is not there, when that is the reason.
func (a *app) explain(ctx context.Context, err error, zone, cluster string) error {
	var refusal *client.APIError
	if !errors.As(err, &refusal) {
		return err
	}
	status, statusErr := a.client().Status(ctx)
	if statusErr != nil {
		return err
	}
	if _, zoneErr := status.FindZone(zone); zoneErr != nil {
		return zoneErr
	}
	if clusterErr := findCluster(status, cluster); clusterErr != nil {
		return clusterErr
	}
	return err
}

// findCluster says, when a name is given and no cluster has it, which there are.
func findCluster(status *api.Status, name string) error {
	if name == "" {
		return nil
	}
	names := ""
	for i, cluster := range status.Clusters {
		if cluster.Name == name {
			return nil
		}
		if i > 0 {
			names += ", "
		}
		names += cluster.Name
	}
	if names == "" {
		return fmt.Errorf("there is no cluster %q in %s: it has none", name, status.Region)
	}
	return fmt.Errorf("there is no cluster %q in %s: its clusters are %s", name, status.Region, names)
}

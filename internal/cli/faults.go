package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

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
	cluster := ""
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
			if name, ok := strings.CutPrefix(args[0], api.KindUpdate+"/"); ok && verb.Name == api.Reset {
				return a.faultUpdate(cmd.Context(), args[0], name, verb.Name)
			}
			return a.do(cmd, args[0], verb, cluster)
		},
	}
	if verb.Name == api.Reset {
		cmd.Use = "reset [TARGET]"
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneTarget(cmd, args)
		}
	}
	cmd.Flags().StringVar(&cluster, "cluster", "", "only this cluster's instances")
	return cmd
}

// faultCommand breaks what no signal can break.
func (a *app) faultCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fault update/CLUSTER",
		Short: "Make the next update of a cluster's control plane fail",
		Long: "Make the next update of a cluster's control plane fail.\n\n" +
			"Its zones are replaced one after the other; the new API server of the last one is then found unhealthy, and\n" +
			"all go back. The update after that goes well again; 'reset update/CLUSTER' or 'reset' takes the fault back before.",
		Example: "  tripod fault update/demo",
		Args:    oneTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, ok := strings.CutPrefix(args[0], api.KindUpdate+"/")
			if !ok || cluster == "" {
				return usage(cmd, "%q has no fault: write update/CLUSTER, such as update/demo", args[0])
			}
			return a.faultUpdate(cmd.Context(), args[0], cluster, api.FaultUpdate)
		},
	}
}

func (a *app) faultUpdate(ctx context.Context, target, cluster, verb string) error {
	if err := a.client().Do(ctx, target, verb, ""); err != nil {
		status, statusErr := a.client().Status(ctx)
		if statusErr != nil {
			return err
		}
		return cmp.Or(findCluster(status, cluster), err)
	}
	told := "will fail ('" + a.command("reset "+target) + "' takes that back)"
	if verb == api.Reset {
		told = "reset"
	}
	fmt.Fprintln(a.Stdout, target, told)
	return nil
}

func (a *app) resetRegion(ctx context.Context) error {
	if err := a.client().Reset(ctx); err != nil {
		return err
	}
	fmt.Fprintln(a.Stdout, "everything reset")
	return nil
}

func (a *app) do(cmd *cobra.Command, text string, verb api.Verb, cluster string) error {
	target, err := api.ParseTarget(text)
	if err != nil {
		return usage(cmd, "%v", err)
	}
	ctx := cmd.Context()
	if err := a.client().Do(ctx, text, verb.Name, cluster); err != nil {
		return a.explain(ctx, err, target.Name, cluster)
	}
	hint := ""
	switch {
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

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

// verbs are the ways to break and mend a target; past is what is printed when the effect is there.
var verbs = []struct{ verb, past, short, long string }{
	{"kill", "killed", "Kill a zone or an instance with SIGKILL",
		"No goodbye, but the data stays. A killed instance is replaced by its zone; a killed zone stays down until 'start' or 'reset'."},
	{"pause", "paused", "Freeze a zone or an instance: alive to TCP, dead to everybody", "Sends SIGSTOP; 'resume' or 'reset' ends it."},
	{"resume", "resumed", "Let a paused zone or instance go on", ""},
	{"stop", "stopped", "Stop a zone or an instance gracefully", "It stays stopped, with its data, until 'start' or 'reset'."},
	{"start", "started", "Start a zone or an instance that was stopped or killed", ""},
	{"reset", "reset", "Make a target, or the whole region, healthy again", "Without a target it undoes every fault of the region."},
}

func (a *app) verbCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, v := range verbs {
		cluster := ""
		cmd := &cobra.Command{
			Use:               v.verb + " TARGET",
			Short:             v.short,
			Long:              v.short + ".\n\n" + v.long + "\nTargets: az/b, etcd/b, apiserver/b, controllers/b. Returns when the effect is there.",
			Example:           "  tripod " + v.verb + " az/b",
			Args:              oneTarget,
			ValidArgsFunction: a.completeTargets(),
			RunE: func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					return a.resetRegion(cmd.Context())
				}
				if name, ok := strings.CutPrefix(args[0], api.KindUpdate+"/"); ok && v.verb == "reset" {
					return a.faultUpdate(cmd.Context(), args[0], name, v.verb)
				}
				return a.do(cmd, args[0], v.verb, v.past, cluster)
			},
		}
		if v.verb == "reset" {
			cmd.Use = "reset [TARGET]"
			cmd.Args = cobra.MatchAll(func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					return nil
				}
				return oneTarget(cmd, args)
			})
		}
		cmd.Flags().StringVar(&cluster, "cluster", "", "only this cluster's instances")
		commands = append(commands, cmd)
	}
	return commands
}

// faultCommand breaks what no signal can break.
func (a *app) faultCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fault update/CLUSTER",
		Short: "Make the next update of a cluster's control plane fail",
		Long: "Make the next update of a cluster's control plane fail.\n\nIts zones are replaced one after the other; the new API server of the last one is then found unhealthy, and\n" +
			"all go back. The update after that goes well again; 'reset update/CLUSTER' or 'reset' takes the fault back before.",
		Example: "  tripod fault update/demo",
		Args:    oneTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, ok := strings.CutPrefix(args[0], api.KindUpdate+"/")
			if !ok || cluster == "" {
				return usage(cmd, "%q has no fault: write update/CLUSTER, such as update/demo", args[0])
			}
			return a.faultUpdate(cmd.Context(), args[0], cluster, "fault")
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
	if verb == "reset" {
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

func (a *app) do(cmd *cobra.Command, target, verb, past, cluster string) error {
	kind, name, err := api.SplitTarget(target)
	if err != nil {
		return usage(cmd, "%v", err)
	}
	ctx := cmd.Context()
	if err := a.client().Do(ctx, target, verb, cluster); err != nil {
		return a.explain(ctx, err, name, cluster)
	}
	hint := ""
	switch {
	case kind == api.KindZone && verb == "kill":
		hint = fmt.Sprintf(" ('%s' brings it back)", a.command("start "+target))
	case verb == "kill":
		hint = " (its zone starts it again)"
	case verb == "pause":
		hint = fmt.Sprintf(" ('%s' lets it go on)", a.command("resume "+target))
	case verb == "stop":
		hint = fmt.Sprintf(" ('%s' starts it again)", a.command("start "+target))
	}
	fmt.Fprintln(a.Stdout, target, past+hint)
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

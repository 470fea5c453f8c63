package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
)

// faultCommand breaks what no signal can break: the one list of that is api.RecordFaults.
func (a *app) faultCommand() *cobra.Command {
	order := api.FaultOrder{}
	cmd := &cobra.Command{
		Use:               "fault TARGET [FAULT]",
		Short:             "Break what no signal can: an update, a zone's capacity or disk, an instance, a pod, a node, AWS's APIs, etcd's data",
		Long:              faultHelp(),
		Example:           faultExamples(),
		ValidArgsFunction: a.completeFaults,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return usage(cmd, "'%s' takes one target and, for some, a fault: write %s", cmd.CommandPath(),
					strings.Join(api.FaultForms(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, name, _ := strings.Cut(args[0], "/")
			order.Target, order.Fault = api.Target{Kind: kind, Name: name}, ""
			if len(args) == 2 {
				order.Fault = args[1]
			}
			if err := order.Check(); err != nil {
				return usage(cmd, "%v", err)
			}
			return a.fault(cmd.Context(), args[0], order)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&order.Cluster, api.OptionCluster, "",
		"the cluster of the pod, node or process, where there are several; of a disk, whose etcd member alone feels it")
	flags.StringVar(&order.InstanceType, api.OptionInstanceType, "", "the type that the zone is short of (all)")
	flags.IntVar(&order.Instances, api.OptionInstances, 0, "how many instances the zone has at most")
	flags.StringVar(&order.Action, api.OptionAction, "", strings.Join(api.SpotActions, ", ")+" (what its request says)")
	flags.BoolVar(&order.Rebalance, api.OptionRebalance, false, "recommend its replacement, and do not take it back")
	flags.IntVar(&order.Percentage, api.OptionPercentage, 0, "the share of calls that it meets, 1 to 100 (all)")
	flags.StringVar(&order.Principal, api.OptionPrincipal, "", "the ARN of the user, role or session whose calls it meets (everybody's)")
	flags.DurationVar(&order.For, api.OptionFor, 0, "end the fault by itself after so long")
	_ = cmd.RegisterFlagCompletionFunc(api.OptionAction, cobra.FixedCompletions(api.SpotActions,
		cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// faultHelp describes every fault of the list.
func faultHelp() string {
	var text strings.Builder
	text.WriteString("Break what no signal can: a record of the region's, an object of a cluster, or what a process works with.\n\n")
	row := func(name, help string) { fmt.Fprintf(&text, "  %s  %s\n", pad(name, 24), help) }
	for _, fault := range api.RecordFaults {
		row(fault.Form(), fault.Help)
	}
	for _, fault := range api.RecordFaults {
		if len(fault.Words) == 0 {
			continue
		}
		several := ""
		if fault.Several {
			several = ", several separated by commas"
		}
		fmt.Fprintf(&text, "\nFaults of a %s%s:\n\n", fault.Noun(), several)
		for _, word := range fault.Words {
			row(word.Form(), word.Help)
		}
	}
	text.WriteString("\n'reset TARGET' takes the faults of a target back, 'reset' all of them, and 'status' shows those in force. What\n" +
		"EC2 has told a spot instance, and a termination, nobody takes back. Pods and nodes have their faults as the annotation\n" +
		"tripod.internal/fault (a node's pressure as tripod.internal/pressure): one that is removed by others is over.")
	return text.String()
}

func faultExamples() string {
	var lines []string
	for _, fault := range api.RecordFaults {
		lines = append(lines, "  tripod fault "+fault.Example)
	}
	return strings.Join(lines, "\n")
}

// fault puts a fault in force and says how it is taken back.
func (a *app) fault(ctx context.Context, target string, order api.FaultOrder) error {
	done, err := a.client().Fault(ctx, order)
	if err != nil {
		return err
	}
	reset := "reset " + target
	if order.Cluster != "" {
		reset += " --" + api.OptionCluster + " " + order.Cluster
	}
	undo := "'" + a.command(reset) + "' takes that back"
	switch {
	case done.Final:
		undo = "nothing takes that back"
	case order.For != 0:
		undo = "for " + order.For.String() + "; " + undo + " before"
	}
	fmt.Fprintln(a.Stdout, target, clean(done.Said), "("+undo+")")
	return nil
}

// takeBack takes the faults of a record's target back; false says that it is the target of a process.
func (a *app) takeBack(cmd *cobra.Command, text, cluster string) (bool, error) {
	kind, name, _ := strings.Cut(text, "/")
	if kind == api.KindLink {
		if err := a.client().Heal(cmd.Context(), name); err != nil {
			return true, err
		}
		fmt.Fprintln(a.Stdout, text, "reset")
		return true, nil
	}
	if !api.ByRecord(kind, api.Reset) {
		return false, nil
	}
	return true, a.endFault(cmd, text, cluster, "reset")
}

// heal takes the faults of a record's target back. Of an etcd member it says what is done meanwhile: that may be replaced.
func (a *app) heal(cmd *cobra.Command, text, cluster string) error {
	if kind, _, _ := strings.Cut(text, "/"); kind != api.KindEtcd {
		return a.endFault(cmd, text, cluster, "healed")
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	began, told := time.Now(), make(chan struct{})
	go func() {
		defer close(told)
		_ = a.client().Events(ctx, 0, true, func(event api.Event) error { // without them it is healed as well
			if event.Type == api.EtcdRepair && event.Target == text && event.Time.After(began) {
				fmt.Fprintln(a.Stdout, event.Message)
			}
			return nil
		})
	}()
	err := a.endFault(cmd, text, cluster, "healed")
	cancel()
	<-told
	return err
}

// endFault takes back every fault of a record's target.
func (a *app) endFault(cmd *cobra.Command, text, cluster, done string) error {
	kind, name, _ := strings.Cut(text, "/")
	if _, err := api.ParseFaultTarget(text); err != nil {
		return usage(cmd, "%v", err)
	}
	order := api.FaultOrder{Target: api.Target{Kind: kind, Name: name}, Cluster: cluster}
	if _, err := a.client().TakeBack(cmd.Context(), order); err != nil {
		return err
	}
	fmt.Fprintln(a.Stdout, text, done)
	return nil
}

// completeFaults completes a target's kind, the names that the status has, and the faults of a kind.
func (a *app) completeFaults(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	switch len(args) {
	case 0:
		return append(a.recordTargets(cmd.Context()), api.KindSpot+"/", api.KindPod+"/", api.KindNode+"/", api.KindAWS+"/"), directive
	case 1:
		kind, _, _ := strings.Cut(args[0], "/")
		fault, _ := api.FindRecordFault(kind)
		var words []string
		for _, word := range fault.Words {
			words = append(words, completions(word)...)
		}
		return words, directive
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completions are a word's, with each of the values that it lists.
func completions(word api.FaultWord) (all []string) {
	switch {
	case strings.Contains(word.Value, "|"):
		for value := range strings.SplitSeq(word.Value, "|") {
			all = append(all, word.Name+"="+value)
		}
		return all
	case word.Value == "" || strings.HasPrefix(word.Value, "["):
		return []string{word.Name}
	}
	return []string{word.Name + "="}
}

// recordTargets are those that the status knows, quickly or not at all.
func (a *app) recordTargets(ctx context.Context) (targets []string) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	status, err := a.client().Status(ctx)
	if err != nil {
		return nil
	}
	for _, cluster := range status.Clusters {
		targets = append(targets, api.KindUpdate+"/"+cluster.Name)
	}
	for _, zone := range status.Zones {
		targets = append(targets, api.KindCapacity+"/"+status.Letter(zone.Name), api.KindDisk+"/"+status.Letter(zone.Name))
	}
	for _, fault := range api.RecordFaults {
		for _, zone := range status.Zones {
			if fault.InZone() {
				targets = append(targets, fault.Kind+"/"+status.Letter(zone.Name))
			}
		}
	}
	return targets
}

// faultedTargets are those of faults in force that are no processes'.
func (a *app) faultedTargets(ctx context.Context) (targets []string) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	status, err := a.client().Status(ctx)
	if err != nil {
		return nil
	}
	for _, fault := range status.Faults {
		if _, err := api.ParseFaultTarget(fault.Target); err == nil && !fault.Final {
			targets = append(targets, fault.Target)
		}
	}
	return targets
}

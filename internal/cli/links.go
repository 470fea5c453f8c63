package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tripod/api"
)

// linkVerb is what the command of one of api.LinkVerbs says of itself.
type linkVerb struct{ name, short, long, example, done string }

var linkVerbs = []linkVerb{
	{api.Partition, "Cut the way between two zones, or between a zone and clients",
		"Nothing crosses it, and nobody is told: connections stall, new ones are not answered, and what was sent arrives when it is\n" +
			"healed, as TCP sends it again. With --reject connections are refused and reset instead.",
		"  tripod partition link/a-b --for 30s\n  tripod partition link/a-all       # zone a from all other zones\n" +
			"  tripod partition link/a-b --one-way # only what a sends to b", "cut"},
	{api.Slow, "Delay what crosses a link, lose some of it, or let only so much pass; delay a disk or an API server",
		"--latency is added each way. --loss is felt as over TCP: what is lost comes 200 ms later, or 400 if it is lost again, and what\n" +
			"was sent behind it waits. Of a disk it is every sync that takes --latency longer: disk/b takes --cluster and --for beside it.\n" +
			"apiserver/b answers so much later.",
		"  tripod slow link/a-b --latency 200ms --jitter 20ms\n  tripod slow link/a-clients --loss 15 --bandwidth 10M --share 30\n" +
			"  tripod slow disk/b --latency 500ms\n  tripod slow apiserver/b --latency 300ms", "slow"},
	{api.Heal, "Take every fault off a link or a disk, or mend what 'fault' has broken",
		"With --one-way only those of what a link's first end " +
			"sends. An etcd member whose data is lost or corrupt is replaced by\na new one, step by step, while the other members serve.",
		"  tripod heal link/a-b\n  tripod heal disk/b\n  tripod heal etcd/b", "healed"},
}

// linkCommands break and heal the ways between zones, and between a zone and this machine's programs.
func (a *app) linkCommands() (commands []*cobra.Command) {
	for _, verb := range linkVerbs {
		commands = append(commands, a.linkCommand(verb))
	}
	return commands
}

func (a *app) linkCommand(verb linkVerb) *cobra.Command {
	order := api.LinkOrder{Verb: verb.name}
	bandwidth, cluster, form, said := "", "", "link/A-B", "write link/a-b, link/a-"+api.Clients+" or link/a-all"
	disks := verb.name != api.Partition
	if disks {
		form, said = "TARGET", said+", or disk/b"
	}
	cmd := &cobra.Command{
		Use: verb.name + " " + form, Short: verb.short, Example: verb.example,
		Long: verb.short + ".\n\n" + verb.long + "\nThe ends of a link are zones, " + api.Clients +
			" (this machine's programs) or all, the other zones. Returns when the effect is there.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "'%s' takes one target: %s", cmd.CommandPath(), said)
			}
			return nil
		},
		ValidArgsFunction: completeLinks(disks),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			kind, name, _ := strings.Cut(args[0], "/")
			if _, record := api.FindRecordFault(kind); record && verb.name == api.Heal {
				return a.heal(cmd, args[0], cluster)
			}
			switch {
			case verb.name == api.Slow && (kind == api.KindDisk || kind == api.KindAPIServer):
				return a.slowRecord(cmd, args[0], cluster, order)
			case kind != api.KindLink:
				return usage(cmd, "%q is no target of '%s': %s", args[0], cmd.CommandPath(), said)
			case cluster != "":
				return usage(cmd, "a link takes no --%s: all clusters cross it", api.OptionCluster)
			}
			order.Link = name
			if bandwidth != "" {
				if order.Bandwidth, err = api.ParseBandwidth(bandwidth); err != nil {
					return usage(cmd, "%v", err)
				}
			}
			if err := order.Check(); err != nil {
				return usage(cmd, "%v", err)
			}
			if err := a.client().Link(cmd.Context(), order); err != nil {
				return err
			}
			fmt.Fprintln(a.Stdout, args[0], a.linkDone(verb, args[0], order))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&order.OneWay, "one-way", false, "only what the first end sends to the second")
	if verb.name == api.Partition {
		flags.BoolVar(&order.Reject, "reject", false, "refuse and reset connections, where otherwise nobody is told")
	}
	if verb.name == api.Slow {
		flags.DurationVar(&order.Latency, "latency", 0, "how much later everything arrives, each way")
		flags.DurationVar(&order.Jitter, "jitter", 0, "give or take so much")
		flags.Float64Var(&order.Loss, "loss", 0, "how many segments are lost, in percent")
		flags.StringVar(&bandwidth, "bandwidth", "", "how many bits a second pass, such as 10M or 500k")
	}
	if verb.name != api.Partition {
		flags.StringVar(&cluster, api.OptionCluster, "", "of a disk or a process: only this cluster's")
	}
	if verb.name != api.Heal {
		flags.Float64Var(&order.Share, "share", 0, "of how many of the connections this is true, in percent (all)")
		flags.DurationVar(&order.Flap, "flap", 0, "be in force for so long, then not for so long, and so on")
		flags.DurationVar(&order.For, "for", 0, "end the fault by itself after so long")
	}
	return cmd
}

// linkDone says what is so now, and what takes it back.
func (a *app) linkDone(verb linkVerb, target string, order api.LinkOrder) string {
	if verb.name == api.Heal {
		return verb.done
	}
	undo := fmt.Sprintf("'%s' takes that back", a.command(api.Heal+" "+target))
	if order.For != 0 {
		undo = "for " + order.For.String() + "; " + undo + " before"
	}
	return "is " + order.Words(verb.name) + " (" + undo + ")"
}

// completeLinks completes the links that there are, and the disks where these are asked for too.
func completeLinks(disks bool) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) (targets []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for i, from := range "abc" {
			for _, to := range "abc"[i+1:] {
				targets = append(targets, fmt.Sprintf("%s/%c-%c", api.KindLink, from, to))
			}
			targets = append(targets, fmt.Sprintf("%s/%c-%s", api.KindLink, from, api.Clients), fmt.Sprintf("%s/%c-all", api.KindLink, from))
			if disks {
				targets = append(targets, fmt.Sprintf("%s/%c", api.KindDisk, from))
			}
		}
		return targets, cobra.ShellCompDirectiveNoFileComp
	}
}

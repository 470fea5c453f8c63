package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tripod/api"
)

func (a *app) lbCommand() *cobra.Command {
	output := "table"
	cmd := &cobra.Command{
		Use:   "lb [NAME]",
		Short: "List the load balancers, where they answer, and their targets' health",
		Long: "List the load balancers of Elastic Load Balancing: application, network and classic ones, whoever has made them. " +
			"Each listener answers at the load balancer's name and its own port where that is free on 127.0.0.1 and needs no root, " +
			"else at that port plus 10000 or the next free one. Names below .localhost lead to this machine in browsers and in curl.",
		Example: "  curl \"$(tripod lb web -o json | jq -r '.[0].listeners[0].url')\"",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "table" && output != "json" {
				return usage(cmd, "-o %s is not a format of lb: use table or json", output)
			}
			status, err := a.client().Status(cmd.Context())
			if err != nil {
				return err
			}
			found := []api.LoadBalancer{}
			for _, b := range status.LoadBalancers {
				if len(args) == 0 || b.Name == args[0] || b.DNSName == args[0] || b.ARN == args[0] {
					found = append(found, b)
				}
			}
			if len(args) == 1 && len(found) == 0 {
				return fmt.Errorf("no load balancer is called %q: 'tripod lb' lists them", clean(args[0]))
			}
			if output == "json" {
				encoder := json.NewEncoder(a.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(found)
			}
			a.printLines(a.Stdout, loadBalancerLines(found))
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "table or json")
	return cmd
}

// loadBalancerLines has a line for each load balancer and one for each of its listeners: URLs are too long for a column.
func loadBalancerLines(all []api.LoadBalancer) []string {
	if len(all) == 0 {
		return []string{"There is no load balancer: a Service of type LoadBalancer makes one, or 'aws elbv2 create-load-balancer'."}
	}
	row := func(name, kind, state, zones, targets string) string {
		return strings.TrimRight(pad(name, 34)+" "+pad(kind, 12)+" "+pad(state, 13)+" "+pad(zones, 6)+" "+targets, " ")
	}
	lines := []string{row("LOAD BALANCER", "TYPE", "STATE", "ZONES", "HEALTHY")}
	for _, b := range all {
		zones := ""
		for _, z := range b.Zones {
			zones += z[len(z)-1:]
		}
		lines = append(lines, row(clean(b.Name), b.Type, b.State, zones, fmt.Sprintf("%d/%d", b.Healthy, b.Targets)))
		for _, l := range b.Listeners {
			where := l.URL
			switch {
			case l.Trouble != "":
				where = l.Trouble
			case where == "":
				where = "not open yet"
			}
			lines = append(lines, fmt.Sprintf("  %s:%d  %s", l.Protocol, l.Port, clean(where)))
		}
	}
	return lines
}

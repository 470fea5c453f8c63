package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) sleepCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sleep",
		Short: "Let the region sleep: its processes stop until somebody speaks with it",
		Long: "Let the region sleep: all processes of the zones stop as they are, and cost no processor time. The first " +
			"connection to the AWS endpoint or " +
			"to a cluster's, an order such as 'wake', or a client that speaks over a connection that it has, wakes the " +
			"region; 'status', 'events' and " +
			"'watch' do not. Nothing is taken for dead when it goes on. 'up --sleep-after 10m' lets it fall asleep by itself.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			progress := a.newProgress()
			defer progress.Close()
			progress.Say("the controllers end what they are at, then everything stops")
			if err := a.client().Sleep(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(a.Stdout, "The region sleeps; the first connection wakes it.")
			return nil
		},
	}
}

func (a *app) wakeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "wake",
		Short: "Wake a region that sleeps",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.client().Wake(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(a.Stdout, "The region is awake.")
			return nil
		},
	}
}

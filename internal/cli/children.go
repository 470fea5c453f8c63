package cli

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// noCommand is the exit code of a command that could not be run, as env and nohup have it.
const noCommand = 127

// internalCommand holds the region's children. Their flags are their own.
func (a *app) internalCommand() *cobra.Command {
	parent := &cobra.Command{
		Use: "internal", Hidden: true, Short: "Programs of the region's children",
		RunE: func(cmd *cobra.Command, args []string) error { return usage(cmd, "name a program") },
	}
	programs := []struct {
		name string
		run  func(context.Context, []string) error
	}{{"zone", a.programs.Zone}, {"etcd", a.programs.Etcd}, {"apiserver", a.programs.APIServer},
		{"controllers", a.programs.Controllers}}
	parent.AddCommand(a.manCommand(), &cobra.Command{
		Use: "pod", DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if a.programs.PodEnter == nil {
				return missing("pod exec")
			}
			return &exitError{code: noCommand, sentence: a.programs.PodEnter(args).Error()}
		},
	})
	for _, program := range programs {
		parent.AddCommand(&cobra.Command{
			Use:                program.name,
			DisableFlagParsing: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				if program.run == nil {
					return missing(program.name)
				}
				ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
				defer stop()
				return program.run(ctx, args)
			},
		})
	}
	return parent
}

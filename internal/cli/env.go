package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tripod/client"
)

func (a *app) envCommand() *cobra.Command {
	profile, root := false, false
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print what leads AWS and Kubernetes clients of a shell to the region",
		Long: "Print what leads AWS and Kubernetes clients of a shell to the region.\n\n" +
			"With --profile write the aws profile 'tripod' instead, into the aws CLI's files, for IDEs and new terminals.\n" +
			"With --root be the account's root user, not the user admin. The running region makes root's access key when it is first asked for.",
		Example: "  eval \"$(tripod env)\"\n  tripod env --profile && AWS_PROFILE=tripod aws eks list-clusters",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case profile && root:
				return usage(cmd, "the profile is the user admin's: use --root without --profile")
			case profile:
				return a.writeProfile()
			}
			return a.env(cmd.Context(), root)
		},
	}
	cmd.Flags().BoolVar(&profile, "profile", false, "write the aws profile 'tripod' instead")
	cmd.Flags().BoolVar(&root, "root", false, "with the access key of the account's root user")
	return cmd
}

func (a *app) env(ctx context.Context, root bool) error {
	env, err := client.ReadEnvironment(a.dataDir, a.Environ)
	if err != nil {
		return err
	}
	again := "env"
	if root {
		credentials, err := a.client().RootCredentials(ctx)
		if err != nil {
			return err
		}
		env, again = env.As(*credentials), "env --root"
	}
	for _, variable := range env.Set {
		fmt.Fprintf(a.Stdout, "export %s=%s\n", variable.Name, shellQuote(variable.Value))
	}
	for _, name := range env.Unset {
		fmt.Fprintf(a.Stdout, "unset %s\n", name)
	}
	if isTerminal(a.Stdout) {
		fmt.Fprintf(a.Stderr, "# to use it, type: eval \"$(%s)\"\n", a.command(again))
	}
	if _, err := a.client().Status(ctx); errors.Is(err, client.ErrNotRunning) {
		fmt.Fprintf(a.Stderr, "note: %v\n", err)
	}
	return nil
}

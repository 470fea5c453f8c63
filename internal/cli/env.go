package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/client"
)

func (a *app) envCommand() *cobra.Command {
	profile, root, node := false, false, ""
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print what leads AWS and Kubernetes clients of a shell to the region",
		Long: "Print what leads AWS and Kubernetes clients of a shell to the region.\n\n" +
			"With --profile write the aws profile 'tripod' instead, into the aws CLI's files, for IDEs and new terminals.\n" +
			"With --root be the account's root user, not the user admin. The running region makes root's access key when it " +
			"is first asked for.\n" +
			"With --node be a node, named as kubectl does or by its instance's id: its instance's role, by the credentials " +
			"of six hours that the\n" +
			"instance would find in its metadata.",
		Example: "  eval \"$(tripod env)\"\n  tripod env --profile && AWS_PROFILE=tripod aws eks list-clusters\n" +
			"  (eval \"$(tripod env --node ip-10-0-14-219.ec2.internal)\" && tripod kubectl auth whoami)",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ofNode := cmd.Flags().Changed("node")
			switch {
			case ofNode && node == "": // a script's variable that is not set must not make it the administrator
				return usage(cmd, "--node names no node: see 'tripod kubectl get nodes'")
			case profile && (root || ofNode):
				return usage(cmd, "the profile is the user admin's: use --root or --node without --profile")
			case root && ofNode:
				return usage(cmd, "use --root or --node, not both")
			case profile:
				return a.writeProfile()
			case root:
				return a.env(cmd.Context(), "env --root", a.client().RootCredentials)
			case ofNode:
				return a.env(cmd.Context(), "env --node "+node, func(ctx context.Context) (*api.Credentials, error) {
					return a.client().NodeCredentials(ctx, node)
				})
			}
			return a.env(cmd.Context(), "env", nil)
		},
	}
	cmd.Flags().BoolVar(&profile, "profile", false, "write the aws profile 'tripod' instead")
	cmd.Flags().BoolVar(&root, "root", false, "with the access key of the account's root user")
	cmd.Flags().StringVar(&node, "node", "", "with the credentials of this node's instance")
	return cmd
}

// env prints the environment; of others than the user admin if as says of whom. command is what prints it again.
func (a *app) env(ctx context.Context, command string, as func(context.Context) (*api.Credentials, error)) error {
	env, err := client.ReadEnvironment(a.dataDir, a.Environ)
	if err != nil {
		return err
	}
	if as != nil {
		credentials, err := as(ctx)
		if err != nil {
			return err
		}
		env = env.As(*credentials)
	}
	for _, variable := range env.Set {
		fmt.Fprintf(a.Stdout, "export %s=%s\n", variable.Name, shellQuote(variable.Value))
	}
	for _, name := range env.Unset {
		fmt.Fprintf(a.Stdout, "unset %s\n", name)
	}
	if isTerminal(a.Stdout) {
		fmt.Fprintf(a.Stderr, "# to use it, type: eval \"$(%s)\"\n", a.command(command))
	}
	if _, err := a.client().Status(ctx); errors.Is(err, client.ErrNotRunning) {
		fmt.Fprintf(a.Stderr, "note: %v\n", err)
	}
	return nil
}

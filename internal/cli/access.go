package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tripod/api"
)

// undecided is the exit code of can-i where it is neither yes nor no.
const undecided = 2

func (a *app) canICommand() *cobra.Command {
	var question api.AccessQuestion
	cluster, output, everywhere := "", "text", false
	cmd := &cobra.Command{
		Use:   "can-i PRINCIPAL VERB RESOURCE",
		Short: "Say whether somebody may do something in a cluster, and who decides so",
		Long: "Say whether somebody may do something in a cluster: what lets them in as whom, and what RBAC and each " +
			"access policy say.\n\n" +
			"PRINCIPAL is one of IAM's: the ARN of a user, a role, a role's session, a federated user or root, or user/NAME, " +
			"role/NAME,\n" +
			"federated-user/NAME or root, or the bare NAME of a user or role. Or one of Kubernetes' own: " +
			"system:serviceaccount:NAMESPACE:NAME, or user:NAME --as-group GROUP for whoever\n" +
			"has a client certificate or comes from an OIDC identity provider. RESOURCE is TYPE[.GROUP][/NAME] or a path.\n" +
			"The exit code is 0 for yes, 1 for no, and 2 where nothing could be decided.",
		Example: "  tripod can-i role/viewer delete pods -n kube-system\n" +
			"  tripod can-i ops get deployments.apps/web --subresource scale\n" +
			"  tripod can-i root get /metrics\n  tripod can-i system:serviceaccount:kube-system:coredns list services -A\n" +
			"  tripod can-i user:jane create pods --as-group developers",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return usage(cmd, "'%s' takes a principal, a verb and a resource, such as: role/viewer delete pods",
					cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			question.Principal, question.Verb, question.Resource = args[0], args[1], args[2]
			if everywhere {
				question.Namespace = ""
			}
			if err := checkFormat(cmd, output); err != nil {
				return err
			}
			access, err := a.canI(cmd, cluster, question)
			if err != nil {
				return &exitError{code: undecided, sentence: err.Error()}
			}
			return a.printAccess(output, access, accessLines(access), access.Allowed)
		},
	}
	cmd.Flags().StringVarP(&question.Namespace, "namespace", "n", "default", "the namespace, for what is in one")
	cmd.Flags().BoolVarP(&everywhere, "all-namespaces", "A", false, "in all namespaces")
	cmd.Flags().StringArrayVar(&question.Groups, "as-group", nil, "a group of user:NAME; may be given several times")
	cmd.Flags().StringVar(&question.Subresource, "subresource", "", "of the resource, such as log or scale")
	accessFlags(cmd, &cluster, &output)
	return cmd
}

func (a *app) whoamiCommand() *cobra.Command {
	cluster, output := "", "text"
	cmd := &cobra.Command{
		Use:   "whoami",
		Short: "Say whom a cluster takes you for: its checks of your token, and what lets you in",
		Long: "Say whom a cluster takes you for: its checks of your token, what lets you in, and which access policies " +
			"you have by that.\n\n" +
			"The token is that of 'tripod token'. The exit code is 1 where you are refused.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(cmd, output); err != nil {
				return err
			}
			cluster, err := a.theCluster(cmd, cluster)
			if err != nil {
				return err
			}
			identity, err := a.whoami(cmd.Context(), cluster)
			if err != nil {
				return err
			}
			return a.printAccess(output, identity, identityLines(*identity), identity.Refusal == "")
		},
	}
	accessFlags(cmd, &cluster, &output)
	return cmd
}

func accessFlags(cmd *cobra.Command, cluster, output *string) {
	cmd.Flags().StringVar(cluster, "cluster", "", "the cluster, where there are several")
	cmd.Flags().StringVarP(output, "output", "o", *output, "text or json")
}

func checkFormat(cmd *cobra.Command, output string) error {
	if output != "text" && output != "json" {
		return usage(cmd, "-o %s is not a format of %s: use text or json", output, cmd.Name())
	}
	return nil
}

// theCluster is the one that was named, or else the only one.
func (a *app) theCluster(cmd *cobra.Command, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	status, err := a.client().Status(cmd.Context())
	if err != nil {
		return "", err
	}
	switch len(status.Clusters) {
	case 0:
		return "", fmt.Errorf("the region has no cluster")
	case 1:
		return status.Clusters[0].Name, nil
	}
	var names []string
	for _, c := range status.Clusters {
		names = append(names, c.Name)
	}
	return "", usage(cmd, "name the cluster with --cluster: %s", strings.Join(names, ", "))
}

func (a *app) canI(cmd *cobra.Command, named string, question api.AccessQuestion) (*api.Access, error) {
	cluster, err := a.theCluster(cmd, named)
	if err != nil {
		return nil, err
	}
	return a.client().CanI(cmd.Context(), cluster, question)
}

func (a *app) whoami(ctx context.Context, cluster string) (*api.Identity, error) {
	text, err := a.credential(ctx, cluster, "")
	if err != nil {
		return nil, err
	}
	var credential struct{ Status struct{ Token string } }
	if err := json.Unmarshal(text, &credential); err != nil {
		return nil, err
	}
	return a.client().WhoAmI(ctx, cluster, credential.Status.Token)
}

// printAccess prints an answer as JSON or in lines; a no is the exit code alone.
func (a *app) printAccess(output string, answer any, lines []string, yes bool) error {
	if output == "json" {
		encoder := json.NewEncoder(a.Stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(answer); err != nil {
			return err
		}
	} else {
		a.printLines(a.Stdout, lines)
	}
	if !yes {
		return &exitError{code: 1}
	}
	return nil
}

// accessLines are an answer of can-i as people read it: yes or no, and then why.
func accessLines(access *api.Access) []string {
	lines := []string{"no"}
	if access.Allowed {
		lines[0] = "yes"
	}
	lines = append(lines, identityLines(access.Identity)...)
	if access.RBAC != nil {
		lines = append(lines, line("RBAC", access.RBAC.Reason))
	}
	for _, policy := range access.Policies {
		reason := policy.Reason
		if policy.Allowed {
			reason = "allows it" // what audit logs say of it has three ARNs, and is for programs
		}
		lines = append(lines, line("access policy", policyText(policy.AccessPolicy)+": "+reason))
	}
	return lines
}

func policyText(policy api.AccessPolicy) string {
	_, name, _ := strings.Cut(policy.ARN, "/")
	if policy.Scope == "namespace" {
		return name + " in namespaces " + strings.Join(policy.Namespaces, ", ")
	}
	return name + " in the whole cluster"
}

func identityLines(identity api.Identity) (lines []string) {
	for _, check := range identity.Checks {
		lines = append(lines, line("token", check))
	}
	if identity.ARN != "" {
		lines = append(lines, line("principal", identity.ARN+" ("+identity.ID+")"))
	}
	if identity.Refusal != "" {
		return append(lines, line("refused", identity.Refusal))
	}
	lines = append(lines, line("let in by", identity.By), line("user", identity.Username),
		line("groups", cmp.Or(strings.Join(identity.Groups, ", "), "none")))
	for _, policy := range identity.Associated {
		lines = append(lines, line("access policy", policyText(policy)))
	}
	return lines
}

func line(label, text string) string { return "  " + pad(label, 14) + clean(text) }

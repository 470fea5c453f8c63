package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl ...",
		Short:              "Run the built-in kubectl against the region's cluster",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if a.programs.Kubectl == nil {
				return missing("kubectl")
			}
			kubeconfig := ""
			if !has(args, "--kubeconfig") {
				kubeconfig = filepath.Join(a.dataDir, "kubeconfig")
			}
			if _, err := os.Stat(kubeconfig); kubeconfig != "" && errors.Is(err, fs.ErrNotExist) && !offline(args) {
				return fmt.Errorf("there is no cluster in %s yet: make one with '%s'", a.dataDir, a.command("up"))
			}
			if code := a.programs.Kubectl(args, kubeconfig); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}

// has says whether a flag stands among kubectl's own arguments, those before "--".
func has(args []string, flags ...string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		for _, flag := range flags {
			if arg == flag || strings.HasPrefix(arg, flag+"=") {
				return true
			}
		}
	}
	return false
}

// offline says whether kubectl can do this without a cluster.
func offline(args []string) bool {
	if len(args) == 0 || has(args, "--help", "-h", "--client") {
		return true
	}
	switch args[0] {
	case "help", "options", "completion", "kustomize", "plugin", "__complete", "__completeNoDesc":
		return true
	}
	return false
}

package main

import (
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// kubectl runs the built-in kubectl as its own main does. It exits the process by itself when a command fails, with
// kubectl's codes, and when a plugin takes over.
func kubectl(args []string, kubeconfig string) int {
	if kubeconfig != "" {
		if err := os.Setenv("KUBECONFIG", kubeconfig); err != nil {
			fmt.Fprintln(os.Stderr, "tripod: cannot set KUBECONFIG:", err)
			return 1
		}
	}
	// kubectl reads os.Args in several places, from the plugins' look-up to the verbosity of logs.
	os.Args = append([]string{"kubectl"}, args...)
	// only fails on a verbosity that the flags refuse with a better message
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	return 0
}

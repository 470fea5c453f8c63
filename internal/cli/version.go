package cli

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"tripod/internal/version"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of Tripod and of what it is made of",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	text := "tripod (no build information)"
	if info, ok := debug.ReadBuildInfo(); ok {
		text = versionText(info)
	}
	_, err := fmt.Fprintln(a.Stdout, text)
	return err
}

func versionText(info *debug.BuildInfo) string {
	text := "tripod " + version.Of(info) + " (" + info.GoVersion
	names := []string{"k8s.io/kubernetes", "Kubernetes", "go.etcd.io/etcd/server/v3", "etcd", "github.com/hashicorp/raft",
		"raft", "sigs.k8s.io/kwok", "KWOK"}
	for i := 0; i < len(names); i += 2 {
		for _, module := range info.Deps {
			if module.Path == names[i] {
				text += ", " + names[i+1] + " " + strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return text + ")"
}

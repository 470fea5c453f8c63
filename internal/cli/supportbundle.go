package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"tripod/internal/bundle"
	"tripod/internal/datadir"
)

func (a *app) supportBundleCommand() *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:   "support-bundle",
		Short: "Gather what the report of a fault needs in one file, without secrets",
		Long: "Gather what the report of a fault needs in one file: what the region says of itself, its events, settings and faults, the " +
			"ends of its logs, and the machine. Keys, tokens and passwords are taken out; the names of clusters, roles and pods are not. " +
			"Read it before you send it.",
		Example: "  tripod support-bundle\n  tripod support-bundle --output /tmp/fault.tar.gz",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.supportBundle(cmd, output) },
	}
	cmd.Flags().StringVar(&output, "output", "", "the file; else tripod-support-TIME.tar.gz in this directory")
	return cmd
}

func (a *app) supportBundle(cmd *cobra.Command, output string) (err error) {
	if _, err := datadir.ReadMarker(a.dataDir); err != nil {
		return fmt.Errorf("there is no region in %s to gather anything of: %w", a.dataDir, err)
	}
	now := time.Now()
	if output == "" {
		output = "tripod-support-" + now.UTC().Format("20060102-150405") + ".tar.gz"
	}
	file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cannot write the bundle: %w", err)
	}
	defer func() {
		if closing := file.Close(); err == nil {
			err = closing
		}
		if err != nil { // nothing half-made remains
			os.Remove(output)
		}
	}()
	version := "without build information"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = versionText(info)
	}
	told, err := bundle.Write(cmd.Context(), file, bundle.Source{DataDir: a.dataDir, Region: a.client(), Version: version, Now: now},
		func(step string) { fmt.Fprintln(a.Stderr, step) })
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	for _, missing := range told.Missing {
		fmt.Fprintln(a.Stderr, "missing:", clean(missing))
	}
	path, err := filepath.Abs(output)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Stdout, "%s has %d files in %s; %d secrets were taken out. Read it before you send it.\n", path, len(told.Parts),
		memory(info.Size()), told.Removed)
	return nil
}

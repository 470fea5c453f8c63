package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/client"
	"tripod/internal/datadir"
	"tripod/snapshot"
)

func (a *app) snapshotCommand() *cobra.Command {
	dir := a.getenv("TRIPOD_SNAPSHOT_DIR")
	if dir == "" {
		dir = datadir.DefaultSnapshots()
	}
	parent := &cobra.Command{
		Use:   "snapshot",
		Short: "Save the whole region as one file, and restore it",
		Long: "Save the whole region as one file, and restore it: all clusters' etcd, the regional state, logs, ports and " +
			"keys, as they are at one moment.\n\n" +
			"A region that runs stands still for a moment and goes on. A snapshot is as secret as a data directory: it holds " +
			"the region's keys.\n" +
			"A restored region is the same region, with the same ports: it cannot run beside the one that it is a copy of.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "name what to do: save, list, restore or delete")
		},
	}
	parent.PersistentFlags().StringVar(&dir, "snapshot-dir", dir, "where snapshots are (TRIPOD_SNAPSHOT_DIR)")
	parent.AddCommand(a.snapshotSaveCommand(&dir), a.snapshotListCommand(&dir), a.snapshotRestoreCommand(&dir),
		a.snapshotDeleteCommand(&dir))
	return parent
}

func (a *app) snapshotSaveCommand(dir *string) *cobra.Command {
	over := false
	cmd := &cobra.Command{
		Use:     "save NAME [FILE]",
		Short:   "Save the region, whether it runs or not",
		Example: "  tripod snapshot save lab-3\n  tripod snapshot save lab-3 /media/stick/lab-3.tripod",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usage(cmd, "'%s' takes the snapshot's name and perhaps a file", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := snapshot.CheckName(args[0]); err != nil {
				return usage(cmd, "%v", err)
			}
			file := snapshot.Path(*dir, args[0])
			if len(args) == 2 {
				file = args[1]
			}
			file, err := filepath.Abs(file)
			if err != nil {
				return err
			}
			return a.saveSnapshot(cmd.Context(), api.SnapshotRequest{Name: args[0], File: file, Over: over})
		},
	}
	cmd.Flags().BoolVar(&over, "force", false, "replace a snapshot of that name")
	return cmd
}

// saveSnapshot asks the region that runs; one that does not is saved by this process.
func (a *app) saveSnapshot(ctx context.Context, request api.SnapshotRequest) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	each := a.snapshotProgress("saved")
	saved, err := a.client().SaveSnapshot(ctx, request, each)
	if errors.Is(err, client.ErrNotRunning) {
		if a.programs.SaveSnapshot == nil {
			return missing("snapshots")
		}
		saved, err = a.programs.SaveSnapshot(ctx, a.dataDir, request, each)
	}
	if err := interrupted(ctx, err); err != nil {
		return err
	}
	still := "it was down"
	if saved.PauseMillis > 0 {
		still = fmt.Sprintf("it stood still for %.0f ms", saved.PauseMillis)
	}
	fmt.Fprintf(a.Stdout, "Saved the region %s as %s (%s); %s.\n", saved.Region, saved.File, fileSize(saved.Bytes), still)
	return nil
}

// interrupted is what there is to say of a command that a signal has ended.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return &exitError{code: 130, sentence: "interrupted: nothing is changed"}
	}
	return err
}

// snapshotProgress tells on stderr how far it is, once that takes more than a second.
func (a *app) snapshotProgress(done string) func(api.SnapshotProgress) {
	told := time.Now()
	return func(p api.SnapshotProgress) {
		if time.Since(told) > time.Second {
			told = time.Now()
			fmt.Fprintf(a.Stderr, "%d of %d MiB are %s\n", p.Done>>20, p.Total>>20, done)
		}
	}
}

func (a *app) snapshotListCommand(dir *string) *cobra.Command {
	output := "table"
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the snapshots, the newest last", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usage(cmd, "-o %s is not a format of snapshot list: use table or json", output)
			}
			found, err := snapshot.List(*dir)
			if err != nil {
				return err
			}
			if output == "json" {
				encoder := json.NewEncoder(a.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(found)
			}
			if len(found) == 0 {
				fmt.Fprintf(a.Stdout, "There are no snapshots in %s ('%s' makes one).\n", clean(*dir),
					a.command("snapshot save NAME"))
				return nil
			}
			a.printLines(a.Stdout, snapshotLines(found, time.Now()))
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "table or json")
	return cmd
}

func snapshotLines(found []api.Snapshot, now time.Time) []string {
	width := 20
	for _, s := range found {
		width = min(max(width, len(s.Name)), 40)
	}
	row := func(name, age, size, region, clusters string) string {
		return strings.TrimRight(pad(name, width)+"  "+pad(age, -4)+"  "+pad(size, -8)+"  "+pad(region, 14)+"  "+clusters,
			" ")
	}
	lines := []string{row("NAME", "AGE", "SIZE", "REGION", "CLUSTERS")}
	for _, s := range found {
		if s.Damage != "" {
			lines = append(lines, row(s.Name, age(now.Sub(s.CreatedAt)), fileSize(s.Bytes), "-", clean(s.Damage)))
			continue
		}
		lines = append(lines, row(s.Name, age(now.Sub(s.CreatedAt)), fileSize(s.Bytes), clean(s.Region), clusterNames(s)))
	}
	return lines
}

// clusterNames are the clusters of a snapshot in a few words.
func clusterNames(s api.Snapshot) string {
	var names []string
	for _, c := range s.Clusters {
		name := c.Name + " " + c.Version
		if c.Status != "ACTIVE" {
			name += " " + c.Status
		}
		names = append(names, clean(name))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// fileSize is a number of bytes in at most eight columns.
func fileSize(bytes int64) string {
	if bytes < 10<<20 {
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
	return memory(bytes)
}

func (a *app) snapshotRestoreCommand(dir *string) *cobra.Command {
	over := false
	cmd := &cobra.Command{
		Use:   "restore NAME|FILE",
		Short: "Make a data directory of a snapshot; 'tripod up' then starts the region as it was",
		Long: "Make a data directory of a snapshot; 'tripod up' then starts the region as it was.\n\n" +
			"The directory is that of --data-dir. It must be empty or not there, or with --force a region's that does not " +
			"run, which is replaced.\n" +
			"Whoever made the snapshot knows all keys of the region that comes of it.",
		Example: "  tripod snapshot restore lab-3 --force && tripod up\n" +
			"  tripod --data-dir /tmp/lab snapshot restore ./lab-3.tripod",
		Args:              oneSnapshot,
		ValidArgsFunction: a.completeSnapshots(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := args[0]
			if !strings.Contains(file, "/") && snapshot.CheckName(file) == nil {
				file = snapshot.Path(*dir, file)
			}
			file, err := filepath.Abs(file)
			if err != nil {
				return err
			}
			return a.restoreSnapshot(cmd.Context(), snapshot.RestoreRequest{File: file, DataDir: a.dataDir, Over: over})
		},
	}
	cmd.Flags().BoolVar(&over, "force", false, "replace the region that is there")
	return cmd
}

func (a *app) restoreSnapshot(ctx context.Context, request snapshot.RestoreRequest) error {
	if a.programs.RestoreSnapshot == nil {
		return missing("snapshots")
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := a.client().Status(ctx)
	if err == nil {
		return fmt.Errorf("a region runs in %s (pid %d): stop it with '%s', or restore into another directory with "+
			"--data-dir", a.dataDir, status.PID, a.command("down"))
	}
	restored, err := a.programs.RestoreSnapshot(ctx, request, a.snapshotProgress("restored"))
	if err := interrupted(ctx, err); err != nil {
		return err
	}
	fmt.Fprintf(a.Stdout, "Restored the region %s of %s into %s, with the clusters %s ('%s' starts it).\n",
		restored.Region,
		restored.CreatedAt.Local().Format(time.DateTime), a.dataDir, clusterNames(*restored), a.command("up"))
	return nil
}

func (a *app) snapshotDeleteCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Aliases: []string{"rm"}, Short: "Delete a snapshot", Args: oneSnapshot,
		ValidArgsFunction: a.completeSnapshots(dir),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := snapshot.CheckName(args[0]); err != nil {
				return usage(cmd, "%v", err)
			}
			file := snapshot.Path(*dir, args[0])
			err := os.Remove(file)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("there is no snapshot %s in %s: '%s' lists them", args[0], *dir, a.command("snapshot list"))
			}
			if err != nil {
				return fmt.Errorf("cannot delete the snapshot: %w", err)
			}
			fmt.Fprintf(a.Stdout, "Deleted %s.\n", file)
			return nil
		},
	}
}

func oneSnapshot(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(cmd, "'%s' takes one snapshot: 'tripod snapshot list' has their names", cmd.CommandPath())
	}
	return nil
}

func (a *app) completeSnapshots(dir *string) func(*cobra.Command, []string, string) ([]string,
	cobra.ShellCompDirective) {
	return func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, _ := snapshot.List(*dir)
		for _, s := range found {
			names = append(names, s.Name)
		}
		return names, cobra.ShellCompDirectiveDefault
	}
}

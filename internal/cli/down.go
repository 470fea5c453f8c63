package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod/client"
	"tripod/internal/datadir"
	"tripod/internal/sleep"
)

// exitWait is how long `down` waits for the region's own process to end once everything else has.
const exitWait = 20 * time.Second

func (a *app) downCommand() *cobra.Command {
	purge := false
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the region in order; its data stays unless --purge is given",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if purge {
				// Before anything is stopped: a directory that cannot be deleted is a mistake in the command.
				if err := a.checkPurge(); err != nil {
					return err
				}
			}
			if err := a.down(cmd.Context(), purge); err != nil {
				return err
			}
			if purge {
				return a.purge()
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "delete the region's data, too")
	return cmd
}

func (a *app) down(ctx context.Context, purge bool) error {
	a.sweepPods()
	region := a.client()
	status, err := region.Status(ctx)
	if errors.Is(err, client.ErrNotRunning) {
		return a.leftOver(purge)
	}
	if err != nil {
		return err
	}
	progress := a.newProgress()
	progress.Settle()
	defer progress.Close()
	if err := region.Down(ctx, progress.Event); err != nil && !errors.Is(err, client.ErrNotRunning) {
		return err
	}
	if err := a.awaitExit(ctx, region, status.PID); err != nil {
		return err
	}
	if !purge {
		progress.Say("The region has stopped; its data stays in " + a.dataDir + ".")
	}
	return nil
}

// awaitExit returns when nobody answers and the region's process is gone, which still writes its files until then.
func (a *app) awaitExit(ctx context.Context, region *client.Client, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, exitWait)
	defer cancel()
	for {
		_, err := region.Status(ctx)
		if errors.Is(err, client.ErrNotRunning) && !alive(pid) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("everything has stopped but 'tripod up' itself (pid %d): end it with 'kill %d'", pid, pid)
		}
		sleep.For(ctx, detachPoll)
	}
}

// leftOver says what a region that is not running has left behind.
func (a *app) leftOver(purge bool) error {
	if left := leftProcesses(a.dataDir); len(left) > 0 {
		var names []string
		for _, process := range left {
			names = append(names, fmt.Sprintf("%s (pid %d)", process.name, process.pid))
		}
		return fmt.Errorf("the region's own process is gone, but %d of its children are alive: %s: '%s' cleans up after "+
			"them, and '%s' then stops everything",
			len(left), strings.Join(names, ", "), a.command("up"), a.command("down"))
	}
	if purge {
		return nil
	}
	if _, err := datadir.ReadMarker(a.dataDir); err == nil {
		fmt.Fprintf(a.Stdout, "No region is running in %s; its data is there ('%s' starts it, '%s' deletes it).\n", a.dataDir,
			a.command("up"), a.command("down --purge"))
		return nil
	}
	fmt.Fprintf(a.Stdout, "No region is running in %s.\n", a.dataDir)
	return nil
}

// checkPurge refuses to delete anything but a region's directory.
func (a *app) checkPurge() error {
	dir, err := filepath.EvalSymlinks(a.dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing to delete
	}
	if err != nil {
		return fmt.Errorf("cannot look at %s: %w", a.dataDir, err)
	}
	home := a.getenv("HOME")
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real
	}
	if dir == filepath.Dir(dir) || home != "" && within(home, dir) {
		return fmt.Errorf("--purge does not delete %s: it holds more than a region; move the region's files away by hand",
			dir)
	}
	if err := datadir.CheckOwner(dir); err != nil {
		return fmt.Errorf("--purge does not delete %s: %w", dir, err)
	}
	marker, err := datadir.ReadMarker(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--purge does not delete %s: it is not Tripod's, since it has no tripod.json", dir)
	}
	if err != nil && !damaged(dir) {
		return fmt.Errorf("--purge does not delete %s: %w", dir, err)
	}
	if err == nil && !marker.Whole() {
		return fmt.Errorf("--purge does not delete %s: its tripod.json is not that of a region of Tripod's", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot look at %s: %w", dir, err)
	}
	for _, entry := range entries {
		if !ofRegion(entry.Name()) {
			return fmt.Errorf("--purge does not delete %s: it holds %s, which is not the region's; move that away by hand", dir,
				entry.Name())
		}
	}
	return nil
}

// regionFiles are what a region has in its data directory.
var regionFiles = []string{"tripod.json", "lock", "agents.json", "control-token", "credentials.json", "kubeconfig", "kubeconfig.lock",
	"events.jsonl", "events.jsonl.1", "links.json", "disks.json", "metrics-token", "metrics-port.json",
	"chaos", "logs", "pki", "zones", ".snapshot", ".restore", ".restoring", ".DS_Store"}

// ofRegion says whether a name is one of those, or that of a file that was being written to become one.
func ofRegion(name string) bool {
	return slices.ContainsFunc(regionFiles, func(own string) bool {
		return name == own ||
			strings.HasPrefix(name, "."+own+"-")
	})
}

// damaged says whether dir is a region's by everything else than its marker, which is no JSON any more: 'tripod up'
// tells people to purge it.
func damaged(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "tripod.json"))
	if err != nil || json.Valid(text) {
		return false
	}
	for _, name := range []string{"zones", "lock"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// within says whether path is dir or lies below it.
func within(path, dir string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// purge deletes the data directory. The marker goes last, so that a purge that was cut short can be done again.
func (a *app) purge() error {
	dir, err := filepath.EvalSymlinks(a.dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(a.Stdout, "There is nothing in %s to delete.\n", a.dataDir)
		return nil
	}
	if err == nil {
		err = a.checkPurge() // it was some time ago
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot delete the region: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() == "tripod.json" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("cannot delete the region: %w", err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "tripod.json")); err != nil {
		return fmt.Errorf("cannot delete the region: %w", err)
	}
	// A directory that stays, as a container's volume does, is empty and as good as none.
	_ = os.Remove(dir)
	if dir != a.dataDir {
		_ = os.Remove(a.dataDir)
	}
	_ = os.RemoveAll(filepath.Dir(datadir.SocketPath(dir)))
	fmt.Fprintf(a.Stdout, "Deleted %s.\n", dir)
	return nil
}

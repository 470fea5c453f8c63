package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/client"
	"tripod/internal/datadir"
	"tripod/internal/process"
)

// followInterval is how often a followed log is looked at. A stat costs microseconds; notification would need another
// way on each system.
const followInterval = 200 * time.Millisecond

func (a *app) logsCommand() *cobra.Command {
	follow, paths, tail, cluster, output := false, false, 100, "", ""
	cmd := &cobra.Command{
		Use:     "logs TARGET",
		Short:   "Print the log of a zone, an instance, or 'up', the region's own",
		Example: "  tripod logs apiserver/a -f\n  tripod logs az/b --tail 20\n  tripod logs up\n  tripod logs --paths -o json",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case output != "" && output != "json":
				return usage(cmd, "-o %s is not a format of logs --paths: use json, or leave it out", output)
			case output != "" && !paths:
				return usage(cmd, "-o belongs to --paths: a log is printed as it is")
			case paths && len(args) > 0:
				return usage(cmd, "--paths is of all nodes: leave %s out", args[0])
			case paths:
				return nil
			}
			if len(args) != 1 {
				return usage(cmd, "name one target, such as apiserver/a or az/b, or 'up'")
			}
			return nil
		},
		ValidArgsFunction: a.completeTargets("up"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if paths {
				return a.logPaths(cmd.Context(), cluster, output == "json")
			}
			if tail < -1 {
				return usage(cmd, "--tail %d is out of range: use a number of lines, or -1 for all", tail)
			}
			path, err := a.logPath(cmd, args[0], cluster)
			if err != nil {
				return err
			}
			log := &logReader{path: path, out: a.Stdout, escape: isTerminal(a.Stdout), interval: followInterval}
			return log.run(cmd.Context(), tail, follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written from now on")
	cmd.Flags().IntVar(&tail, "tail", tail, "begin with this many of the last lines; -1 means all")
	cmd.Flags().BoolVar(&paths, "paths", false, "print where the nodes' log files are, for a collector of yours (up --node-logs)")
	cmd.Flags().StringVarP(&output, "output", "o", "", "json prints one object a node, with what a collector's Kubernetes filter needs")
	cmd.Flags().StringVar(&cluster, "cluster", "", "the cluster, where there are several")
	return cmd
}

// logPath finds the file of a target's log. It needs no running region, since logs are wanted most when it has died.
func (a *app) logPath(cmd *cobra.Command, target, cluster string) (string, error) {
	if target == "up" {
		path := upLogPath(a.dataDir)
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("there is no log of 'tripod up' in %s", a.dataDir)
		}
		return path, nil
	}
	kind := "authenticator" // no target of verbs: it is a part of its zone
	name, found := strings.CutPrefix(target, kind+"/")
	if !found {
		parsed, err := api.ParseTarget(target)
		if err != nil {
			return "", usage(cmd, "%v", err)
		}
		kind, name = parsed.Kind, parsed.Name
	}
	zone, err := a.zoneDir(name)
	if err != nil {
		return "", err
	}
	component := kind
	if kind == api.KindZone {
		cluster = ""
	}
	logs := filepath.Join(a.dataDir, "zones", zone, "logs")
	if path := filepath.Join(logs, component+".log"); cluster == "" {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	paths, err := filepath.Glob(filepath.Join(globEscape(logs), component+"-*.log"))
	if err != nil {
		return "", err
	}
	paths = slices.DeleteFunc(paths, process.IsAside) // the reader finds those
	return a.chooseLog(cmd.Context(), paths, target, cluster)
}

// chooseLog picks a cluster's log: files are named by the cluster's id, people know its name.
func (a *app) chooseLog(ctx context.Context, paths []string, target, cluster string) (string, error) {
	if len(paths) == 0 {
		return "", fmt.Errorf("%s has no log yet in %s", target, a.dataDir)
	}
	if len(paths) == 1 && cluster == "" {
		return paths[0], nil
	}
	status, err := a.client().Status(ctx)
	var names []string
	if err == nil {
		if err := findCluster(status, cluster); err != nil {
			return "", err
		}
		for _, c := range status.Clusters {
			names = append(names, c.Name)
		}
	}
	for _, path := range paths {
		id := strings.TrimSuffix(path[strings.LastIndex(path, "-")+1:], ".log")
		if cluster == id || err == nil && slices.ContainsFunc(status.Clusters,
			func(c api.Cluster) bool { return c.Name == cluster && c.ID == id }) {
			return path, nil
		}
	}
	switch {
	case cluster == "" && err == nil:
		return "", fmt.Errorf("%s has a log of each cluster: choose with --cluster one of %s", target,
			strings.Join(names, ", "))
	case cluster == "" || errors.Is(err, client.ErrNotRunning):
		return "", fmt.Errorf("%s has logs of several clusters, and no region runs that knows their names: choose with "+
			"--cluster an id, as in %s", target, filepath.Base(paths[0]))
	case err != nil:
		return "", err
	}
	return "", fmt.Errorf("%s has no log of cluster %s yet", target, cluster)
}

// zoneDir is the name of the zone's directory.
func (a *app) zoneDir(name string) (string, error) {
	entries, err := os.ReadDir(filepath.Join(a.dataDir, "zones"))
	if err != nil {
		return "", fmt.Errorf("there are no logs in %s: no region has run there", a.dataDir)
	}
	marker, _ := datadir.ReadMarker(a.dataDir)
	status := &api.Status{Region: marker.Region}
	for _, entry := range entries {
		if entry.IsDir() {
			status.Zones = append(status.Zones, api.Zone{Name: entry.Name()})
		}
	}
	zone, err := status.FindZone(name)
	if err != nil {
		return "", err
	}
	return zone.Name, nil
}

func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"tripod/api"
	"tripod/client"
	"tripod/client/chaos/report"
)

// prepare finds what the experiment needs of the region, which must be healthy, and makes its probes.
func (r *run) prepare(ctx context.Context, o Options) (err error) {
	limited := within(ctx, 30*time.Second)
	if err := r.connect(limited, o); err != nil {
		return err
	}
	if r.forecast, err = r.foresee(limited); err != nil {
		return err
	}
	for _, p := range r.experiment.Probes {
		try, err := r.prober(limited, p)
		if err != nil {
			return fmt.Errorf("probe %s: %w", p.Name, err)
		}
		r.probers, r.series = append(r.probers, try), append(r.series, &series{})
	}
	return nil
}

// connect finds what the experiment needs of the region, which must be healthy.
func (r *run) connect(ctx context.Context, o Options) error {
	status, err := r.region.Status(ctx)
	if err != nil {
		return err
	}
	if met, missing, err := (client.Condition{Target: "region", For: client.ForHealthy}).Check(status); err != nil || !met {
		return errors.Join(err, fmt.Errorf("the region is not healthy: %s ('tripod reset' mends it)", missing))
	}
	cluster, err := r.findCluster(status)
	if err != nil {
		return err
	}
	for _, zone := range status.Zones {
		r.report.Zones = append(r.report.Zones, zone.Name)
	}
	r.experiment.Cluster = cluster.Name
	r.report.Region, r.report.Cluster, r.report.Version = status.Region, cluster.Name, cluster.Version
	r.regionName, r.awsEndpoint = status.Region, status.AWSEndpoint
	if r.credentials, err = client.ReadCredentials(r.region.DataDir()); err != nil {
		return err
	}
	environment, err := client.ReadEnvironment(r.region.DataDir(), o.Environ)
	if err != nil {
		return err
	}
	r.environ = environment.Apply(o.Environ)
	for _, one := range []struct{ of, zone string }{{report.LedEtcd, cluster.EtcdLeader}, {report.LedControllers, cluster.Controllers},
		{report.LedScheduler, cluster.Scheduler}, {report.LedState, status.State.Leader}} {
		r.report.Leaders = append(r.report.Leaders, report.Leader{At: r.report.Started, Of: one.of, Zone: one.zone})
	}
	r.kube, err = r.kubeOf(cluster, status)
	return err
}

func (r *run) findCluster(status *api.Status) (*api.Cluster, error) {
	var names []string
	for i, cluster := range status.Clusters {
		if cluster.Name == r.experiment.Cluster || r.experiment.Cluster == "" && len(status.Clusters) == 1 {
			return &status.Clusters[i], nil
		}
		names = append(names, cluster.Name)
	}
	switch {
	case len(names) == 0:
		return nil, errNoCluster
	case r.experiment.Cluster == "":
		return nil, fmt.Errorf("the region has several clusters: name one of %s by cluster", strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("there is no cluster %q: there are %s", r.experiment.Cluster, strings.Join(names, ", "))
}

// kubeconfig is what is read of one.
type kubeconfig struct {
	Clusters []kubeconfigCluster `json:"clusters"`
	Users    []struct {
		Name string `json:"name"`
		User struct {
			Exec *struct {
				Command string   `json:"command"`
				Args    []string `json:"args"`
			} `json:"exec"`
		} `json:"user"`
	} `json:"users"`
}

type kubeconfigCluster struct {
	Name    string `json:"name"`
	Cluster struct {
		Server string `json:"server"`
		CA     []byte `json:"certificate-authority-data"`
	} `json:"cluster"`
}

// kubeOf is a client of a cluster, made of the region's kubeconfig as kubectl would.
func (r *run) kubeOf(cluster *api.Cluster, status *api.Status) (*kube, error) {
	path := filepath.Join(r.region.DataDir(), "kubeconfig")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var config kubeconfig
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	arn := fmt.Sprintf("arn:aws:eks:%s:%s:cluster/%s", status.Region, status.AccountID, cluster.Name)
	c := slices.IndexFunc(config.Clusters, func(c kubeconfigCluster) bool { return c.Name == arn })
	if c < 0 {
		return nil, fmt.Errorf("%s has no cluster %s", path, arn)
	}
	for _, u := range config.Users {
		if u.Name == arn && u.User.Exec != nil {
			return newKube(config.Clusters[c].Cluster.Server, config.Clusters[c].Cluster.CA, func(ctx context.Context) (string, error) {
				return r.execToken(ctx, u.User.Exec.Command, u.User.Exec.Args)
			})
		}
	}
	return nil, fmt.Errorf("%s does not say how a token for %s is made", path, arn)
}

// execToken runs the command that makes a token, as kubectl does.
func (r *run) execToken(ctx context.Context, command string, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env = r.environ
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("make a token by %s: %w", command, err)
	}
	var credential struct{ Status struct{ Token string } }
	if err := json.Unmarshal(out, &credential); err != nil || credential.Status.Token == "" {
		return "", fmt.Errorf("%s %s gave no token", command, strings.Join(args, " "))
	}
	return credential.Status.Token, nil
}

// lastEvent is the number of the region's last event.
func (r *run) lastEvent(ctx context.Context) (last uint64, err error) {
	err = r.region.Events(ctx, 0, false, func(event api.Event) error { last = event.Seq; return nil })
	return last, err
}

// leaderOf is what an event says that its zone leads now; empty: nothing that a report shows.
func leaderOf(event api.Event) string {
	kind, _, _ := strings.Cut(event.Target, "/")
	switch {
	case event.Type != api.LeaderChanged:
		return ""
	case kind == "etcd":
		return report.LedEtcd
	case kind == api.KindZone:
		return report.LedState
	case strings.Contains(event.Message, "kube-controller-manager"):
		return report.LedControllers
	case strings.Contains(event.Message, "kube-scheduler"):
		return report.LedScheduler
	}
	return ""
}

// readEvents writes the region's events since the begin, and who led from when on, into the report. False: some are missing.
func (r *run) readEvents(ctx context.Context, since uint64) bool {
	err := r.region.Events(within(ctx, 30*time.Second), since, false, func(event api.Event) error {
		r.report.Events = append(r.report.Events, event)
		if of := leaderOf(event); of != "" && (event.Cluster == "" || event.Cluster == r.experiment.Cluster) {
			r.report.Leaders = append(r.report.Leaders, report.Leader{At: event.Time, Of: of, Zone: event.Zone})
		}
		return nil
	})
	if err != nil {
		r.say("the region's events could not be read: %v", err)
	}
	return err == nil
}

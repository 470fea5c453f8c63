package cli

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/internal/monitoring"
	"tripod/internal/pki"
)

//go:embed prometheus.yml.tmpl
var prometheusText string

var prometheusTemplate = template.Must(template.New("prometheus.yml").Parse(prometheusText))

// prometheusOptions are what `tripod prometheus` was asked for.
type prometheusOptions struct {
	order    api.PrometheusOrder
	dir      string
	interval time.Duration
}

func (a *app) prometheusCommand() *cobra.Command {
	o := prometheusOptions{interval: 30 * time.Second}
	cmd := &cobra.Command{
		Use:   "prometheus",
		Short: "Let a Prometheus of this machine read all metrics, and write its configuration",
		Long: "Let a Prometheus of this machine read all metrics, and write its configuration: of the region itself, of API servers,\n" +
			"etcd members, controllers, nodes, and of pods with the annotation prometheus.io/scrape.\n\n" +
			"The region opens a port of 127.0.0.1 for it, by HTTPS, which it opens again at each start until --off. It takes the\n" +
			"token of the data directory's file metrics-token, for metrics and for nothing else.",
		Example: "  tripod prometheus --output ~/monitoring\n  prometheus --config.file ~/monitoring/prometheus.yml",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.prometheus(cmd, o) },
	}
	cmd.Flags().StringVar(&o.dir, "output", "", "write prometheus.yml, rules and dashboards into this directory, not to standard output")
	cmd.Flags().DurationVar(&o.interval, "interval", o.interval, "how often it is to scrape")
	cmd.Flags().IntVar(&o.order.Port, "port", 0, "the port of 127.0.0.1; 0: the one of last time, or else a free one")
	cmd.Flags().BoolVar(&o.order.Off, "off", false, "close the port")
	return cmd
}

func (a *app) prometheus(cmd *cobra.Command, o prometheusOptions) error {
	switch {
	case o.interval < time.Second || o.interval%time.Second != 0:
		return usage(cmd, "--interval is %v: it must be so many whole seconds, such as 30s", o.interval)
	case o.order.Port < 0 || o.order.Port > 65535:
		return usage(cmd, "--port is %d, which is no port", o.order.Port)
	case o.order.Off && (o.dir != "" || o.order.Port != 0):
		return usage(cmd, "--off goes with no other flag")
	}
	door, err := a.client().Prometheus(cmd.Context(), o.order)
	if err != nil || o.order.Off {
		return err
	}
	text, err := prometheusConfig(a.dataDir, *door, o)
	if err != nil {
		return err
	}
	if o.dir == "" {
		_, err = a.Stdout.Write(text)
		return err
	}
	return a.writePrometheus(o.dir, text)
}

// prometheusConfig is the configuration of a Prometheus.
func prometheusConfig(dataDir string, door api.Prometheus, o prometheusOptions) ([]byte, error) {
	var text bytes.Buffer
	err := prometheusTemplate.Execute(&text, struct {
		api.Prometheus
		DataDir           string
		Jobs              []string
		Interval, Refresh string
		Rules             bool
	}{door, dataDir, api.PrometheusJobs, seconds(o.interval), seconds(min(o.interval, 10*time.Second)), o.dir != ""})
	return text.Bytes(), err
}

// seconds writes a time as Prometheus reads it.
func seconds(d time.Duration) string { return fmt.Sprintf("%ds", int(d/time.Second)) }

// writePrometheus writes the configuration, with the rules that it names, and the dashboards for a Grafana.
func (a *app) writePrometheus(dir string, text []byte) error {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = errors.Join(copyFiles(monitoring.Rules, dir), copyFiles(monitoring.Files, dir))
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err == nil {
		err = pki.Write(file, text)
	}
	if err != nil {
		return fmt.Errorf("the configuration cannot be written to %s: %w", dir, err)
	}
	fmt.Fprintf(a.Stdout, "wrote %s, rules and dashboards; now run:\n\n  prometheus --config.file %[1]s --storage.tsdb.path %s "+
		"--web.listen-address 127.0.0.1:9090\n", file, filepath.Join(dir, "data"))
	return nil
}

// copyFiles writes all files below a directory.
func copyFiles(files fs.FS, dir string) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err != nil || entry.IsDir() {
			return errors.Join(err, os.MkdirAll(to, 0o700))
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return pki.Write(to, text)
	})
}

// Package monitoring has the rules and dashboards that come with Tripod, for a Prometheus and a Grafana of the user's.
package monitoring

import "embed"

// Rules are recording and alerting rules, as Prometheus reads them: rules/*.yaml. Their names are those of kubernetes-mixin and of
// etcd's mixin where these have one.
//
//go:embed rules/*.yaml
var Rules embed.FS

// Files are the dashboards as Grafana reads them: dashboards/*.json.
//
//go:embed dashboards/*.json
var Files embed.FS

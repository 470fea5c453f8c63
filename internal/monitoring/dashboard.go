package monitoring

import (
	"bytes"
	"encoding/json"
)

// Dashboard is one of Grafana's.
type Dashboard struct {
	// Name is the file's and the UID's: region.
	Name, Title string
	// Clusters says that it is about one cluster, which the reader picks.
	Clusters bool
	Rows     []Row
}

// Row is a heading, and the panels below it, three beside one another.
type Row struct {
	Title  string
	Panels []Panel
}

// Panel draws what some queries find.
type Panel struct {
	Title string
	// Kind is Grafana's: timeseries, stat, table or state-timeline.
	Kind string
	// Unit is Grafana's: short, s, bytes, percentunit, reqps, dateTimeFromNow.
	Unit    string
	Queries []Query
}

// Query is an expression in PromQL, and how its series are named in the legend.
type Query struct{ Expr, Legend string }

// lines is a panel of lines.
func lines(title, unit string, queries ...Query) Panel {
	return Panel{title, "timeseries", unit, queries}
}

// states is a panel of bars that change with the value.
func states(title string, queries ...Query) Panel {
	return Panel{title, "state-timeline", "short", queries}
}

// now is a panel of what is so now.
func now(title, unit string, queries ...Query) Panel { return Panel{title, "stat", unit, queries} }

// list is a panel of one row for each series.
func list(title, unit string, queries ...Query) Panel { return Panel{title, "table", unit, queries} }

type object map[string]any

const across, high = 8, 7 // of a panel, of the 24 units that Grafana's page is wide

// JSON is the dashboard as Grafana reads it.
func (d Dashboard) JSON() ([]byte, error) {
	var panels []object
	id, y := 0, 0
	add := func(panel object, x, w, h int) {
		id++
		panel["id"], panel["gridPos"] = id, object{"x": x, "y": y, "w": w, "h": h}
		panels = append(panels, panel)
	}
	for _, row := range d.Rows {
		add(object{"type": "row", "title": row.Title, "collapsed": false, "panels": []object{}}, 0, 24, 1)
		y++
		for i, p := range row.Panels {
			if i > 0 && i%3 == 0 {
				y += high
			}
			add(p.object(), i%3*across, across, high)
		}
		y += high
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	err := encoder.Encode(object{
		"uid": "tripod-" + d.Name, "title": "Tripod / " + d.Title, "tags": []string{"tripod"}, "schemaVersion": 39, "version": 1,
		"editable": true, "refresh": "30s", "time": object{"from": "now-1h", "to": "now"}, "timezone": "browser",
		"graphTooltip": 1, "panels": panels, "templating": object{"list": d.variables()},
		"annotations": object{"list": []object{faults}},
	})
	return out.Bytes(), err
}

var source = object{"type": "prometheus", "uid": "${datasource}"}

// faults mark what was broken on purpose on every panel.
var faults = object{"name": "Faults", "enable": true, "iconColor": "red", "datasource": source, "expr": "tripod_fault == 1",
	"titleFormat": "{{fault}} {{target}}", "step": "15s"}

func (d Dashboard) variables() []object {
	all := []object{{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}}
	if d.Clusters {
		all = append(all, object{"name": "cluster", "type": "query", "datasource": source, "label": "Cluster", "refresh": 2, "sort": 1,
			"query": object{"query": "label_values(tripod_cluster_info, cluster)", "refId": "clusters"}})
	}
	return all
}

func (p Panel) object() object {
	var targets []object
	for i, q := range p.Queries {
		target := object{"refId": string(rune('A' + i)), "expr": q.Expr, "legendFormat": q.Legend, "datasource": source}
		if p.Kind == "table" {
			target["format"], target["instant"] = "table", true
		}
		targets = append(targets, target)
	}
	defaults := object{"unit": p.Unit}
	options := object{}
	switch p.Kind {
	case "stat":
		options["reduceOptions"], options["colorMode"] = object{"calcs": []string{"lastNotNull"}}, "value"
	case "timeseries":
		options["legend"], options["tooltip"] = object{"displayMode": "list", "placement": "bottom"}, object{"mode": "multi"}
		defaults["custom"] = object{"fillOpacity": 10, "showPoints": "never"}
		defaults["min"] = 0
	}
	panel := object{"type": p.Kind, "title": p.Title, "datasource": source, "targets": targets, "options": options,
		"fieldConfig": object{"defaults": defaults, "overrides": []object{}}}
	if p.Kind == "table" {
		panel["transformations"] = []object{{"id": "merge", "options": object{}},
			{"id": "organize", "options": object{"excludeByName": object{"Time": true, "job": true, "instance": true, "__name__": true}}}}
	}
	return panel
}

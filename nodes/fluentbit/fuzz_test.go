package fluentbit

import (
	"encoding/json"
	"testing"
	"time"
)

// Whatever a ConfigMap and a line say, the log router goes on, and a record that it keeps can be sent.
func FuzzFargate(f *testing.F) {
	f.Add(documented["output.conf"], documented["filters.conf"], documented["parsers.conf"],
		`2026-11-29T08:00:00.000000001Z stdout F {"level":"info"}`)
	const match = "[FILTER]\n Match *\n "
	for _, filters := range []string{"Name grep\n Regex $log['a[b'] x", `Name grep` + "\n" + ` Exclude $log["a"]['b'] x`, "Name grep\n Regex $ x",
		"Name nest\n Operation lift\n Nested_under log\n" + match + "Name modify\n Rename log x\n Set\n Remove_wildcard *",
		"Name record_modifier\n Record a\n Remove_key log\n" + match + "Name kubernetes\n Merge_Log On\n Merge_Log_Key kubernetes",
		"Name nest\n Operation nest\n Wildcard *\n Nest_under log\n" + match + "Name parser\n Key_Name log\n Parser p",
		"Name parser\n Key_Name log\n Parser j\n Preserve_Key On\n" + match + "Name modify\n Add a b"} {
		for _, line := range []string{"null", `{"a":1e999}`, `{"log":{"a[b":"x"}}`, "nan Feb 29 00:00:00"} {
			f.Add(documented["output.conf"], match+filters+"\n", "[PARSER]\n Name j\n Format json\n[PARSER]\n Name p\n Format regex\n"+
				" Regex ^(?<a>\\w+) (?<t>.*)$\n Types a:float\n Time_Key t\n Time_Format %b %d %H:%M:%S\n", line)
		}
	}
	f.Fuzz(func(t *testing.T, output, filters, parsers, line string) {
		c, err := Fargate(map[string]string{"output.conf": output, "filters.conf": filters, "parsers.conf": parsers}, "us-east-1")
		if err != nil {
			return
		}
		r := Record{Tag: "kube.web", At: time.Unix(1, 0), Fields: map[string]any{"log": line},
			Kubernetes: func() map[string]any {
				return map[string]any{"pod_name": "web", "labels": map[string]string{"app": "shop"}}
			}}
		if !c.Filters.Apply(&r) {
			return
		}
		if text, err := json.Marshal(r.Fields); err != nil || len(text) > 10*(mostText+len(line)+mostFields) {
			t.Errorf("%d bytes, %v", len(text), err)
		}
	})
}

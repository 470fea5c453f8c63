package options

import (
	"strings"
	"testing"
)

func TestOutputsOfLogsAreNamed(t *testing.T) {
	for text, want := range map[string]LogOutput{"cloudwatch": {Kind: CloudWatchLogs}, "file:/tmp/x/": {Kind: LogFiles, Dir: "/tmp/x"},
		"file:x": {}, "s3": {}, "": {}, "cloudwatch:x": {},
		"elasticsearch:http://127.0.0.1:9200": {Kind: Elasticsearch, URL: "http://127.0.0.1:9200", Index: "logstash"},
		"opensearch:https://localhost:9200/x?index=shop&sign=es": {Kind: Elasticsearch, URL: "https://localhost:9200/x",
			Index: "shop", Sign: "es"},
		"elasticsearch:http://127.0.0.1:9200?index=../x": {},
		"elasticsearch:http://127.0.0.1:9200?sign=s3":    {},
		"elasticsearch:ftp://127.0.0.1":                  {},
		"loki:http://[::1]:3100":                         {Kind: Loki, URL: "http://[::1]:3100"},
		"loki:http://127.0.0.1:3100?x=y":                 {},
		"forward:127.0.0.1:24224":                        {Kind: Forward, Address: "127.0.0.1:24224"},
		"forward:127.0.0.1":                              {},
		"forward:127.0.0.1:x":                            {},
		"s3:logs/a/b":                                    {Kind: S3, Bucket: "logs", Prefix: "a/b"},
		"s3:logs":                                        {Kind: S3, Bucket: "logs"},
		"s3:logs/../x":                                   {},
		"s3:Logs":                                        {},
	} {
		if got, err := ParseLogOutput(text); got != want || (err == nil) != (want.Kind != "") {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}

// Nothing is sent off the machine, and no password stands in a list of processes.
func TestLogsAreSentToThisMachineAlone(t *testing.T) {
	for text, want := range map[string]string{"loki:http://10.0.0.1:3100": "is not this machine",
		"forward:logs.example.com:24224":                       "is not this machine",
		"opensearch:https://search.us-east-1.es.amazonaws.com": "is not this machine", "forward:0.0.0.0:1": "is not this machine",
		"elasticsearch:http://user:secret@127.0.0.1:9200": "password is not taken"} {
		if got, err := ParseLogOutput(text); got != (LogOutput{}) || err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}

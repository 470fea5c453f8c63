package options

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// LogOutput is where the nodes' log routers send what containers say.
type LogOutput struct {
	Kind    string `json:"kind"`
	Dir     string `json:"dir,omitempty"`     // of LogFiles: absolute
	URL     string `json:"url,omitempty"`     // of Elasticsearch and Loki
	Index   string `json:"index,omitempty"`   // of Elasticsearch: what the indexes' names begin with
	Sign    string `json:"sign,omitempty"`    // of Elasticsearch: the service's name in AWS's signatures; empty: nothing is signed
	Address string `json:"address,omitempty"` // of Forward: host and port
	Bucket  string `json:"bucket,omitempty"`  // of S3
	Prefix  string `json:"prefix,omitempty"`
}

// The kinds of a LogOutput.
const (
	CloudWatchLogs = "cloudwatch"
	LogFiles       = "file"
	Elasticsearch  = "elasticsearch" // and opensearch
	Loki           = "loki"
	Forward        = "forward"
	S3             = "s3"
)

// LogOutputs describes them, for help and errors.
const LogOutputs = "cloudwatch, file:/DIRECTORY, elasticsearch:http://127.0.0.1:9200 (or opensearch:, with ?index=NAME and ?sign=es), " +
	"loki:http://127.0.0.1:3100, forward:127.0.0.1:24224 or s3:BUCKET/PREFIX"

var (
	indexForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,99}$`)
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	prefixForm = regexp.MustCompile(`^[A-Za-z0-9!_.*'()/-]{0,200}$`)
)

// ParseLogOutput reads one of LogOutputs.
func ParseLogOutput(text string) (o LogOutput, err error) {
	kind, where, _ := strings.Cut(text, ":")
	o = LogOutput{Kind: kind}
	switch {
	case kind == CloudWatchLogs && where == "":
		return o, nil
	case kind == LogFiles && filepath.IsAbs(where):
		o.Dir = filepath.Clean(where)
		return o, nil
	case kind == Elasticsearch || kind == "opensearch":
		return parseElasticsearch(where)
	case kind == Loki:
		at, err := parseNear(where)
		if err != nil {
			return LogOutput{}, err
		}
		if at.RawQuery != "" {
			return LogOutput{}, fmt.Errorf("%q has options, which loki does not take", where)
		}
		o.URL = at.String()
		return o, nil
	case kind == Forward:
		host, port, err := net.SplitHostPort(where)
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
			return LogOutput{}, fmt.Errorf("%q is no address: use HOST:PORT", where)
		}
		o.Address = where
		if err := near(host); err != nil {
			return LogOutput{}, err
		}
		return o, nil
	case kind == S3:
		o.Bucket, o.Prefix, _ = strings.Cut(where, "/")
		if !bucketForm.MatchString(o.Bucket) || !prefixForm.MatchString(o.Prefix) || strings.Contains("/"+o.Prefix+"/", "/../") {
			return LogOutput{}, fmt.Errorf("%q is no bucket with a prefix", where)
		}
		return o, nil
	}
	return LogOutput{}, fmt.Errorf("%q is no output of logs: use %s", text, LogOutputs)
}

func parseElasticsearch(where string) (LogOutput, error) {
	at, err := parseNear(where)
	if err != nil {
		return LogOutput{}, err
	}
	o := LogOutput{Kind: Elasticsearch, Index: "logstash"}
	for name, values := range at.Query() {
		value := values[len(values)-1]
		switch {
		case name == "index" && indexForm.MatchString(value):
			o.Index = value
		case name == "sign" && (value == "es" || value == "aoss"):
			o.Sign = value
		default:
			return LogOutput{}, fmt.Errorf("%s=%s is no option of elasticsearch: there are index=NAME and sign=es or aoss", name, value)
		}
	}
	at.RawQuery = ""
	o.URL = at.String()
	return o, nil
}

// parseNear reads a URL of this machine. A password in it would stand in lists of processes, and is not taken.
func parseNear(text string) (*url.URL, error) {
	at, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no URL", text)
	case at.Scheme != "http" && at.Scheme != "https" || at.Host == "":
		return nil, fmt.Errorf("%q is no URL of http or https", text)
	case at.User != nil:
		return nil, fmt.Errorf("a URL with a password is not taken")
	case at.Fragment != "":
		return nil, fmt.Errorf("%q is no URL of a service", text)
	}
	return at, near(at.Hostname())
}

// near says that logs are sent to this machine alone.
func near(host string) error {
	if address, err := netip.ParseAddr(host); host == "localhost" || err == nil && address.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s is not this machine: logs are sent to its loopback alone, such as 127.0.0.1, and a tunnel or a collector there "+
		"leads on", host)
}

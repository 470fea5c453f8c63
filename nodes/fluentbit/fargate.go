package fluentbit

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What Fargate's log router takes ("Start AWS Fargate logging for your cluster" in the EKS user guide).
const mostConfigured = 5300 // characters

// longestError bounds what is told of a configuration, in bytes: errors quote it.
const longestError = 1 << 10

var (
	fargateOutputs = []string{"es", "firehose", "kinesis_firehose", "cloudwatch", "cloudwatch_logs", "kinesis"}
	fargateFilters = []string{"grep", "parser", "record_modifier", "rewrite_tag", "throttle", "nest", "modify", "kubernetes"}
	fargateParts   = []struct{ key, kind string }{{"output.conf", "OUTPUT"}, {"filters.conf", "FILTER"}, {"parsers.conf", "PARSER"}}
)

// toldKey is the switch that sends what the router itself logs.
const toldKey = "flb_log_cw"

// retentions are the days for which CloudWatch Logs can keep a log group's events.
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// FargateKept is what of the ConfigMap says something.
func FargateKept(data map[string]string) map[string]string {
	kept := map[string]string{}
	for _, part := range fargateParts {
		if text := data[part.key]; text != "" {
			kept[part.key] = text
		}
	}
	if toldOf(data) {
		kept[toldKey] = "true" // its text is not among the characters that are counted
	}
	return kept
}

func toldOf(data map[string]string) bool {
	return strings.EqualFold(strings.TrimSpace(data[toldKey]), "true")
}

// Config is what the router of a machine of Fargate's does.
type Config struct {
	Filters Filters
	Outputs []Output
	// Told says that what the router itself logs is sent to CloudWatch Logs as well.
	Told bool
}

// Output is where records go.
type Output struct {
	Name    string // of the section, with its place among the others
	Matches func(tag string) bool
	CloudWatch
}

// CloudWatch is the output cloudwatch_logs, or its older form cloudwatch.
type CloudWatch struct {
	Group, Stream, StreamPrefix string
	Key                         string // of the only field that is sent; empty: all as JSON
	CreateGroup                 bool
	RetentionDays               int32 // of a group that the router makes; 0: for ever
}

// Fargate reads the ConfigMap of Fargate's log router, in a region. The error is why its pods have no logging.
func Fargate(data map[string]string, region string) (*Config, error) {
	config, err := readFargate(data, region)
	if err != nil && len(err.Error()) > longestError {
		return nil, errors.New(strings.ToValidUTF8(err.Error()[:longestError], "") + "...")
	}
	return config, err
}

func readFargate(data map[string]string, region string) (*Config, error) {
	length := 0
	for _, part := range fargateParts {
		length += utf8.RuneCountInString(data[part.key])
	}
	if length > mostConfigured {
		return nil, fmt.Errorf("it has %d characters, and may have %d", length, mostConfigured)
	}
	sections := map[string][]Section{}
	for _, part := range fargateParts {
		text := data[part.key]
		if strings.Contains(text, "${") {
			return nil, fmt.Errorf("%s has an environment variable, which is not supported", part.key)
		}
		parsed, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.key, err)
		}
		for _, s := range parsed {
			if s.Kind != part.kind {
				return nil, fmt.Errorf("section [%s] is not supported in %s", s.Kind, part.key)
			}
		}
		sections[part.kind] = parsed
	}
	if len(sections["OUTPUT"]) == 0 {
		return nil, errors.New("output.conf has no section [OUTPUT]")
	}
	for _, s := range sections["OUTPUT"] {
		if !slices.Contains(fargateOutputs, s.Plugin()) {
			return nil, fmt.Errorf("%s is not a supported output plugin", s.Plugin())
		}
	}
	for _, s := range sections["FILTER"] {
		if !slices.Contains(fargateFilters, s.Plugin()) {
			return nil, fmt.Errorf("%s is not a supported filter plugin", s.Plugin())
		}
	}
	config := &Config{Told: toldOf(data)}
	parsers, err := NewParsers(sections["PARSER"])
	if err != nil {
		return nil, err
	}
	if config.Filters, err = NewFilters(sections["FILTER"], parsers); err != nil {
		return nil, err
	}
	for i, s := range sections["OUTPUT"] {
		one, err := newOutput(s, region)
		if err != nil {
			return nil, err
		}
		one.Name = s.Plugin() + "." + strconv.Itoa(i)
		config.Outputs = append(config.Outputs, one)
	}
	return config, nil
}

func newOutput(s Section, region string) (o Output, err error) {
	if plugin := s.Plugin(); plugin != "cloudwatch" && plugin != "cloudwatch_logs" {
		return o, fmt.Errorf("there is no service behind the output %s in Tripod, which has cloudwatch_logs", plugin)
	}
	if err := s.only("region", "log_group_name", "log_stream_name", "log_stream_prefix", "log_key", "auto_create_group",
		"log_retention_days", "auto_retry_requests"); err != nil {
		return o, err
	}
	if o.Matches, err = s.matches(); err != nil {
		return o, err
	}
	if of := s.Get("region"); of != region {
		return o, fmt.Errorf("%s: its region is %q, and this one is %s", s.Plugin(), of, region)
	}
	o.CloudWatch = CloudWatch{Group: s.Get("log_group_name"), Stream: s.Get("log_stream_name"), StreamPrefix: s.Get("log_stream_prefix"),
		Key: s.Get("log_key")}
	if o.Group == "" || (o.Stream == "") == (o.StreamPrefix == "") {
		return o, fmt.Errorf("%s has no log_group_name, or not one of log_stream_name and log_stream_prefix", s.Plugin())
	}
	if strings.Contains(o.Group+o.Stream+o.StreamPrefix, "$(") {
		return o, fmt.Errorf("%s: Tripod reads no templates in names of groups and streams", s.Plugin())
	}
	if o.CreateGroup, err = s.On("auto_create_group", false); err != nil {
		return o, err
	}
	if days := s.Get("log_retention_days"); days != "" {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil || !slices.Contains(retentions, int32(n)) {
			return o, fmt.Errorf("%s: log_retention_days: %q is none of %v", s.Plugin(), days, retentions)
		}
		o.RetentionDays = int32(n)
	}
	return o, nil
}

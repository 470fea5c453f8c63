// Package cloudwatch is Amazon CloudWatch as far as alarms go: they are made, described, set to a state by hand, and stop
// experiments of Fault Injection Service. Nothing has metrics here, so no alarm changes its state by itself, and its actions
// are kept and not taken.
package cloudwatch

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "monitoring"

// The states of alarms.
const (
	OK               = "OK"
	Alarming         = "ALARM"
	InsufficientData = "INSUFFICIENT_DATA"
)

// Service answers from a zone's copy of the regional state.
type Service struct {
	Region, AccountID string
	State             state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (s *Service) now() time.Time {
	now := s.Now
	if now == nil {
		now = time.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

// Alarm is a metric alarm.
type Alarm struct {
	Name string `json:"name"`
	// Given are the members that it was made with, as DescribeAlarms shows them.
	Given map[string]any    `json:"given"`
	Tags  map[string]string `json:"tags,omitempty"`
	State string            `json:"state"`
	// Reason is why the state is so, ReasonData the same for programs, since Since; Updated is when it was set last.
	Reason     string    `json:"reason"`
	ReasonData string    `json:"reasonData,omitempty"`
	Since      time.Time `json:"since"`
	Updated    time.Time `json:"updated"`
	Configured time.Time `json:"configured"`
}

var alarms = state.NewTable[Alarm]("cloudwatch-alarm") // by name

// StateOf is the state of the alarm with that ARN; false: there is none.
func StateOf(tx *state.Txn, arn string) (string, bool) {
	_, name, _ := strings.Cut(arn, ":alarm:")
	a, found := alarms.Get(tx, name)
	return a.State, found && name != ""
}

func (s *Service) arn(name string) string {
	return "arn:aws:cloudwatch:" + s.Region + ":" + s.AccountID + ":alarm:" + name
}

// types are those of the members of CloudWatch's documents.
var types = wire.Types{
	Integers: []string{"Period", "EvaluationPeriods", "DatapointsToAlarm", "MaxRecords", "EvaluationInterval"},
	Floats:   []string{"Threshold"}, Booleans: []string{"ActionsEnabled", "ReturnData"},
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := &operation.RPCAPI{Name: Name, Target: "GraniteServiceVersion20100801", Version: "2010-08-01",
		Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/", Types: types, Operations: s.operations()}
	return operation.Service{
		Title: "CloudWatch", Name: Name, Protocol: wire.CBOR, APIs: []operation.API{api}, BodyLimit: 256 << 10,
		Errors: operation.Errors{Internal: "InternalServiceError"},
		Documented: operation.DocumentBy(api.Names(), []operation.Clause{
			{Words: []string{"PutMetricAlarm"}, State: operation.Recorded,
				Effect: "nothing has metrics here: an alarm stays in the state that it is given, and its actions are not taken"},
			{Words: []string{"SetAlarmState"}, State: operation.Works,
				Effect: "the state stays; in ALARM it stops the experiments of Fault Injection Service that have it as a stop condition"},
			{Words: []string{"AlarmActions"}, State: operation.Recorded, Effect: "kept and shown; no action is taken"},
			{Words: []string{"Tag"}, State: operation.Works, Effect: "of alarms"},
			{Words: []string{""}, State: operation.Works, Effect: "of metric alarms; there are no composite ones"},
		}),
	}
}

func (s *Service) operations() map[string]func(*operation.Call, wire.Document) (wire.Document, error) {
	return map[string]func(*operation.Call, wire.Document) (wire.Document, error){
		"PutMetricAlarm": s.put, "SetAlarmState": s.set, "DescribeAlarms": s.describe, "DeleteAlarms": s.delete,
		"EnableAlarmActions": s.enable(true), "DisableAlarmActions": s.enable(false),
		"TagResource": s.tag, "UntagResource": s.untag, "ListTagsForResource": s.listTags,
	}
}

// permit asks whether the caller may do the operation to an alarm, or to all.
func permit(call *operation.Call, arn string, tags map[string]string) error {
	return call.Authorize(wire.ProtocolOf(call.Request, Name, wire.CBOR), "cloudwatch:"+call.Operation, arn,
		iam.TagKeys("aws:ResourceTag", tags))
}

// tagging gives the call the condition keys of the tags that it gives and takes away, as its document has them in any protocol.
func tagging(call *operation.Call, given map[string]string, removed []string) {
	call.Keys = call.Keys.Without("aws:requesttag/", "aws:tagkeys").With(operation.TagKeys(given, removed))
}

func invalid(format string, args ...any) error {
	return &wire.Error{Code: "ValidationError", Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func notFound(name string) error {
	return &wire.Error{Code: "ResourceNotFound", Status: http.StatusNotFound, Message: "Unknown alarm: " + name}
}

func text(in wire.Document, name string) string {
	value, _ := in[name].(string)
	return value
}

// texts are the strings of a list.
func texts(in wire.Document, name string) (all []string) {
	items, _ := in[name].([]any)
	for _, item := range items {
		if value, ok := item.(string); ok {
			all = append(all, value)
		}
	}
	return all
}

// required refuses a member that is not there.
func required(in wire.Document, names ...string) error {
	for _, name := range names {
		if value, found := in[name]; !found || value == "" {
			return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null",
				strings.ToLower(name[:1])+name[1:])
		}
	}
	return nil
}

// tagsIn are the tags of a request.
func tagsIn(in wire.Document) map[string]string {
	tags := map[string]string{}
	items, _ := in["Tags"].([]any)
	for _, item := range items {
		if pair, ok := item.(wire.Document); ok {
			tags[text(pair, "Key")] = text(pair, "Value")
		}
	}
	return tags
}

// oneOf refuses a value that is none of these.
func oneOf(in wire.Document, name string, values ...string) error {
	if value := text(in, name); value != "" && !slices.Contains(values, value) {
		return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value "+
			"set: [%s]", value, strings.ToLower(name[:1])+name[1:], strings.Join(values, ", "))
	}
	return nil
}

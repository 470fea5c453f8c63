// Package cloudwatch is Amazon CloudWatch: data of metrics, their statistics and metric math, and alarms on them, which are
// evaluated where the regional state is led. Alarms are records of the regional state; the data are metricdata's. See DESIGN.md.
package cloudwatch

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/events"
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

// Service answers from a zone's copy of the regional state and of the metrics' data.
type Service struct {
	Region, AccountID string
	State             state.Updater
	// Metrics are the data; nil means that the operations on them are unavailable.
	Metrics *metricdata.Store
	// History has what happened to alarms; nil keeps nothing of it.
	History Histories
	// Events tells EventBridge of an alarm's change; nil tells nobody.
	Events func(*state.Txn, events.Event)
	// Scale has a policy of Auto Scaling followed, for a value of a metric and the threshold that it crossed; nil: there is none.
	Scale func(tx *state.Txn, policyARN string, value, threshold float64, now time.Time) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	tried atomic.Int64 // when a question was noted last, or could not be, in nanoseconds of Unix time
}

func (s *Service) now() time.Time {
	now := s.Now
	if now == nil {
		now = time.Now
	}
	return now().UTC().Truncate(time.Millisecond)
}

// Alarm is a metric alarm or, with an AlarmRule, a composite one.
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
	// ByHand says that SetAlarmState gave it its state.
	ByHand bool `json:"byHand,omitempty"`
	// SuppressedBy says why a composite alarm's actions are not taken yet, and until when; without a time until its suppressor changes.
	SuppressedBy    string    `json:"suppressedBy,omitempty"`
	SuppressedUntil time.Time `json:"suppressedUntil,omitzero"`
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
	Integers: []string{"Period", "EvaluationPeriods", "DatapointsToAlarm", "MaxRecords", "EvaluationInterval", "StorageResolution",
		"MaxDatapoints", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod", "Size", "MaxResults"},
	Floats:   []string{"Threshold", "SampleCount", "Sum", "Minimum", "Maximum", "Average"},
	Booleans: []string{"ActionsEnabled", "ReturnData", "IncludeLinkedAccounts", "StrictEntityValidation", "PeriodicSpikes"},
}

// largestBody is how large a request may be: PutMetricData's reference has 1 MB.
const largestBody = 1 << 20

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := &operation.RPCAPI{Name: Name, Target: "GraniteServiceVersion20100801", Version: "2010-08-01",
		Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/", Types: types, Operations: s.operations()}
	return operation.Service{
		Title: "CloudWatch", Name: Name, Protocol: wire.CBOR, APIs: []operation.API{api}, BodyLimit: largestBody, Compressed: true,
		Errors:     operation.Errors{Internal: "InternalServiceError"},
		Documented: operation.DocumentBy(api.Names(), documented),
	}
}

func (s *Service) operations() map[string]func(*operation.Call, wire.Document) (wire.Document, error) {
	return map[string]func(*operation.Call, wire.Document) (wire.Document, error){
		"PutMetricData": s.measured(s.putData), "GetMetricStatistics": s.measured(s.statistics), "GetMetricData": s.measured(s.getData),
		"ListMetrics": s.measured(s.list),

		"PutMetricAlarm": s.put, "PutCompositeAlarm": s.putComposite, "SetAlarmState": s.set, "DeleteAlarms": s.delete,
		"DescribeAlarms": s.describe, "DescribeAlarmsForMetric": s.describeForMetric, "DescribeAlarmHistory": s.describeHistory,
		"EnableAlarmActions": s.enable(true), "DisableAlarmActions": s.enable(false),
		"TagResource": s.tag, "UntagResource": s.untag, "ListTagsForResource": s.listTags,

		"PutDashboard": s.putDashboard, "GetDashboard": s.getDashboard, "ListDashboards": s.listDashboards,
		"DeleteDashboards":   s.deleteDashboards,
		"PutAnomalyDetector": s.putDetector, "DescribeAnomalyDetectors": s.describeDetectors, "DeleteAnomalyDetector": s.deleteDetector,
	}
}

// measured is an operation that needs the metrics' data.
func (s *Service) measured(do func(*operation.Call, wire.Document) (wire.Document, error)) func(*operation.Call, wire.Document) (
	wire.Document, error) {
	return func(call *operation.Call, in wire.Document) (wire.Document, error) {
		if s.Metrics == nil {
			return nil, &wire.Error{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Message: "There are no metrics here."}
		}
		return do(call, in)
	}
}

// permit asks whether the caller may do the operation to an alarm, or to all.
func permit(call *operation.Call, arn string, tags map[string]string, about ...iam.Keys) error {
	return call.Authorize(wire.ProtocolOf(call.Request, Name, wire.CBOR), "cloudwatch:"+call.Operation, arn,
		append(about, iam.TagKeys("aws:ResourceTag", tags))...)
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

// badToken is of a token that none of these gave.
func badToken() error {
	return &wire.Error{Code: "InvalidNextToken", Status: http.StatusBadRequest, Message: "The next token specified is invalid."}
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

package logs

import (
	"github.com/aws/smithy-go"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

//go:generate go run ../../internal/constraints -model $LOGS_MODEL -sdk $LOGS_SDK -package logs -out constraints_gen.go

// model is what the service's model says of all inputs.
var model = operation.Model{
	Constraints: constraints,
	Refuse:      func(_ string, _ *wire.Input, message string) error { return invalid("%s", message) },
}

// typed makes an action of a method that takes the SDK's input and gives the SDK's output.
func typed[In any, Out smithy.Serializable](handle func(*operation.Call, *In) (Out, error)) operation.Action {
	return operation.Typed(model, handle)
}

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "CloudWatch Logs", Name: Name, Protocol: wire.AWSJSON, APIs: []operation.API{s.API()},
		Documented: documented(), Errors: operation.Errors{Internal: "InternalServerException"},
		BodyLimit: 256 << 10, // patterns of 1024 characters, 50 tags
		BodyLimits: map[string]int64{
			"PutLogEvents":     8 << 20, // 1 MiB of messages
			"TestMetricFilter": 1 << 20, // 50 messages
		},
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.JSONAPI {
	api := &operation.JSONAPI{Name: Name, Actions: map[string]operation.Action{}}
	for name, one := range s.operations() {
		api.Actions[name] = one.do
	}
	return api
}

// An entry is one operation that Tripod has: the method that does it, and its line of docs/operations.md.
type entry struct {
	do     operation.Action
	state  operation.State
	effect string
}

// operations are those that Tripod has, by name.
func (s *Service) operations() map[string]entry {
	const works, recorded = operation.Works, operation.Recorded
	return map[string]entry{
		"CreateLogGroup": {typed(s.createLogGroup), works,
			"a group in every zone, of a class that has the operations that AWS gives it; a KMS key must be there and let " +
				"CloudWatch Logs use it"},
		"DeleteLogGroup": {typed(s.deleteLogGroup), works,
			"the group, its streams and their events are gone in every zone; a cluster that logs makes its group " +
				"anew with the next event"},
		"DescribeLogGroups": {typed(s.describeLogGroups), works,
			"the groups; storedBytes is what this zone's files hold"},
		"ListLogGroups": {typed(s.listLogGroups), works,
			"the groups by name pattern and class; filters by data source, field index and tag are refused"},
		"PutRetentionPolicy": {typed(s.putRetentionPolicy), works,
			"older events are not shown any more at once, and deleted within an hour, file by file"},
		"DeleteRetentionPolicy": {typed(s.deleteRetentionPolicy), works,
			"events are kept as far as there is room: 32 MiB of what one zone wrote to one stream"},
		"PutLogGroupDeletionProtection": {typed(s.putLogGroupDeletionProtection), works,
			"DeleteLogGroup is refused while it is on"},
		"CreateLogStream": {typed(s.createLogStream), works,
			"a stream in every zone"},
		"DeleteLogStream": {typed(s.deleteLogStream), works,
			"the stream and its events are gone in every zone"},
		"DescribeLogStreams": {typed(s.describeLogStreams), works,
			"the streams with the times of their first and last events"},
		"PutLogEvents": {typed(s.putLogEvents), works,
			"the events are on two zones' disks before the answer; the entity is ignored"},
		"GetLogEvents": {typed(s.getLogEvents), works,
			"a stream's events, forwards and backwards, from this zone's copy"},
		"FilterLogEvents": {typed(s.filterLogEvents), works,
			"a group's events, interleaved by their times, by patterns of terms, of regular expressions, on JSON " +
				"and of space-delimited columns"},
		"StartLiveTail": {s.startLiveTail, works,
			"a session on the event stream: each second up to 500 events that came to this zone's copy, for 3 hours; 15 sessions a zone"},
		"StartQuery": {typed(s.startQuery), works,
			"a query in the language CWLI over up to 50 groups, which runs in the zone that was asked; events that are written " +
				"later are not in it"},
		"GetQueryResults": {typed(s.getQueryResults), works,
			"the rows, found anew in a zone that has not got them: a query outlives the zone in which it was started"},
		"StopQuery":             {typed(s.stopQuery), works, "the query ends, in whatever zone it runs"},
		"DescribeQueries":       {typed(s.describeQueries), works, "the last 200 queries, of 7 days"},
		"ListLogGroupsForQuery": {typed(s.listLogGroupsForQuery), works, "the groups that a query searches"},
		"GetLogRecord":          {typed(s.getLogRecord), works, "an event with all fields, by the @ptr of a query's row"},
		"GetLogGroupFields": {typed(s.getLogGroupFields), works,
			"the fields of up to 5,000 of the group's events, and how many percent of these have them"},
		"PutQueryDefinition":       {typed(s.putQueryDefinition), works, "a query is kept by its name"},
		"DescribeQueryDefinitions": {typed(s.describeQueryDefinitions), works, "the queries that are kept"},
		"DeleteQueryDefinition":    {typed(s.deleteQueryDefinition), works, "the query is kept no more"},
		"AssociateKmsKey": {typed(s.associateKmsKey), works,
			"the group's events can be read only while the key is enabled and its policy lets CloudWatch Logs decrypt; on the disk " +
				"they are as they were"},
		"DisassociateKmsKey": {typed(s.disassociateKmsKey), works, "the key is asked for no more, for old events too"},
		"PutMetricFilter": {typed(s.putMetricFilter), works,
			"what it finds in events is data of CloudWatch's metrics within a second; refused where no value can come of it"},
		"DescribeMetricFilters": {typed(s.describeMetricFilters), works, "the filters, of a group or of a metric"},
		"DeleteMetricFilter":    {typed(s.deleteMetricFilter), works, "the filter is gone"},
		"TestMetricFilter": {typed(s.testMetricFilter), works,
			"which messages a pattern matches, and the values of its columns"},
		"PutSubscriptionFilter": {typed(s.putSubscriptionFilter), recorded,
			"the filter is kept and shown, two for a group; nothing is delivered: there is no Kinesis, Firehose or " +
				"Lambda here, and whether the destination exists is not asked"},
		"DescribeSubscriptionFilters": {typed(s.describeSubscriptionFilters), recorded,
			"the group's filters as they were asked for"},
		"DeleteSubscriptionFilter": {typed(s.deleteSubscriptionFilter), recorded,
			"the filter is gone"},
		"PutResourcePolicy": {typed(s.putResourcePolicy), recorded,
			"a policy is kept, ten of the account and one of each log group, whose revision must be known; nothing is asked of it: it is " +
				"about AWS's services that write logs, of which here EKS alone does, which needs none"},
		"DescribeResourcePolicies": {typed(s.describeResourcePolicies), recorded, "the policies of the account, or of log groups"},
		"DeleteResourcePolicy":     {typed(s.deleteResourcePolicy), recorded, "the policy is gone"},
		"TagResource": {typed(s.tagResource), works,
			"tags of a group"},
		"UntagResource": {typed(s.untagResource), works,
			"the tags are gone"},
		"ListTagsForResource": {typed(s.listTagsForResource), works,
			"the group's tags"},
		"TagLogGroup": {typed(s.tagLogGroup), works,
			"the older TagResource, by name"},
		"UntagLogGroup": {typed(s.untagLogGroup), works,
			"the older UntagResource, by name"},
		"ListTagsLogGroup": {typed(s.listTagsLogGroup), works,
			"the older ListTagsForResource, by name"},
	}
}

// all are all of the API's, whether Tripod has them or not; a test compares the list with the SDK's client.
var all = []string{
	"AssociateKmsKey", "AssociateSourceToS3TableIntegration", "CancelExportTask", "CancelImportTask", "CreateDelivery",
	"CreateExportTask", "CreateImportTask", "CreateLogAnomalyDetector", "CreateLogGroup", "CreateLogStream",
	"CreateLookupTable",
	"CreateScheduledQuery", "DeleteAccountPolicy", "DeleteDataProtectionPolicy", "DeleteDelivery",
	"DeleteDeliveryDestination",
	"DeleteDeliveryDestinationPolicy", "DeleteDeliverySource", "DeleteDestination", "DeleteIndexPolicy",
	"DeleteIntegration",
	"DeleteLogAnomalyDetector", "DeleteLogGroup", "DeleteLogStream", "DeleteLookupTable", "DeleteMetricFilter",
	"DeleteQueryDefinition", "DeleteResourcePolicy", "DeleteRetentionPolicy", "DeleteScheduledQuery",
	"DeleteSubscriptionFilter", "DeleteSyslogConfiguration", "DeleteTransformer", "DescribeAccountPolicies",
	"DescribeConfigurationTemplates", "DescribeDeliveries", "DescribeDeliveryDestinations", "DescribeDeliverySources",
	"DescribeDestinations", "DescribeExportTasks", "DescribeFieldIndexes", "DescribeImportTaskBatches",
	"DescribeImportTasks",
	"DescribeIndexPolicies", "DescribeLogGroups", "DescribeLogStreams", "DescribeLookupTables", "DescribeMetricFilters",
	"DescribeQueries", "DescribeQueryDefinitions", "DescribeResourcePolicies", "DescribeSubscriptionFilters",
	"DisassociateKmsKey",
	"DisassociateSourceFromS3TableIntegration", "FilterLogEvents", "GetDataProtectionPolicy", "GetDelivery",
	"GetDeliveryDestination",
	"GetDeliveryDestinationPolicy", "GetDeliverySource", "GetIntegration", "GetLogAnomalyDetector", "GetLogEvents",
	"GetLogFields", "GetLogGroupFields", "GetLogObject", "GetLogRecord", "GetLookupTable", "GetQueryResults",
	"GetScheduledQuery", "GetScheduledQueryHistory", "GetStorageTierPolicy", "GetTransformer",
	"ListAggregateLogGroupSummaries", "ListAnomalies", "ListIntegrations", "ListLogAnomalyDetectors", "ListLogGroups",
	"ListLogGroupsForQuery", "ListScheduledQueries", "ListSourcesForS3TableIntegration", "ListSyslogConfigurations",
	"ListTagsForResource", "ListTagsLogGroup", "PutAccountPolicy", "PutBearerTokenAuthentication",
	"PutDataProtectionPolicy",
	"PutDeliveryDestination", "PutDeliveryDestinationPolicy", "PutDeliverySource", "PutDestination",
	"PutDestinationPolicy",
	"PutIndexPolicy", "PutIntegration", "PutLogEvents", "PutLogGroupDeletionProtection", "PutMetricFilter",
	"PutQueryDefinition", "PutResourcePolicy", "PutRetentionPolicy", "PutStorageTierPolicy", "PutSubscriptionFilter",
	"PutSyslogConfiguration", "PutTransformer", "StartLiveTail", "StartQuery", "StopQuery", "TagLogGroup",
	"TagResource",
	"TestMetricFilter", "TestTransformer", "UntagLogGroup", "UntagResource", "UpdateAnomaly",
	"UpdateDeliveryConfiguration", "UpdateLogAnomalyDetector", "UpdateLookupTable", "UpdateScheduledQuery",
}

// documented are the lines of docs/operations.md: every operation of the API in the order of their names.
func documented() []operation.Documented {
	have := (&Service{}).operations()
	lines := make([]operation.Documented, 0, len(all))
	for _, name := range all {
		line := operation.Documented{Operation: name, State: have[name].state, Effect: have[name].effect}
		if have[name].do == nil {
			line.State, line.Effect = operation.Refused, "UnknownOperationException: Tripod does not have it yet"
		}
		lines = append(lines, line)
	}
	return lines
}

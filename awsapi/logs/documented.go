package logs

import "tripod/awsapi/wire"

// operations are all of the API's, whether Tripod has them or not; a test compares the list with the SDK's client.
var operations = []string{
	"AssociateKmsKey", "AssociateSourceToS3TableIntegration", "CancelExportTask", "CancelImportTask", "CreateDelivery",
	"CreateExportTask", "CreateImportTask", "CreateLogAnomalyDetector", "CreateLogGroup", "CreateLogStream", "CreateLookupTable",
	"CreateScheduledQuery", "DeleteAccountPolicy", "DeleteDataProtectionPolicy", "DeleteDelivery", "DeleteDeliveryDestination",
	"DeleteDeliveryDestinationPolicy", "DeleteDeliverySource", "DeleteDestination", "DeleteIndexPolicy", "DeleteIntegration",
	"DeleteLogAnomalyDetector", "DeleteLogGroup", "DeleteLogStream", "DeleteLookupTable", "DeleteMetricFilter",
	"DeleteQueryDefinition", "DeleteResourcePolicy", "DeleteRetentionPolicy", "DeleteScheduledQuery",
	"DeleteSubscriptionFilter", "DeleteSyslogConfiguration", "DeleteTransformer", "DescribeAccountPolicies",
	"DescribeConfigurationTemplates", "DescribeDeliveries", "DescribeDeliveryDestinations", "DescribeDeliverySources",
	"DescribeDestinations", "DescribeExportTasks", "DescribeFieldIndexes", "DescribeImportTaskBatches", "DescribeImportTasks",
	"DescribeIndexPolicies", "DescribeLogGroups", "DescribeLogStreams", "DescribeLookupTables", "DescribeMetricFilters",
	"DescribeQueries", "DescribeQueryDefinitions", "DescribeResourcePolicies", "DescribeSubscriptionFilters", "DisassociateKmsKey",
	"DisassociateSourceFromS3TableIntegration", "FilterLogEvents", "GetDataProtectionPolicy", "GetDelivery", "GetDeliveryDestination",
	"GetDeliveryDestinationPolicy", "GetDeliverySource", "GetIntegration", "GetLogAnomalyDetector", "GetLogEvents",
	"GetLogFields", "GetLogGroupFields", "GetLogObject", "GetLogRecord", "GetLookupTable", "GetQueryResults",
	"GetScheduledQuery", "GetScheduledQueryHistory", "GetStorageTierPolicy", "GetTransformer",
	"ListAggregateLogGroupSummaries", "ListAnomalies", "ListIntegrations", "ListLogAnomalyDetectors", "ListLogGroups",
	"ListLogGroupsForQuery", "ListScheduledQueries", "ListSourcesForS3TableIntegration", "ListSyslogConfigurations",
	"ListTagsForResource", "ListTagsLogGroup", "PutAccountPolicy", "PutBearerTokenAuthentication", "PutDataProtectionPolicy",
	"PutDeliveryDestination", "PutDeliveryDestinationPolicy", "PutDeliverySource", "PutDestination", "PutDestinationPolicy",
	"PutIndexPolicy", "PutIntegration", "PutLogEvents", "PutLogGroupDeletionProtection", "PutMetricFilter",
	"PutQueryDefinition", "PutResourcePolicy", "PutRetentionPolicy", "PutStorageTierPolicy", "PutSubscriptionFilter",
	"PutSyslogConfiguration", "PutTransformer", "StartLiveTail", "StartQuery", "StopQuery", "TagLogGroup", "TagResource",
	"TestMetricFilter", "TestTransformer", "UntagLogGroup", "UntagResource", "UpdateAnomaly",
	"UpdateDeliveryConfiguration", "UpdateLogAnomalyDetector", "UpdateLookupTable", "UpdateScheduledQuery",
}

// Documented are the lines of docs/operations.md: every operation of the API in the order of their names, and what it does here.
func Documented() []wire.Documented {
	lines := make([]wire.Documented, 0, len(operations))
	for _, name := range operations {
		line, known := documented[name]
		if !known {
			line.State, line.Effect = wire.Refused, "UnknownOperationException: Tripod does not have it yet"
		}
		line.Operation = name
		lines = append(lines, line)
	}
	return lines
}

// documented says of each operation that Tripod has how far it goes.
var documented = map[string]wire.Documented{
	"CreateLogGroup":                {State: wire.Works, Effect: "a group in every zone; its class and KMS key are kept and shown, and change nothing"},
	"DeleteLogGroup":                {State: wire.Works, Effect: "the group, its streams and their events are gone in every zone; a cluster that logs makes its group anew with the next event"},
	"DescribeLogGroups":             {State: wire.Works, Effect: "the groups; storedBytes is what this zone's files hold"},
	"ListLogGroups":                 {State: wire.Works, Effect: "the groups by name pattern and class; filters by data source, field index and tag are refused"},
	"PutRetentionPolicy":            {State: wire.Works, Effect: "older events are not shown any more at once, and deleted within an hour, file by file"},
	"DeleteRetentionPolicy":         {State: wire.Works, Effect: "events are kept as far as there is room: 32 MiB of what one zone wrote to one stream"},
	"PutLogGroupDeletionProtection": {State: wire.Works, Effect: "DeleteLogGroup is refused while it is on"},
	"CreateLogStream":               {State: wire.Works, Effect: "a stream in every zone"},
	"DeleteLogStream":               {State: wire.Works, Effect: "the stream and its events are gone in every zone"},
	"DescribeLogStreams":            {State: wire.Works, Effect: "the streams with the times of their first and last events"},
	"PutLogEvents":                  {State: wire.Works, Effect: "the events are on two zones' disks before the answer; the entity is ignored"},
	"GetLogEvents":                  {State: wire.Works, Effect: "a stream's events, forwards and backwards, from this zone's copy"},
	"FilterLogEvents":               {State: wire.Works, Effect: "a group's events, interleaved by their times, by patterns of terms, of regular expressions, on JSON and of space-delimited columns"},
	"TestMetricFilter":              {State: wire.Works, Effect: "which messages a pattern matches, and the values of its columns"},
	"PutSubscriptionFilter":         {State: wire.Recorded, Effect: "the filter is kept and shown, two for a group; nothing is delivered: there is no Kinesis, Firehose or Lambda here, and whether the destination exists is not asked"},
	"DescribeSubscriptionFilters":   {State: wire.Recorded, Effect: "the group's filters as they were asked for"},
	"DeleteSubscriptionFilter":      {State: wire.Recorded, Effect: "the filter is gone"},
	"TagResource":                   {State: wire.Works, Effect: "tags of a group"},
	"UntagResource":                 {State: wire.Works, Effect: "the tags are gone"},
	"ListTagsForResource":           {State: wire.Works, Effect: "the group's tags"},
	"TagLogGroup":                   {State: wire.Works, Effect: "the older TagResource, by name"},
	"UntagLogGroup":                 {State: wire.Works, Effect: "the older UntagResource, by name"},
	"ListTagsLogGroup":              {State: wire.Works, Effect: "the older ListTagsForResource, by name"},
}

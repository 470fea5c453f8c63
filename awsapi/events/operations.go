package events

import (
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := &operation.JSONAPI{Name: Name, Actions: s.actions()}
	return operation.Service{
		Title: "EventBridge", Name: Name, Protocol: wire.AWSJSON, APIs: []operation.API{api}, BodyLimit: 2 << 20,
		Errors: operation.Errors{Internal: "InternalException"},
		Documented: operation.DocumentBy(api.Names(), []operation.Clause{
			{Words: []string{"PutTargets"}, State: operation.Works,
				Effect: "events go to SQS queues, with Input, InputPath or InputTransformer applied; other targets are kept, and get nothing"},
			{Words: []string{"PutRule"}, State: operation.Works,
				Effect: "event patterns count; schedules are kept, and do nothing"},
			{Words: []string{"PutEvents"}, State: operation.Works, Effect: "own events go to the targets of the rules that they match"},
			{Words: []string{""}, State: operation.Works, Effect: "of the default event bus: there is no other"},
		}),
	}
}

// actions are the operations that Tripod has, by name.
func (s *Service) actions() map[string]operation.Action {
	return map[string]operation.Action{
		"DeleteRule":            operation.JSONOf(s.deleteRule),
		"DescribeEventBus":      operation.JSONOf(s.describeBus),
		"DescribeRule":          operation.JSONOf(s.describeRule),
		"DisableRule":           operation.JSONOf(s.disableRule),
		"EnableRule":            operation.JSONOf(s.enableRule),
		"ListEventBuses":        operation.JSONOf(s.listBuses),
		"ListRuleNamesByTarget": operation.JSONOf(s.listByTarget),
		"ListRules":             operation.JSONOf(s.listRules),
		"ListTagsForResource":   operation.JSONOf(s.listTags),
		"ListTargetsByRule":     operation.JSONOf(s.listTargets),
		"PutEvents":             operation.JSONOf(s.putEvents),
		"PutRule":               operation.JSONOf(s.putRule),
		"PutTargets":            operation.JSONOf(s.putTargets),
		"RemoveTargets":         operation.JSONOf(s.removeTargets),
		"TagResource":           operation.JSONOf(s.tag),
		"TestEventPattern":      operation.JSONOf(s.testPattern),
		"UntagResource":         operation.JSONOf(s.untag),
	}
}

package sqs

import (
	"net/http"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	api := &operation.JSONAPI{Name: Name, Actions: s.actions()}
	return operation.Service{
		Title: "SQS", Name: Name, Protocol: wire.AWSJSON, APIs: []operation.API{api}, BodyLimit: 2 << 20,
		Errors: operation.Errors{Internal: "InternalError", Throttled: throttled},
		Documented: operation.DocumentBy(api.Names(), []operation.Clause{
			{Words: []string{"ReceiveMessage"}, State: operation.Works,
				Effect: "long polling for up to 20 seconds; messages that were received too often go to the redrive policy's queue"},
			{Words: []string{"Message"}, State: operation.Works, Effect: "in queues of up to 10,000 messages and 16 MiB"},
			{Words: []string{"Tag"}, State: operation.Works, Effect: "of queues"},
			{Words: []string{"Queue"}, State: operation.Works,
				Effect: "standard queues; FIFO queues are refused, queue policies are kept and not evaluated"},
		}),
	}
}

// actions are the operations that Tripod has, by name.
func (s *Service) actions() map[string]operation.Action {
	return map[string]operation.Action{
		"ChangeMessageVisibility":      operation.JSONOf(s.changeVisibility),
		"ChangeMessageVisibilityBatch": operation.JSONOf(s.changeVisibilityBatch),
		"CreateQueue":                  operation.JSONOf(s.createQueue),
		"DeleteMessage":                operation.JSONOf(s.deleteMessage),
		"DeleteMessageBatch":           operation.JSONOf(s.deleteMessageBatch),
		"DeleteQueue":                  operation.JSONOf(s.deleteQueue),
		"GetQueueAttributes":           operation.JSONOf(s.getAttributes),
		"GetQueueUrl":                  operation.JSONOf(s.getURL),
		"ListQueueTags":                operation.JSONOf(s.listTags),
		"ListQueues":                   operation.JSONOf(s.listQueues),
		"PurgeQueue":                   operation.JSONOf(s.purgeQueue),
		"ReceiveMessage":               operation.JSONOf(s.receive),
		"SendMessage":                  operation.JSONOf(s.sendMessage),
		"SendMessageBatch":             operation.JSONOf(s.sendMessageBatch),
		"SetQueueAttributes":           operation.JSONOf(s.setAttributes),
		"TagQueue":                     operation.JSONOf(s.tagQueue),
		"UntagQueue":                   operation.JSONOf(s.untagQueue),
	}
}

// throttled refuses a call of an operation that was called too often.
func throttled(message string) *wire.Error {
	return &wire.Error{Code: "RequestThrottled", QueryCode: "RequestThrottled", Status: http.StatusBadRequest, Message: message}
}

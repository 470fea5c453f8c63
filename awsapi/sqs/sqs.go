// Package sqs is Amazon SQS as far as standard queues go: messages wait in the regional state, are received by whoever
// asks, are invisible for a while, and come again or are deleted.
//
// A message costs an entry in all zones' copies of the state for each of its sending, receiving and deletion: queues are
// for the events of EC2 and EKS that tools such as Karpenter wait for, and for tests, not for throughput.
package sqs

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "sqs"

// Service answers from a zone's copy of the regional state.
type Service struct {
	Region, AccountID string
	State             state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// Queue is a queue.
type Queue struct {
	Name       string            `json:"name"`
	Attributes map[string]string `json:"attributes,omitempty"` // those that were set
	Tags       map[string]string `json:"tags,omitempty"`
	Created    time.Time         `json:"created"`
	Modified   time.Time         `json:"modified"`
	// Sent counts the messages that it ever had: it orders them. Bytes is the size of those that it has.
	Sent  int64 `json:"sent,omitzero"`
	Bytes int   `json:"bytes,omitzero"`
}

// Message is a message in a queue.
type Message struct {
	ID         string               `json:"id"`
	Body       string               `json:"body"`
	Attributes map[string]Attribute `json:"attributes,omitempty"`
	Sender     string               `json:"sender,omitempty"` // the unique id of who sent it
	Sent       time.Time            `json:"sent"`
	// VisibleAt is when it may be received: from then on, whoever asks gets it.
	VisibleAt time.Time `json:"visibleAt"`
	Received  int       `json:"received,omitzero"` // how often
	First     time.Time `json:"first,omitzero"`    // when for the first time
}

// Attribute is one of a message's own attributes.
type Attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

var (
	queues = state.NewTable[Queue]("sqs-queue") // by name
	// messages are by the queue's name and twelve digits, a slash between: in the order of their coming.
	messages = state.NewTable[Message]("sqs-message")
)

// Bounds: of queues, of one's messages and their bytes, of those that are received and not deleted, of one message.
const (
	maxQueues   = 1000
	maxMessages = 10_000
	maxBytes    = 16 << 20
	maxBody     = 256 << 10
)

// defaults are the attributes of a queue that nobody set.
var defaults = map[string]string{
	"VisibilityTimeout": "30", "MaximumMessageSize": strconv.Itoa(maxBody), "MessageRetentionPeriod": "345600", "DelaySeconds": "0",
	"ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true",
}

// ranges are what attributes that are numbers may be.
var ranges = map[string][2]int{
	"VisibilityTimeout": {0, 43200}, "MaximumMessageSize": {1024, 1 << 20}, "MessageRetentionPeriod": {60, 1209600},
	"DelaySeconds": {0, 900}, "ReceiveMessageWaitTimeSeconds": {0, 20}, "KmsDataKeyReusePeriodSeconds": {60, 86400},
}

// others are the other attributes that may be set.
var others = []string{"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "SqsManagedSseEnabled"}

func (q Queue) attribute(name string) string {
	if value, set := q.Attributes[name]; set {
		return value
	}
	return defaults[name]
}

func (q Queue) seconds(name string) time.Duration {
	n, _ := strconv.Atoi(q.attribute(name)) // checked when it was set
	return time.Duration(n) * time.Second
}

func (q Queue) messages() state.Part[Message] { return messages.Part(q.Name + "/") }

// expired says whether a message has been there for longer than the queue keeps them.
func (q Queue) expired(m Message, now time.Time) bool {
	return now.Sub(m.Sent) > q.seconds("MessageRetentionPeriod")
}

func (s *Service) arn(name string) string { return ARN(s.Region, s.AccountID, name) }

// ARN is a queue's.
func ARN(region, account, name string) string {
	return "arn:aws:sqs:" + region + ":" + account + ":" + name
}

// url is where a queue is, as the caller calls the endpoint.
func (s *Service) url(call *operation.Call, name string) string {
	scheme := "http"
	if call.Request.TLS != nil || strings.EqualFold(call.Request.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return scheme + "://" + call.Request.Host + "/" + s.AccountID + "/" + name
}

// nameOf is a queue's name in its URL or ARN.
func nameOf(queue string) string {
	return queue[strings.LastIndexAny(queue, "/:")+1:]
}

func refuse(code, format string, args ...any) *wire.Error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// refuseAs is refuse with the code that the query protocol had.
func refuseAs(queryCode, code, format string, args ...any) *wire.Error {
	e := refuse(code, format, args...)
	e.QueryCode = queryCode
	return e
}

func noQueue() *wire.Error {
	return refuseAs("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "The specified queue does not exist.")
}

func invalidAttribute(name string) *wire.Error {
	return refuse("InvalidAttributeValue", "Invalid value for the parameter %s.", wire.Clip(name))
}

// may authorizes a call about a queue: by IAM's policies. Queues' own policies are kept and not asked.
func (s *Service) may(call *operation.Call, queue string) error {
	action := strings.TrimSuffix(call.Operation, "Batch")
	if queue == "" {
		return call.Authorize(wire.AWSJSON, "sqs:"+action, "*")
	}
	return call.Authorize(wire.AWSJSON, "sqs:"+action, s.arn(nameOf(queue)))
}

// view finds a queue that a call names by its URL.
func (s *Service) view(call *operation.Call, url string, do func(*state.Txn, Queue) error) error {
	if err := s.may(call, url); err != nil {
		return err
	}
	return s.State.View(func(tx *state.Txn) error {
		q, found := queues.Get(tx, nameOf(url))
		if !found {
			return noQueue()
		}
		return do(tx, q)
	})
}

// change is view for what changes the queue: do edits it.
func (s *Service) change(call *operation.Call, url string, do func(*state.Txn, *Queue) error) error {
	if err := s.may(call, url); err != nil {
		return err
	}
	return s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		q, found := queues.Get(tx, nameOf(url))
		if !found {
			return noQueue()
		}
		if err := do(tx, &q); err != nil {
			return err
		}
		queues.Put(tx, q.Name, q)
		return nil
	})
}

package sqs

import (
	"crypto/md5" // SQS's checksum of messages
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Send puts a message into the queue with that URL, ARN or name, within a transaction: what EventBridge and Auto Scaling do
// with their events. The error says that there is no such queue, or that it is full.
func Send(tx *state.Txn, queue, body string, now time.Time) error {
	q, found := queues.Get(tx, nameOf(queue))
	if !found {
		return noQueue()
	}
	if _, err := q.send(tx, Message{Body: body, Sent: now.UTC(), VisibleAt: now.UTC().Add(q.seconds("DelaySeconds"))}); err != nil {
		return err
	}
	queues.Put(tx, q.Name, q)
	return nil
}

// send adds a message. Those that are too old go first.
func (q *Queue) send(tx *state.Txn, m Message) (Message, error) {
	for key, old := range q.messages().After(tx, "") {
		if !q.expired(old, m.Sent) {
			break // they are in the order of their coming
		}
		q.drop(tx, key, old)
	}
	if q.Bytes+m.size() > maxBytes || !q.messages().Fewer(tx, maxMessages) {
		return m, refuseAs("AWS.SimpleQueueService.OverLimit", "OverLimit", "The queue %s is full: Tripod keeps at most %d messages and %d "+
			"MiB in one.", q.Name, maxMessages, maxBytes>>20)
	}
	if m.ID == "" {
		m.ID = wire.NewRequestID()
	}
	q.Sent, q.Bytes = q.Sent+1, q.Bytes+m.size()
	messages.Put(tx, fmt.Sprintf("%s/%012d", q.Name, q.Sent), m)
	return m, nil
}

func (q *Queue) drop(tx *state.Txn, key string, m Message) {
	messages.Delete(tx, key)
	q.Bytes -= m.size()
}

func (m Message) size() int {
	n := len(m.Body)
	for name, a := range m.Attributes {
		n += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

type sendInput struct {
	QueueURL               string `json:"QueueUrl"`
	ID                     string `json:"Id"` // in a batch
	MessageBody            string
	DelaySeconds           *int
	MessageAttributes      map[string]Attribute
	MessageGroupID         *string `json:"MessageGroupId"`
	MessageDeduplicationID *string `json:"MessageDeduplicationId"`
}

type sendOutput struct {
	ID                     string `json:"Id,omitempty"`
	MessageID              string `json:"MessageId"`
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
}

// message is what an input asks to be sent; an error if it cannot be.
func (in sendInput) message(q *Queue, sender string, now time.Time) (Message, error) {
	delay := q.seconds("DelaySeconds")
	if in.DelaySeconds != nil {
		if delay = time.Duration(*in.DelaySeconds) * time.Second; *in.DelaySeconds < 0 || *in.DelaySeconds > 900 {
			return Message{}, refuse("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be "+
				">= 0 and <= 900.", *in.DelaySeconds)
		}
	}
	m := Message{Body: in.MessageBody, Attributes: in.MessageAttributes, Sender: sender, Sent: now, VisibleAt: now.Add(delay)}
	limit := int(q.seconds("MaximumMessageSize") / time.Second)
	switch {
	case in.MessageBody == "":
		return m, refuse("MissingParameter", "The request must contain the parameter MessageBody.")
	case strings.ContainsFunc(in.MessageBody, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	}):
		return m, refuse("InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to "+
			"#xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	case m.size() > limit:
		return m, refuse("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", limit)
	case len(in.MessageAttributes) > 10:
		return m, refuse("InvalidParameterValue", "Number of message attributes [%d] exceeds the allowed maximum [10].",
			len(in.MessageAttributes))
	case in.MessageDeduplicationID != nil:
		return m, refuse("InvalidParameterValue", "The request include parameter that is not valid for this queue type")
	}
	for name, a := range in.MessageAttributes {
		if base, _, _ := strings.Cut(a.DataType, "."); base != "String" && base != "Number" && base != "Binary" {
			return m, refuse("InvalidParameterValue", "The type of message (user) attribute '%s' is invalid. You must use only the following "+
				"supported type prefixes: Binary, Number, String.", wire.Clip(name))
		}
	}
	return m, nil
}

func sent(in sendInput, m Message) sendOutput {
	return sendOutput{in.ID, m.ID, checksum(m.Body), attributesChecksum(m.Attributes)}
}

func checksum(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// attributesChecksum is the MD5 that SDKs check, after the guide "Calculating the MD5 message digest for message
// attributes".
func attributesChecksum(attributes map[string]Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var data []byte
	add := func(text string) {
		data = binary.BigEndian.AppendUint32(data, uint32(len(text)))
		data = append(data, text...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		add(name)
		add(a.DataType)
		if strings.HasPrefix(a.DataType, "Binary") {
			data = append(data, 2)
			add(string(a.BinaryValue))
		} else {
			data = append(data, 1)
			add(a.StringValue)
		}
	}
	return checksum(string(data))
}

func (s *Service) sendMessage(call *operation.Call, in *sendInput) (*sendOutput, error) {
	out := &sendOutput{}
	return out, s.change(call, in.QueueURL, func(tx *state.Txn, q *Queue) error {
		m, err := in.message(q, call.Principal.UserID, s.now())
		if err != nil {
			return err
		}
		if m, err = q.send(tx, m); err != nil {
			return err
		}
		*out = sent(*in, m)
		return nil
	})
}

// failure of one entry of a batch.
type failure struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

func failed(id string, err error) failure {
	f := failure{ID: id, Code: "InternalError", Message: err.Error()}
	if e, is := err.(*wire.Error); is {
		f.Code, f.Message, f.SenderFault = e.Code, e.Message, true
	}
	return f
}

type sendBatchInput struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []sendInput
}

type sendBatchOutput struct {
	Successful []sendOutput
	Failed     []failure
}

func (s *Service) sendMessageBatch(call *operation.Call, in *sendBatchInput) (*sendBatchOutput, error) {
	ids := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.ID
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	out := &sendBatchOutput{}
	return out, s.change(call, in.QueueURL, func(tx *state.Txn, q *Queue) error {
		*out = sendBatchOutput{[]sendOutput{}, []failure{}}
		for _, e := range in.Entries {
			m, err := e.message(q, call.Principal.UserID, s.now())
			if err == nil {
				m, err = q.send(tx, m)
			}
			if err != nil {
				out.Failed = append(out.Failed, failed(e.ID, err))
				continue
			}
			out.Successful = append(out.Successful, sent(e, m))
		}
		return nil
	})
}

// checkBatch has the refusals of a batch by its entries' ids.
func checkBatch(ids []string) error {
	switch {
	case len(ids) == 0:
		return refuseAs("AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest",
			"There should be at least one entry in the request.")
	case len(ids) > 10:
		return refuseAs("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest",
			"Maximum number of entries per request are 10. You have sent %d.", len(ids))
	}
	for i, id := range ids {
		if !validName.MatchString(id) {
			return refuseAs("AWS.SimpleQueueService.InvalidBatchEntryId", "InvalidBatchEntryId",
				"A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if slices.Contains(ids[:i], id) {
			return refuseAs("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
	}
	return nil
}

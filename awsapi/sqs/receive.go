package sqs

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/state"
)

const (
	maxWait     = 20 // seconds, as SQS has it
	maxReceived = 10
)

type receiveInput struct {
	QueueURL                    string `json:"QueueUrl"`
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
}

type received struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string    `json:",omitempty"`
	MessageAttributes      map[string]Attribute `json:",omitempty"`
	MD5OfMessageAttributes string               `json:",omitempty"`
}

type receiveOutput struct {
	Messages []received `json:",omitempty"`
}

func (in *receiveInput) check() error {
	for _, p := range []struct {
		name     string
		value    *int
		min, max int
	}{
		{"MaxNumberOfMessages", in.MaxNumberOfMessages, 1, maxReceived}, {"WaitTimeSeconds", in.WaitTimeSeconds, 0, maxWait},
		{"VisibilityTimeout", in.VisibilityTimeout, 0, 43200},
	} {
		if p.value != nil && (*p.value < p.min || *p.value > p.max) {
			return refuse("InvalidParameterValue", "Value %d for parameter %s is invalid. Reason: Must be >= %d and <= %d, if provided.",
				*p.value, p.name, p.min, p.max)
		}
	}
	return nil
}

// receive gives messages that are visible, and waits for some. While it waits it costs, for each change of the regional
// state, a question whether its queue has changed.
func (s *Service) receive(call *operation.Call, in *receiveInput) (*receiveOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := s.may(call, in.QueueURL); err != nil {
		return nil, err
	}
	changed, stop := s.watch()
	defer stop()
	w := &waiting{in: in}
	for {
		if err := s.State.View(func(tx *state.Txn) error { return w.look(tx, s.now()) }); err != nil {
			return nil, err
		}
		if w.ready {
			out := &receiveOutput{}
			if err := s.take(call, in, out); err != nil || len(out.Messages) > 0 {
				return out, err
			}
			w.seen = queueMarks{} // another one took it
			continue
		}
		left := w.until.Sub(s.now())
		if left <= 0 {
			return &receiveOutput{}, nil
		}
		if !w.next.IsZero() {
			left = min(left, w.next.Sub(s.now()))
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-call.Request.Context().Done():
			timer.Stop()
			return nil, call.Request.Context().Err()
		}
		timer.Stop()
	}
}

// queueMarks are those of a queue and its messages: while they are the same, only the clock can bring a message. The zero
// value is that of no queue.
type queueMarks struct{ queue, messages state.PartVersion }

// waiting is a ReceiveMessage that waits.
type waiting struct {
	in    *receiveInput
	until time.Time
	seen  queueMarks
	// ready says that a message is visible; next is when the first one will be, zero where there is none.
	ready bool
	next  time.Time
}

// look looks whether there is something to receive. It reads nothing where the queue is as it was and no message's time has
// come.
func (w *waiting) look(tx *state.Txn, now time.Time) error {
	name := nameOf(w.in.QueueURL)
	marks := queueMarks{queues.Part(name).Version(tx), messages.Part(name + "/").Version(tx)}
	if marks == w.seen && !w.until.IsZero() && (w.next.IsZero() || now.Before(w.next)) {
		w.ready = false
		return nil
	}
	q, found := queues.Get(tx, name)
	if !found {
		return noQueue()
	}
	if w.until.IsZero() {
		wait := q.seconds("ReceiveMessageWaitTimeSeconds")
		if w.in.WaitTimeSeconds != nil {
			wait = time.Duration(*w.in.WaitTimeSeconds) * time.Second
		}
		w.until = now.Add(wait)
	}
	next, any := q.nextVisible(tx, now)
	w.seen, w.next, w.ready = marks, next, any && next.IsZero()
	return nil
}

// watch tells of changes of the regional state. A state that does not tell is asked again when the time is up.
func (s *Service) watch() (changed <-chan struct{}, stop func()) {
	if w, tells := s.State.(interface {
		Watch() (<-chan struct{}, func())
	}); tells {
		return w.Watch()
	}
	return nil, func() {}
}

// nextVisible is when the first of the messages becomes visible: zero where one is. any is false where there are none.
func (q Queue) nextVisible(tx *state.Txn, now time.Time) (next time.Time, any bool) {
	for _, m := range q.messages().After(tx, "") {
		switch {
		case q.expired(m, now):
			continue
		case !m.VisibleAt.After(now):
			return time.Time{}, true
		case !any || m.VisibleAt.Before(next):
			next, any = m.VisibleAt, true
		}
	}
	return next, any
}

// take makes messages invisible, and gives them.
func (s *Service) take(call *operation.Call, in *receiveInput, out *receiveOutput) error {
	return s.change(call, in.QueueURL, func(tx *state.Txn, q *Queue) error {
		out.Messages = nil
		now, hidden := s.now(), q.seconds("VisibilityTimeout")
		if in.VisibilityTimeout != nil {
			hidden = time.Duration(*in.VisibilityTimeout) * time.Second
		}
		most := 1
		if in.MaxNumberOfMessages != nil {
			most = *in.MaxNumberOfMessages
		}
		dead, times, redriven := redrive(q.attribute("RedrivePolicy"))
		for key, m := range q.messages().After(tx, "") {
			switch {
			case len(out.Messages) == most:
				return nil
			case q.expired(m, now):
				q.drop(tx, key, m)
				continue
			case m.VisibleAt.After(now):
				continue
			case redriven && m.Received >= times && bury(tx, nameOf(dead), m, now):
				q.drop(tx, key, m)
				continue
			}
			if m.Received++; m.First.IsZero() {
				m.First = now
			}
			m.VisibleAt = now.Add(hidden)
			messages.Put(tx, key, m)
			out.Messages = append(out.Messages, in.show(key, m))
		}
		return nil
	})
}

// redrive is a redrive policy: to which queue messages go that were received how often.
func redrive(policy string) (arn string, times int, ok bool) {
	var p struct {
		Target string `json:"deadLetterTargetArn"`
		Times  any    `json:"maxReceiveCount"` // a number, or one in quotes
	}
	if json.Unmarshal([]byte(policy), &p) != nil || p.Target == "" || p.Times == nil {
		return "", 0, false
	}
	times, err := strconv.Atoi(fmt.Sprint(p.Times))
	return p.Target, times, err == nil && times > 0
}

// bury moves a message into a dead-letter queue, if that is there and not full.
func bury(tx *state.Txn, queue string, m Message, now time.Time) bool {
	q, found := queues.Get(tx, queue)
	if !found {
		return false
	}
	m.VisibleAt = now
	if _, err := q.send(tx, m); err != nil {
		return false
	}
	queues.Put(tx, q.Name, q)
	return true
}

// show is a message as its receiver sees it.
func (in *receiveInput) show(key string, m Message) received {
	r := received{MessageID: m.ID, ReceiptHandle: handle(key, m), MD5OfBody: checksum(m.Body), Body: m.Body}
	all := map[string]string{
		"SenderId": cmp.Or(m.Sender, "AIDAIENQZJOLO23YVJ4VO"), "SentTimestamp": strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.Received),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.First.UnixMilli(), 10),
	}
	names := slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)
	for name, value := range all {
		if slices.Contains(names, "All") || slices.Contains(names, name) {
			if r.Attributes == nil {
				r.Attributes = map[string]string{}
			}
			r.Attributes[name] = value
		}
	}
	for name, a := range m.Attributes {
		if slices.ContainsFunc(in.MessageAttributeNames, func(wanted string) bool {
			prefix, isPrefix := strings.CutSuffix(wanted, "*")
			return wanted == name || wanted == "All" || isPrefix && strings.HasPrefix(name, strings.TrimSuffix(prefix, "."))
		}) {
			if r.MessageAttributes == nil {
				r.MessageAttributes = map[string]Attribute{}
			}
			r.MessageAttributes[name] = a
		}
	}
	r.MD5OfMessageAttributes = attributesChecksum(r.MessageAttributes)
	return r
}

// handle is what a message is deleted by: its key, and which of its receivings it belongs to.
func handle(key string, m Message) string {
	return base64.StdEncoding.EncodeToString([]byte(key + " " + m.ID + " " + strconv.Itoa(m.Received)))
}

// handled finds a message of a queue by a handle. found is false where it is gone; count is which receiving it is of.
func (q Queue) handled(tx *state.Txn, handle string) (key string, m Message, count int, found bool, err error) {
	text, err := base64.StdEncoding.DecodeString(handle)
	fields := strings.Fields(string(text))
	if err != nil || len(fields) != 3 {
		return "", m, 0, false, refuse("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
	}
	if !strings.HasPrefix(fields[0], q.Name+"/") {
		return "", m, 0, false, refuse("ReceiptHandleIsInvalid", "The input receipt handle is not for this queue.")
	}
	m, found = messages.Get(tx, fields[0])
	count, _ = strconv.Atoi(fields[2])
	return fields[0], m, count, found && m.ID == fields[1], nil
}

package sqs

import (
	"time"

	"tripod/awsapi/operation"
	"tripod/state"
)

type handleInput struct {
	QueueURL          string `json:"QueueUrl"`
	ID                string `json:"Id"` // in a batch
	ReceiptHandle     string
	VisibilityTimeout *int
}

// delete removes a message by its handle; one that is gone is gone. The handle of an earlier receiving does it as well.
func (in handleInput) delete(tx *state.Txn, q *Queue, _ time.Time) error {
	key, m, _, found, err := q.handled(tx, in.ReceiptHandle)
	if found {
		q.drop(tx, key, m)
	}
	return err
}

// hide makes a message that was received invisible for another time.
func (in handleInput) hide(tx *state.Txn, q *Queue, now time.Time) error {
	if in.VisibilityTimeout == nil || *in.VisibilityTimeout < 0 || *in.VisibilityTimeout > 43200 {
		return refuse("InvalidParameterValue", "Value for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an "+
			"integer between 0 and 43200.")
	}
	key, m, count, found, err := q.handled(tx, in.ReceiptHandle)
	switch {
	case err != nil:
		return err
	case !found || count != m.Received || !m.VisibleAt.After(now):
		return refuseAs("AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight",
			"Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout "+
				"change.", in.ReceiptHandle)
	}
	m.VisibleAt = now.Add(time.Duration(*in.VisibilityTimeout) * time.Second)
	messages.Put(tx, key, m)
	return nil
}

func (s *Service) deleteMessage(call *operation.Call, in *handleInput) (*struct{}, error) {
	return &struct{}{}, s.change(call, in.QueueURL, func(tx *state.Txn, q *Queue) error { return in.delete(tx, q, s.now()) })
}

func (s *Service) changeVisibility(call *operation.Call, in *handleInput) (*struct{}, error) {
	return &struct{}{}, s.change(call, in.QueueURL, func(tx *state.Txn, q *Queue) error { return in.hide(tx, q, s.now()) })
}

type handleBatchInput struct {
	QueueURL string `json:"QueueUrl"`
	Entries  []handleInput
}

type success struct {
	ID string `json:"Id"`
}

type handleBatchOutput struct {
	Successful []success
	Failed     []failure
}

func (s *Service) deleteMessageBatch(call *operation.Call, in *handleBatchInput) (*handleBatchOutput, error) {
	return s.batch(call, in, handleInput.delete)
}

func (s *Service) changeVisibilityBatch(call *operation.Call, in *handleBatchInput) (*handleBatchOutput, error) {
	return s.batch(call, in, handleInput.hide)
}

func (s *Service) batch(call *operation.Call, in *handleBatchInput,
	do func(handleInput, *state.Txn, *Queue, time.Time) error) (*handleBatchOutput, error) {
	ids := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.ID
	}
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	out := &handleBatchOutput{}
	return out, s.change(call, in.QueueURL, func(tx *state.Txn, q *Queue) error {
		*out = handleBatchOutput{[]success{}, []failure{}}
		for _, e := range in.Entries {
			if err := do(e, tx, q, s.now()); err != nil {
				out.Failed = append(out.Failed, failed(e.ID, err))
			} else {
				out.Successful = append(out.Successful, success{e.ID})
			}
		}
		return nil
	})
}

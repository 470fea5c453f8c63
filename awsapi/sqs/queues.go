package sqs

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

type createInput struct {
	QueueName  string
	Attributes map[string]string
	Tags       map[string]string `json:"tags"`
}

type urlOutput struct {
	QueueURL string `json:"QueueUrl"`
}

func (s *Service) createQueue(call *operation.Call, in *createInput) (*urlOutput, error) {
	if err := s.may(call, in.QueueName); err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(in.QueueName, ".fifo"), in.Attributes["FifoQueue"] == "true":
		return nil, refuseAs("AWS.SimpleQueueService.UnsupportedOperation", "UnsupportedOperation",
			"Tripod has standard queues only: leave out FifoQueue and the suffix .fifo.")
	case !validName.MatchString(in.QueueName):
		return nil, refuse("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	if err := checkAttributes(in.Attributes); err != nil {
		return nil, err
	}
	return &urlOutput{s.url(call, in.QueueName)}, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		if q, exists := queues.Get(tx, in.QueueName); exists {
			for name, value := range in.Attributes {
				if q.attribute(name) != value {
					return refuseAs("QueueAlreadyExists", "QueueNameExists", "A queue already exists with the same name and a different value for "+
						"attribute %s", name)
				}
			}
			return nil
		}
		if !queues.Part("").Fewer(tx, maxQueues) {
			return refuse("OverLimit", "Tripod has at most %d queues.", maxQueues)
		}
		queues.Put(tx, in.QueueName, Queue{Name: in.QueueName, Attributes: in.Attributes, Tags: in.Tags, Created: s.now(),
			Modified: s.now()})
		return nil
	})
}

func checkAttributes(attributes map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		bounds, number := ranges[name]
		if number {
			if n, err := strconv.Atoi(value); err != nil || n < bounds[0] || n > bounds[1] {
				return invalidAttribute(name)
			}
		} else if !slices.Contains(others, name) && (name != "FifoQueue" || value != "false") {
			return refuse("InvalidAttributeName", "Unknown Attribute %s.", wire.Clip(name))
		}
	}
	if policy := attributes["RedrivePolicy"]; policy != "" {
		if _, _, ok := redrive(policy); !ok {
			return refuse("InvalidParameterValue", "Value %s for parameter RedrivePolicy is invalid. Reason: Redrive policy does not contain "+
				"mandatory attribute: deadLetterTargetArn or maxReceiveCount.", wire.Clip(policy))
		}
	}
	return nil
}

type getURLInput struct {
	QueueName              string
	QueueOwnerAWSAccountID string `json:"QueueOwnerAWSAccountId"`
}

func (s *Service) getURL(call *operation.Call, in *getURLInput) (*urlOutput, error) {
	return &urlOutput{s.url(call, in.QueueName)}, s.view(call, in.QueueName, func(*state.Txn, Queue) error { return nil })
}

type listInput struct {
	QueueNamePrefix string
	MaxResults      *int
	NextToken       *string
}

type listOutput struct {
	QueueURLs []string `json:"QueueUrls"`
	NextToken *string  `json:",omitempty"`
}

func (s *Service) listQueues(call *operation.Call, in *listInput) (*listOutput, error) {
	if err := s.may(call, ""); err != nil {
		return nil, err
	}
	size := 1000
	if in.MaxResults != nil {
		if size = *in.MaxResults; size < 1 || size > 1000 {
			return nil, refuse("InvalidParameterValue", "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer "+
				"between 1 and 1000")
		}
	}
	out := &listOutput{QueueURLs: []string{}}
	return out, s.State.View(func(tx *state.Txn) error {
		page, next, ok := wire.Page("ListQueues"+in.QueueNamePrefix, size, in.NextToken, queues.Under(tx, in.QueueNamePrefix),
			func(q Queue) string { return q.Name })
		if !ok {
			return refuse("InvalidParameterValue", "Invalid or expired next token.")
		}
		for _, q := range page {
			out.QueueURLs = append(out.QueueURLs, s.url(call, q.Name))
		}
		if in.MaxResults != nil { // without it SQS gives the first thousand, and no token
			out.NextToken = next
		}
		return nil
	})
}

type queueInput struct {
	QueueURL string `json:"QueueUrl"`
}

// deleteQueue removes a queue with its messages.
func (s *Service) deleteQueue(call *operation.Call, in *queueInput) (*struct{}, error) {
	return &struct{}{}, s.remove(call, in.QueueURL, func(tx *state.Txn, q Queue) { queues.Delete(tx, q.Name) })
}

func (s *Service) purgeQueue(call *operation.Call, in *queueInput) (*struct{}, error) {
	return &struct{}{}, s.remove(call, in.QueueURL, func(tx *state.Txn, q Queue) {
		q.Bytes = 0
		queues.Put(tx, q.Name, q)
	})
}

func (s *Service) remove(call *operation.Call, url string, then func(*state.Txn, Queue)) error {
	if err := s.may(call, url); err != nil {
		return err
	}
	return s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		q, found := queues.Get(tx, nameOf(url))
		if !found {
			return noQueue()
		}
		for key := range q.messages().KeysAfter(tx, "") {
			messages.Delete(tx, key)
		}
		then(tx, q)
		return nil
	})
}

type getAttributesInput struct {
	QueueURL       string `json:"QueueUrl"`
	AttributeNames []string
}

type attributesOutput struct {
	Attributes map[string]string `json:",omitempty"`
}

func (s *Service) getAttributes(call *operation.Call, in *getAttributesInput) (*attributesOutput, error) {
	out := &attributesOutput{}
	return out, s.view(call, in.QueueURL, func(tx *state.Txn, q Queue) error {
		out.Attributes = map[string]string{}
		all := s.attributes(tx, q)
		for _, name := range in.AttributeNames {
			value, has := all[name]
			switch {
			case name == "All":
				maps.Copy(out.Attributes, all)
			case has:
				out.Attributes[name] = value
			case !slices.Contains(others, name) && ranges[name] == [2]int{} && !slices.Contains(ofFIFO, name):
				return refuse("InvalidAttributeName", "Unknown Attribute %s.", wire.Clip(name))
			}
		}
		return nil
	})
}

// ofFIFO are attributes that only FIFO queues have.
var ofFIFO = []string{"FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"}

// attributes are a queue's, with the counts of its messages.
func (s *Service) attributes(tx *state.Txn, q Queue) map[string]string {
	now := s.now()
	visible, inFlight, delayed := 0, 0, 0
	for _, m := range q.messages().After(tx, "") {
		switch {
		case q.expired(m, now):
		case !m.VisibleAt.After(now):
			visible++
		case m.Received > 0:
			inFlight++
		default:
			delayed++
		}
	}
	all := maps.Clone(defaults)
	maps.Copy(all, q.Attributes)
	maps.Copy(all, map[string]string{
		"QueueArn": s.arn(q.Name), "CreatedTimestamp": unix(q.Created), "LastModifiedTimestamp": unix(q.Modified),
		"ApproximateNumberOfMessages": strconv.Itoa(visible), "ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed": strconv.Itoa(delayed),
	})
	return all
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

type setAttributesInput struct {
	QueueURL   string `json:"QueueUrl"`
	Attributes map[string]string
}

func (s *Service) setAttributes(call *operation.Call, in *setAttributesInput) (*struct{}, error) {
	if err := checkAttributes(in.Attributes); err != nil {
		return nil, err
	}
	return &struct{}{}, s.change(call, in.QueueURL, func(_ *state.Txn, q *Queue) error {
		if q.Attributes == nil {
			q.Attributes = map[string]string{}
		}
		for name, value := range in.Attributes {
			if q.Attributes[name] = value; value == "" { // that is how a policy is taken away
				delete(q.Attributes, name)
			}
		}
		q.Modified = s.now()
		return nil
	})
}

type tagsInput struct {
	QueueURL string `json:"QueueUrl"`
	Tags     map[string]string
	TagKeys  []string
}

type tagsOutput struct {
	Tags map[string]string `json:",omitempty"`
}

func (s *Service) tagQueue(call *operation.Call, in *tagsInput) (*struct{}, error) {
	return &struct{}{}, s.change(call, in.QueueURL, func(_ *state.Txn, q *Queue) error {
		if q.Tags == nil {
			q.Tags = map[string]string{}
		}
		maps.Copy(q.Tags, in.Tags)
		return nil
	})
}

func (s *Service) untagQueue(call *operation.Call, in *tagsInput) (*struct{}, error) {
	return &struct{}{}, s.change(call, in.QueueURL, func(_ *state.Txn, q *Queue) error {
		for _, key := range in.TagKeys {
			delete(q.Tags, key)
		}
		return nil
	})
}

func (s *Service) listTags(call *operation.Call, in *tagsInput) (*tagsOutput, error) {
	out := &tagsOutput{}
	return out, s.view(call, in.QueueURL, func(_ *state.Txn, q Queue) error {
		out.Tags = q.Tags
		return nil
	})
}

package wire

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/smithy-go"
)

// EventStream is an answer of the JSON protocols that goes on: messages in AWS's encoding ("Amazon Event Stream specification"
// of Smithy). Its owner writes from one goroutine.
type EventStream struct {
	Writer http.ResponseWriter
	// Patience is how long a message may take to be taken.
	Patience time.Duration

	encoder *eventstream.Encoder
}

// Begin writes the answer's head and the message with which it begins: the output without its stream. The request's own time
// limit ends with it.
func (s *EventStream) Begin() error {
	s.encoder = eventstream.NewEncoder()
	// A connection without deadlines, as tests have it, has no limit either.
	_ = http.NewResponseController(s.Writer).SetReadDeadline(time.Time{})
	s.Writer.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	s.Writer.WriteHeader(http.StatusOK)
	return s.write("event", ":event-type", "initial-response", []byte("{}"))
}

// Event writes a member of the stream with that name.
func (s *EventStream) Event(name string, shape smithy.Serializable) error {
	payload, err := Encode(shape)
	if err != nil {
		return err
	}
	return s.write("event", ":event-type", name, payload)
}

// Exception writes the exception with which the stream ends.
func (s *EventStream) Exception(exception Exception) error {
	payload, err := Encode(exception)
	if err != nil {
		return err
	}
	return s.write("exception", ":exception-type", exception.ErrorCode(), payload)
}

func (s *EventStream) write(kind, header, name string, payload []byte) error {
	message := eventstream.Message{Payload: payload}
	for _, one := range [][2]string{{":message-type", kind}, {header, name}, {":content-type", "application/json"}} {
		message.Headers.Set(one[0], eventstream.StringValue(one[1]))
	}
	control := http.NewResponseController(s.Writer)
	_ = control.SetWriteDeadline(time.Now().Add(s.Patience))
	if err := s.encoder.Encode(s.Writer, message); err != nil {
		return err
	}
	return control.Flush()
}

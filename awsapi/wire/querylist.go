package wire

import "encoding/xml"

// QueryList is a list of the query protocol: an element that is there even where it is empty, of elements named member.
type QueryList[T any] []T

// MarshalXML implements xml.Marshaler.
func (l QueryList[T]) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(struct {
		Members []T `xml:"member"`
	}{l}, start)
}

// QueryOf makes an action of a function: it fills the input from the call's parameters, and asks for the service's permission of the operation's name
// on all resources.
func QueryOf[In, Out any](service string, run func(*Call, *In) (*Out, error)) QueryAction {
	return func(call *Call) (any, error) {
		in := new(In)
		if err := DecodeQuery(call.Params, in); err != nil {
			return nil, err
		}
		if err := call.Authorize(Query, service+":"+call.Operation, "*"); err != nil {
			return nil, err
		}
		return run(call, in)
	}
}

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

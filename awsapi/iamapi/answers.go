package iamapi

import (
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"strings"
	"time"

	"tripod/awsapi/wire"
)

// list is a list of the query protocol: an element that is there even where it is empty, of elements named member.
type list[T any] []T

// MarshalXML writes the list.
func (l list[T]) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(struct {
		Members []T `xml:"member"`
	}{l}, start)
}

// stamp is a time as IAM writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// encoded is a policy document as IAM writes it: percent-encoded after RFC 3986.
func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

const (
	defaultItems = 100
	maxItems     = 1000
)

// paging is what inputs of lists have.
type paging struct {
	Marker   string
	MaxItems *int
}

// pageEnd is what answers of lists have.
type pageEnd struct {
	IsTruncated bool
	Marker      string `xml:",omitempty" json:",omitempty"`
}

// page cuts one page out of items, which are sorted by key: those behind the marker's key, so that what is made or deleted meanwhile
// neither repeats nor hides others. A marker is good for the operation that gave it.
func page[T any](call *wire.Call, in paging, items []T, key func(T) string) (list[T], pageEnd, error) {
	size := defaultItems
	if in.MaxItems != nil {
		size = *in.MaxItems
	}
	if size < 1 || size > maxItems {
		return nil, pageEnd{}, invalid("MaxItems must be a number from 1 to %d.", maxItems)
	}
	if in.Marker != "" {
		text, err := base64.RawURLEncoding.DecodeString(in.Marker)
		operation, last, found := strings.Cut(string(text), "\n")
		if err != nil || !found || operation != call.Operation {
			return nil, pageEnd{}, invalid("Marker is not one that %s gave: start without it.", call.Operation)
		}
		for len(items) > 0 && key(items[0]) <= last {
			items = items[1:]
		}
	}
	if len(items) <= size {
		return items, pageEnd{}, nil
	}
	marker := base64.RawURLEncoding.EncodeToString([]byte(call.Operation + "\n" + key(items[size-1])))
	return items[:size], pageEnd{IsTruncated: true, Marker: marker}, nil
}

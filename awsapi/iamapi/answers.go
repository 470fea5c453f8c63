package iamapi

import (
	"encoding/base64"
	"encoding/xml"
	"iter"
	"net/url"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/state"
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

const defaultItems = 100

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

// page cuts one page out of items, which are sorted by key. See pageOf.
func page[T any](call *operation.Call, in paging, items []T, key func(T) string) (list[T], pageEnd, error) {
	return pageOf(call, in, func(after string) iter.Seq2[string, T] {
		return func(yield func(string, T) bool) {
			for _, item := range items {
				if at := key(item); at > after && !yield(at, item) {
					return
				}
			}
		}
	}, func(T) bool { return true })
}

// pageOf is one page of the items that are wanted: those behind the marker's key, so that what is made or deleted
// meanwhile neither repeats nor hides others. A marker is good for the operation that gave it. from gives the items
// behind a key, sorted by their keys; it is read no further than the page needs.
func pageOf[T any](call *operation.Call, in paging, from func(after string) iter.Seq2[string, T],
	wanted func(T) bool) (list[T], pageEnd, error) {
	size := defaultItems
	if in.MaxItems != nil {
		size = *in.MaxItems
	}
	after, last := "", ""
	if in.Marker != "" {
		text, err := base64.RawURLEncoding.DecodeString(in.Marker)
		operation, key, found := strings.Cut(string(text), "\n")
		if err != nil || !found || operation != call.Operation {
			return nil, pageEnd{}, invalid("Marker is not one that %s gave: start without it.", call.Operation)
		}
		after = key
	}
	var items []T
	for key, item := range from(after) {
		switch {
		case !wanted(item):
			continue
		case len(items) == size:
			marker := base64.RawURLEncoding.EncodeToString([]byte(call.Operation + "\n" + last))
			return items, pageEnd{IsTruncated: true, Marker: marker}, nil
		}
		items, last = append(items, item), key
	}
	return items, pageEnd{}, nil
}

// from gives pageOf the records of a part.
func from[T any](tx *state.Txn, part state.Part[T]) func(after string) iter.Seq2[string, T] {
	return func(after string) iter.Seq2[string, T] { return part.After(tx, after) }
}

// described is how a page of records is answered.
func described[Record, Shown any](records []Record, describe func(Record) Shown) list[Shown] {
	var shown list[Shown]
	for _, record := range records {
		shown = append(shown, describe(record))
	}
	return shown
}

// underPath wants those with a path that begins so.
func underPath[T any](prefix string, pathOf func(T) string) func(T) bool {
	return func(one T) bool { return strings.HasPrefix(pathOf(one), prefix) }
}

package logstore

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
)

// Event is one log event as it was written.
type Event struct {
	Time    int64  `json:"t"` // milliseconds since 1970
	Message string `json:"m"`
}

// Found is an event and where it stands.
type Found struct {
	Event
	Key      Key
	Stream   string
	Ingested int64 // milliseconds since 1970
}

// batch is a line of a journal: events that were written together, and so are there together or not at all.
type batch struct {
	Ingested int64           `json:"in"`
	Mark     json.RawMessage `json:"mark,omitempty"` // how far the writer has read its source with these events
	Events   []Event         `json:"ev"`
}

// Key is an event's place in the order in which events are read: by time, and among those of a millisecond always the
// same, in every zone.
type Key struct {
	Time   int64
	Stream uint64 // from the stream's id, below 1e15
	Zone   int    // whose journal it stands in
	Offset int64  // of the batch
	Index  int    // in the batch
}

// keyWidths are how many digits each part of a key has as text: 56 in all, as CloudWatch's event ids have.
var keyWidths = [...]int{14, 15, 1, 18, 8}

// The largest that a key's parts may be.
const mostStream, mostZone, mostOffset, mostIndex = 1e15 - 1, 9, 1e18 - 1, 1e8 - 1

// Compare orders keys.
func (k Key) Compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Time, other.Time), cmp.Compare(k.Stream, other.Stream), cmp.Compare(k.Zone, other.Zone),
		cmp.Compare(k.Offset, other.Offset), cmp.Compare(k.Index, other.Index))
}

// String is the key as digits, which order as the keys do.
func (k Key) String() string {
	return fmt.Sprintf("%014d%015d%d%018d%08d", k.Time, k.Stream, k.Zone, k.Offset, k.Index)
}

// ParseKey reads what String wrote.
func ParseKey(text string) (Key, bool) {
	var parts [len(keyWidths)]int64
	for i, width := range keyWidths {
		if len(text) < width {
			return Key{}, false
		}
		number, err := strconv.ParseUint(text[:width], 10, 63)
		if err != nil {
			return Key{}, false
		}
		parts[i], text = int64(number), text[width:]
	}
	return Key{Time: parts[0], Stream: uint64(parts[1]), Zone: int(parts[2]), Offset: parts[3], Index: int(parts[4])},
		text == ""
}

// streamNumber is the part of a stream's id, hexadecimal digits, that stands in its events' keys.
func streamNumber(stream string) uint64 {
	number, _ := strconv.ParseUint(stream[:min(len(stream), 12)], 16, 64) // below 2^48
	return number
}

package state

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/hashicorp/raft"
)

// snapshot is the whole store as it is written to disk and sent to a voter that lags far behind: JSON of
//
//	{"schema": 2, "index": 7, "outcomes": [OUTCOME],
//	 "tables": {"KIND": {"revision": 7, "records": {"KEY": {"revision": 7, "value": RECORD}}}}}
//
// with the outcomes that are remembered, oldest first.
type snapshot struct {
	version  *version
	outcomes []outcome
}

func (s *store) snapshot() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := &snapshot{version: s.load()}
	for _, id := range s.order {
		snap.outcomes = append(snap.outcomes, s.outcomes[id])
	}
	return snap
}

// Persist writes the snapshot.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.write(sink); err != nil {
		sink.Cancel()
		return fmt.Errorf("write the regional state's snapshot: %w", err)
	}
	return sink.Close()
}

// Release has nothing to do.
func (s *snapshot) Release() {}

// write writes record by record: a text of all of them would take more memory than the state.
func (s *snapshot) write(to io.Writer) error {
	w := bufio.NewWriter(to)
	var failure error
	text := func(value any) []byte {
		text, err := json.Marshal(value)
		if failure == nil {
			failure = err
		}
		return text
	}
	fmt.Fprintf(w, `{"schema":%d,"index":%d,"tables":{`, schemaVersion, s.version.index)
	for i, kind := range slices.Sorted(maps.Keys(s.version.tables)) {
		t := s.version.tables[kind]
		fmt.Fprintf(w, `%s%s:{"revision":%d,"records":{`, comma(i), text(kind), t.revision)
		written := 0
		for key, rec := range within(t.records, "", "") {
			fmt.Fprintf(w, `%s%s:{"revision":%d,"value":%s}`, comma(written), text(key), rec.Revision, rec.Value)
			written++
		}
		w.WriteString("}}")
	}
	fmt.Fprintf(w, `},"outcomes":%s}`+"\n", text(s.outcomes))
	if failure != nil {
		return failure
	}
	return w.Flush()
}

// comma stands before the i-th thing of a list.
func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// restore replaces the store's content by a snapshot's, of this schema or an older one.
func (s *store) restore(r io.Reader) error {
	var snap struct {
		Schema int    `json:"schema"`
		Index  uint64 `json:"index"`
		Tables map[string]struct {
			Revision uint64            `json:"revision"`
			Records  map[string]record `json:"records"`
		} `json:"tables"`
		Outcomes []outcome `json:"outcomes"`
	}
	if err := json.NewDecoder(r).Decode(&snap); err != nil {
		return fmt.Errorf("read the regional state's snapshot: %w", err)
	}
	if snap.Schema > schemaVersion {
		return fmt.Errorf("the snapshot of the regional state was written by a newer Tripod "+
			"(schema %d, this one knows %d): use that Tripod", snap.Schema, schemaVersion)
	}
	next := &version{schema: s.schema, index: snap.Index, tables: map[string]*table{}}
	for kind, stored := range snap.Tables {
		t := s.schema.newTable(kind)
		t.revision = stored.Revision
		for key, rec := range stored.Records {
			t.put(key, rec)
		}
		next.tables[kind] = t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if next.index < s.load().index {
		return nil // a voter that comes back reads its own, and has had what followed
	}
	s.outcomes, s.order = map[string]outcome{}, nil
	for _, out := range snap.Outcomes {
		s.remember(out)
	}
	s.become(next, true)
	return nil
}

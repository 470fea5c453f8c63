package logs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"tripod/state"
)

// group is a log group's record, by name.
type group struct {
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
	// Retention is how many days events are kept; 0 means for ever, as far as there is room.
	Retention int32             `json:"retention,omitempty"`
	Class     string            `json:"class,omitempty"` // empty means STANDARD
	KMSKeyID  string            `json:"kmsKeyId,omitempty"`
	Protected bool              `json:"protected,omitempty"` // against deletion
	Tags      map[string]string `json:"tags,omitempty"`
	// Subscriptions are the subscription filters in the order of their names.
	Subscriptions []subscription `json:"subscriptions,omitempty"`
	// MetricFilters are the metric filters in the order of their names.
	MetricFilters []metricFilter `json:"metricFilters,omitempty"`
	// Policy is the group's own resource policy.
	Policy *resourcePolicy `json:"policy,omitempty"`
}

// stream is a log stream's record, by GROUP:NAME. Names of groups hold no colon.
type stream struct {
	ID        string    `json:"id"` // 32 hex digits: of its events. A stream that is made anew has another one
	Group     string    `json:"group"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
}

// dropped is what is left of a deleted stream until every zone has deleted its events. A missing record would not do: a
// zone's copy of the state may be old.
type dropped struct {
	ID string `json:"id"`
	// Zones are those that have deleted them.
	Zones []string `json:"zones,omitempty"`
}

var (
	groups    = state.NewTable[group]("log-group")
	streams   = state.NewTable[stream]("log-stream")
	streamIDs = state.NewTable[string]("log-stream-id") // the key in streams, by id
	drops     = state.NewTable[dropped]("log-dropped")  // by id
)

func streamKey(group, name string) string { return group + ":" + name }

// newStreamID is a stream's id.
func newStreamID() string {
	var random [16]byte
	rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// addStream makes a stream in a group that exists.
func addStream(tx *state.Txn, group, name, id string, now time.Time) stream {
	made := stream{ID: id, Group: group, Name: name, CreatedAt: now}
	streams.Put(tx, streamKey(group, name), made)
	streamIDs.Put(tx, id, streamKey(group, name))
	return made
}

// removeStream deletes a stream; the zones delete its events when they learn of it.
func removeStream(tx *state.Txn, s stream) {
	streams.Delete(tx, streamKey(s.Group, s.Name))
	streamIDs.Delete(tx, s.ID)
	drops.Put(tx, s.ID, dropped{ID: s.ID})
}

// Exists says whether there is a stream with that id, as logstore asks it.
func Exists(store state.Viewer, id string) bool {
	found := false
	store.View(func(tx *state.Txn) error {
		_, found = streamIDs.Get(tx, id)
		return nil
	})
	return found
}

// Ensure makes the stream, and its group, if they are not there, and returns the stream's id: for what AWS's own
// services write.
func Ensure(ctx context.Context, store state.Updater, groupName, name string, now time.Time) (id string, err error) {
	store.View(func(tx *state.Txn) error {
		known, _ := streams.Get(tx, streamKey(groupName, name))
		id = known.ID
		return nil
	})
	if id != "" {
		return id, nil
	}
	fresh := newStreamID()
	err = store.Update(ctx, func(tx *state.Txn) error {
		if _, found := groups.Get(tx, groupName); !found {
			groups.Put(tx, groupName, group{Name: groupName, CreatedAt: now})
		}
		known, found := streams.Get(tx, streamKey(groupName, name))
		if !found {
			known = addStream(tx, groupName, name, fresh, now)
		}
		id = known.ID
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("make log stream %s of %s: %w", name, groupName, err)
	}
	return id, nil
}

// inGroup are the group's streams in the order of their names.
func inGroup(tx *state.Txn, group string) []stream {
	return streams.Under(tx, streamKey(group, ""))
}

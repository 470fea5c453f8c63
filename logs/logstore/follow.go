package logstore

import (
	"errors"
	"io/fs"
)

// Follow calls fn for each event of the stream that this zone's copy has behind the places, which are by zone, and moves the
// places behind them: whoever keeps the places sees each event once, in the order in which its zone wrote it. What was deleted
// before it was read is passed over.
func (s *Store) Follow(stream string, places map[string]int64, fn func(Event)) error {
	for _, j := range s.journalsOf(stream) {
		for {
			lines, at, err := j.chunk(places[j.zone], chunkSize)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it went this moment, as the oldest
			}
			if err != nil {
				return err
			}
			if len(lines) == 0 {
				break
			}
			batches(lines, at, func(_ int64, b batch) bool {
				for _, e := range b.Events {
					fn(e)
				}
				return true
			})
			places[j.zone] = at + int64(len(lines))
		}
	}
	return nil
}

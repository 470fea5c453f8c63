package logstore

// Follow calls fn for each event of the stream that this zone's copy has behind the places, which are by zone, and moves the
// places behind them: whoever keeps the places sees each event once, in the order in which its zone wrote it. What was deleted
// before it was read is passed over.
func (s *Store) Follow(stream string, places map[string]int64, fn func(Event)) error {
	for _, j := range s.journalsOf(stream) {
		place, err := j.follow(places[j.zone], func(_ int64, b batch) bool {
			for _, e := range b.Events {
				fn(e)
			}
			return true
		})
		places[j.zone] = place
		if err != nil {
			return err
		}
	}
	return nil
}

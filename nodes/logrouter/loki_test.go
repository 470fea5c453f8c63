package logrouter

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// limited is a Loki that takes requests up to a size, and tells which lines it got, in order.
func limited(t *testing.T, most, status int) (l Loki, got func() []string) {
	var mu sync.Mutex
	var lines []string
	l = Loki{Cluster: "demo", Calls: http.DefaultClient, URL: served(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		if len(body) > most {
			w.WriteHeader(status)
			return
		}
		var push struct{ Streams []lokiStream }
		if err := json.Unmarshal(body, &push); err != nil {
			panic(err)
		}
		for _, s := range push.Streams {
			for _, value := range s.Values {
				lines = append(lines, value[1])
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})}
	return l, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(lines)
	}
}

// What Loki's parts cannot give each other is answered like a failure that passes.
func TestPushesToLokiAreBounded(t *testing.T) {
	l, got := limited(t, mostPush+mostPush/16, http.StatusInternalServerError)
	var texts []string
	for i := range 60 {
		texts = append(texts, strings.Repeat(string(rune('A'+i)), 100_000))
	}
	records := recordsOf(texts...)
	for i := range records {
		if i%3 == 0 {
			records[i].body.Stream = "stderr"
		}
	}
	if err := l.Send(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	lines := got()
	slices.Sort(lines)
	if !slices.Equal(lines, texts) {
		t.Errorf("%d of %d lines came", len(lines), len(texts))
	}
}

func TestLokiTakesHalvesOfWhatIsTooLarge(t *testing.T) {
	l, got := limited(t, 2000, http.StatusRequestEntityTooLarge)
	records := recordsOf("a", "b", strings.Repeat("x", 3000), "c", strings.Repeat("y", 1500), "d", strings.Repeat("z", 1500))
	records[3].body.Stream = "stderr"
	var refused *Refused
	if err := l.Send(t.Context(), records); !errors.As(err, &refused) || refused.Records != 1 {
		t.Errorf("of an entry that is too large: %v", err)
	}
	lines := got()
	slices.Sort(lines)
	if !slices.Equal(lines, []string{"a", "b", "c", "d", records[4].body.Log, records[6].body.Log}) {
		t.Errorf("%d lines came", len(lines))
	}
}

package logrouter

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"tripod/nodes/podlogs"
)

// Equal lines of one time are told apart by their place in the log, wherever batches are cut.
func TestEqualLinesOfOneTimeAreDocumentsEach(t *testing.T) {
	x := &indexes{there: map[string]map[string]any{}}
	e := &Elasticsearch{URL: served(t, x.ServeHTTP), Prefix: "shop", Calls: http.DefaultClient}
	w := newWorld(t, e)
	lines := slices.Repeat([]podlogs.Line{{At: time.Unix(1, 0), Text: "x"}, {At: time.Unix(1, 0), Text: "y"}}, 3)
	if err := w.files.Write(logOf("web"), lines); err != nil {
		t.Fatal(err)
	}
	r := &Router{Node: "n1", Files: w.files, Logger: slog.New(slog.DiscardHandler), Describe: func(podlogs.Name, *Kubernetes) {}}
	batch := func(read int) []Record {
		at := podlogs.Position{At: time.Unix(1, 0), Same: read}
		if read == 0 {
			at = podlogs.Position{}
		}
		sources := map[podlogs.Name]*source{}
		r.open(sources, map[string]podlogs.Position{logOf("web").File(): at}, logOf("web"))
		records, _ := r.gather(sources)
		for _, s := range sources {
			s.tail.Close()
		}
		return records
	}
	for i, records := range [][]Record{batch(0)[:3], batch(3), batch(0), batch(1), batch(4)} {
		if err := e.Send(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		if want := []int{3, 6, 6, 6, 6}[i]; len(x.there) != want {
			t.Errorf("after batch %d: %d documents, not %d: %s", i, len(x.there), want, fmt.Sprint(x.there))
		}
	}
}

package logrouter

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tripod/nodes/podlogs"
)

// recordsOf are lines of the pod web with a label that has a dot.
func recordsOf(texts ...string) (records []Record) {
	about := describe(logOf("web"), "n1")
	about.Labels = map[string]string{"app": "shop", "app.kubernetes.io/name": "shop"}
	for i, text := range texts {
		at := time.Date(2026, 11, 29, 23, 59, 59, 0, time.UTC).Add(time.Duration(i) * time.Second)
		records = append(records, record(podlogs.Line{At: at, Text: text}, "application.web", &about))
	}
	return records
}

// served is a server's URL, until the test ends.
func served(t *testing.T, handler http.HandlerFunc) *url.URL {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// indexes are those of an Elasticsearch, as far as a router writes them.
type indexes struct {
	mu        sync.Mutex
	templates []string
	there     map[string]map[string]any // by index and id
	full      int                       // so many documents are refused as 429 is
	most      int                       // bytes of a request; 0: any
	away      bool
}

func (x *indexes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	switch {
	case x.away:
		w.WriteHeader(http.StatusServiceUnavailable)
	case x.most > 0 && len(body) > x.most:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	case r.Method == http.MethodPut && r.URL.Path == "/_index_template/shop":
		if !json.Valid(body) || r.URL.Query().Get("create") != "true" {
			panic(string(body))
		}
		if x.templates = append(x.templates, string(body)); len(x.templates) > 1 {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":{"reason":"index template [shop] already exists"}}`)
		}
	case r.Method == http.MethodPost && r.URL.Path == "/_bulk" && r.Header.Get("Content-Type") == "application/x-ndjson":
		x.bulk(w, bytes.Split(bytes.TrimSpace(body), []byte("\n")))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (x *indexes) bulk(w http.ResponseWriter, lines [][]byte) {
	var items []any
	failed := false
	for i := 0; i < len(lines); i += 2 {
		var order struct {
			Create struct {
				Index string `json:"_index"`
				ID    string `json:"_id"`
			}
		}
		var document map[string]any
		if json.Unmarshal(lines[i], &order) != nil || json.Unmarshal(lines[i+1], &document) != nil {
			panic(string(lines[i]) + string(lines[i+1]))
		}
		key, status := order.Create.Index+"/"+order.Create.ID, http.StatusCreated
		processed, _ := document["log_processed"].(map[string]any)
		_, isObject := processed["level"].(map[string]any)
		about := document["kubernetes"].(map[string]any)
		labels, _ := about["labels"].(map[string]any)
		annotations, _ := about["annotations"].(map[string]any)
		switch {
		case x.there[key] != nil:
			status = http.StatusConflict
		case isObject || document["log"] == "poison" || labels["bad"] != nil || annotations["bad"] != nil:
			status = http.StatusBadRequest
		case x.full > 0:
			x.full--
			status = http.StatusTooManyRequests
		default:
			x.there[key] = document
		}
		failed = failed || status != http.StatusCreated
		items = append(items, map[string]any{"create": map[string]any{"status": status,
			"error": map[string]string{"type": "document_parsing_exception", "reason": "failed"}}})
	}
	json.NewEncoder(w).Encode(map[string]any{"errors": failed, "items": items})
}

func TestElasticsearchHasAnIndexOfEachDay(t *testing.T) {
	x := &indexes{there: map[string]map[string]any{}}
	e := &Elasticsearch{URL: served(t, x.ServeHTTP), Prefix: "shop", Calls: http.DefaultClient}
	for range 2 { // what is sent again is there once
		if err := e.Send(t.Context(), recordsOf("a", "b", "b")); err != nil {
			t.Fatal(err)
		}
	}
	days := map[string]int{}
	for key, document := range x.there {
		index, _, _ := strings.Cut(key, "/")
		days[index]++
		labels := document["kubernetes"].(map[string]any)["labels"].(map[string]any)
		if labels["app"] != "shop" || labels["app_kubernetes_io/name"] != "shop" || document["@timestamp"] != document["time"] {
			t.Errorf("%v", document)
		}
	}
	if days["shop-2026.11.29"] != 1 || days["shop-2026.11.30"] != 2 || len(x.there) != 3 {
		t.Errorf("%v of %v", days, x.there)
	}
	same := append(recordsOf("a"), recordsOf("a")...)
	same[0].same, same[1].same = 1, 2
	if err := (&Elasticsearch{URL: e.URL, Prefix: "shop", Calls: http.DefaultClient}).Send(t.Context(), same); err != nil {
		t.Fatal(err)
	}
	if len(x.there) != 4 || len(x.templates) != 2 || !strings.Contains(x.templates[0], `"index_patterns":["shop-*"]`) {
		t.Errorf("two lines that say the same at the same time: %d documents; templates %v", len(x.there), x.templates)
	}
}

func TestWhatAnIndexRefusesIsCountedAndWhatItHasNoRoomForIsSentAgain(t *testing.T) {
	x := &indexes{there: map[string]map[string]any{}, full: 1}
	e := &Elasticsearch{URL: served(t, x.ServeHTTP), Prefix: "shop", Calls: http.DefaultClient}
	records := recordsOf("a", "b", "poison", `{"level":{"not":"a text"}}`)
	if err := e.Send(t.Context(), records); err == nil || !strings.Contains(err.Error(), "status 429") {
		t.Errorf("of an index that is full: %v", err)
	}
	var refused *Refused
	if err := e.Send(t.Context(), records); !errors.As(err, &refused) || refused.Records != 1 ||
		!strings.Contains(err.Error(), "index shop-*: document_parsing_exception") {
		t.Errorf("of a document that is refused: %v", err)
	}
	if len(x.there) != 3 {
		t.Errorf("there are %v", x.there)
	}
	x.away = true
	if err := e.Send(t.Context(), records); err == nil || errors.As(err, &refused) && refused.Records == 0 {
		t.Errorf("of what is away: %v", err)
	}
	x.away, x.most = false, 2000
	if err := e.Send(t.Context(), recordsOf(slices.Repeat([]string{"many"}, 50)...)); err != nil || len(x.there) != 53 {
		t.Errorf("in requests that are small enough: %v, %d documents", err, len(x.there))
	}
	if err := e.Send(t.Context(), recordsOf(strings.Repeat("x", 5000))); !errors.As(err, &refused) || refused.Records != 1 {
		t.Errorf("of a line that is too long: %v", err)
	}
}

// One pod's label must not say of what type the others' are.
func TestALabelThatLooksLikeADateIsAText(t *testing.T) {
	var made struct {
		Priority int
		Template struct {
			Mappings struct {
				Dates      *bool `json:"date_detection"`
				Properties struct {
					Stream     map[string]string
					Kubernetes struct{ Properties map[string]map[string]string }
				}
			}
		}
	}
	if err := json.Unmarshal(fmt.Appendf(nil, template, "shop-*"), &made); err != nil {
		t.Fatal(err)
	}
	mappings := made.Template.Mappings
	if made.Priority <= 500 || mappings.Dates == nil || *mappings.Dates || mappings.Properties.Stream["type"] != "keyword" {
		t.Errorf("%+v", made)
	}
	names, err := json.Marshal(Kubernetes{DockerID: "x", ContainerHash: "x", ContainerImage: "x"})
	var all map[string]any
	if err != nil || json.Unmarshal(names, &all) != nil || len(all) != 8 {
		t.Fatal(all, err)
	}
	for name := range all {
		if mappings.Properties.Kubernetes.Properties[name]["type"] != "keyword" {
			t.Errorf("%s has no type of its own", name)
		}
	}
}

func TestWhatAnIndexRefusesIsSentWithoutLabels(t *testing.T) {
	x := &indexes{there: map[string]map[string]any{}}
	e := &Elasticsearch{URL: served(t, x.ServeHTTP), Prefix: "shop", Calls: http.DefaultClient}
	records := append(recordsOf("a"), recordsOf("b")...)
	records[0].body.Kubernetes.Labels["bad"] = "x"
	records[1].body.Kubernetes.Annotations = map[string]string{"bad": "x"}
	if err := e.Send(t.Context(), records); err != nil || len(x.there) != 2 || records[0].body.Kubernetes.Labels["bad"] != "x" {
		t.Errorf("%v: %v", err, x.there)
	}
}

func TestRequestsAreSignedWhereThatIsAskedFor(t *testing.T) {
	var mu sync.Mutex
	var got []string
	e := &Elasticsearch{Prefix: "shop", Calls: http.DefaultClient, URL: served(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Header.Get("Authorization")+" "+fmt.Sprint(len(body)))
		io.WriteString(w, `{"errors":false}`)
	}), Sign: func(_ context.Context, r *http.Request, body []byte) error {
		r.Header.Set("Authorization", fmt.Sprint(len(body)))
		return nil
	}}
	if err := e.Send(t.Context(), recordsOf("a")); err != nil {
		t.Fatal(err)
	}
	for _, one := range got {
		if a, b, _ := strings.Cut(one, " "); a != b || len(got) != 2 {
			t.Errorf("%q", got)
		}
	}
}

func TestLokiHasAStreamOfEachContainer(t *testing.T) {
	type push struct{ Streams []lokiStream }
	var mu sync.Mutex
	var pushes []push
	refuse, status := "", http.StatusNoContent
	l := Loki{Cluster: "demo", Calls: http.DefaultClient, URL: served(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var one push
		if err := json.NewDecoder(r.Body).Decode(&one); err != nil || r.URL.Path != "/loki/api/v1/push" {
			panic(fmt.Sprint(r.URL.Path, err))
		}
		for _, s := range one.Streams {
			if refuse != "" && s.Stream["stream"] == refuse {
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, "entry too far behind")
				return
			}
		}
		pushes = append(pushes, one)
		w.WriteHeader(status)
	})}
	records := recordsOf("b", "a")
	slices.Reverse(records)
	bad := recordsOf("error")[0]
	bad.body.Stream = "stderr"
	if err := l.Send(t.Context(), append(records, bad)); err != nil || len(pushes) != 1 || len(pushes[0].Streams) != 2 {
		t.Fatalf("%v: %v", err, pushes)
	}
	first := pushes[0].Streams[0]
	if fmt.Sprint(first.Stream) != "map[cluster:demo container:app job:fluent-bit namespace:shop node:n1 pod:web stream:stdout]" ||
		len(first.Values) != 2 || first.Values[0] != [2]string{"1795996799000000000", "b"} || first.Values[1][1] != "a" {
		t.Errorf("%+v", first)
	}
	refuse = "stderr"
	var refused *Refused
	if err := l.Send(t.Context(), append(records, bad)); !errors.As(err, &refused) || refused.Records != 1 || len(pushes) != 2 ||
		!strings.Contains(err.Error(), "too far behind") {
		t.Errorf("of what is too old: %v, %v", err, pushes)
	}
	refuse, status = "", http.StatusTooManyRequests
	if err := l.Send(t.Context(), records); err == nil || errors.As(err, &refused) && refused.Records == 0 ||
		!strings.Contains(err.Error(), "429") {
		t.Errorf("of what has no room: %v", err)
	}
}

func TestLinesThatAreDeepAreTexts(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a[{\"":[`, n/2) + strings.Repeat("]}", n/2) }
	records := recordsOf(deep(mostDepth), deep(mostDepth+2), deep(2)+" ", `{"a":"`+strings.Repeat("{", 50)+`"}`)
	for i, want := range []bool{true, false, true, true} {
		if got := records[i].body.Processed != nil; got != want {
			t.Errorf("%s is taken as JSON: %t", records[i].body.Log, got)
		}
	}
}

func TestObjectsOfS3AreLinesThatAreCompressed(t *testing.T) {
	var mu sync.Mutex
	objects := map[string]string{}
	denied := false
	s := S3{Bucket: "logs", Prefix: "shop", Node: "n1", Calls: http.DefaultClient}
	s.URL = served(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if denied {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Code>AccessDenied</Code>")
			return
		}
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil || r.Method != http.MethodPut {
			panic(err)
		}
		text, _ := io.ReadAll(unpacked)
		objects[r.URL.Path] = string(text)
	})
	if err := s.Send(t.Context(), recordsOf("a", "b")); err != nil {
		t.Fatal(err)
	}
	for key, text := range objects {
		if !strings.HasPrefix(key, "/logs/shop/n1/2026/11/29/23/59-") || !strings.HasSuffix(key, ".gz") || strings.Count(text, "\n") != 2 ||
			!strings.Contains(text, `"log":"b"`) {
			t.Errorf("%s has %s", key, text)
		}
	}
	denied = true
	if err := s.Send(t.Context(), recordsOf("a")); err == nil || !strings.Contains(err.Error(), "AccessDenied") || len(objects) != 1 {
		t.Errorf("without the permission: %v", err)
	}
}

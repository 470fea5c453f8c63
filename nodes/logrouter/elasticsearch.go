package logrouter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// Elasticsearch sends records by the bulk API of Elasticsearch and OpenSearch, to an index of each day: PREFIX-2026.11.29, as Fluent
// Bit's Logstash_Format names it. A document's id is made of what it says, and of which line of its time it is, so that what is sent
// again is there once. Dots in the names of labels and annotations are underscores (Replace_Dots): app would else be a text and an
// object at once.
type Elasticsearch struct {
	URL    *url.URL
	Prefix string
	Calls  *http.Client
	// Sign signs a request with its body; nil: none is.
	Sign func(ctx context.Context, request *http.Request, body []byte) error

	mu       sync.Mutex
	prepared bool // the template is there
}

// template has Kibana and Dashboards show fields: what is a text is found by words in log, and as a whole elsewhere. A text that looks
// like a time is none: one pod's label would else say what the others' must be. Elastic's own templates have priorities up to 500. It
// makes no template that is there.
const template = `{"index_patterns":[%q],"priority":501,"template":{"mappings":{"date_detection":false,"dynamic_templates":[{"texts":` +
	`{"match_mapping_type":"string","mapping":{"type":"keyword","ignore_above":1024}}}],"properties":{"@timestamp":{"type":"date"},` +
	`"time":{"type":"date"},"stream":{"type":"keyword"},"_p":{"type":"keyword"},"log":{"type":"text"},"kubernetes":{"properties":{` +
	`"pod_name":{"type":"keyword"},"namespace_name":{"type":"keyword"},"pod_id":{"type":"keyword"},"host":{"type":"keyword"},` +
	`"container_name":{"type":"keyword"},"docker_id":{"type":"keyword"},"container_hash":{"type":"keyword"},` +
	`"container_image":{"type":"keyword"}}}}}}}`

// Send is Output's.
func (e *Elasticsearch) Send(ctx context.Context, records []Record) error {
	if err := e.prepare(ctx); err != nil {
		return err
	}
	left, err := e.bulk(ctx, e.documents(records, true))
	if err != nil || len(left) == 0 {
		return err
	}
	// What lines have as JSON, or labels as names, may have a field that is of another type in the index, or one too many: such a record
	// is sent without.
	again, texts := make([]document, len(left)), e.documents(records, false)
	for i, one := range left {
		again[i] = texts[one.at]
	}
	left, err = e.bulk(ctx, again)
	if err != nil || len(left) == 0 {
		return err
	}
	return &Refused{Records: len(left), Err: fmt.Errorf("index %s-*: %s", e.Prefix, left[0].why)}
}

// prepare makes the template.
func (e *Elasticsearch) prepare(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.prepared {
		return nil
	}
	status, answer, err := e.call(ctx, http.MethodPut, "_index_template/"+e.Prefix, "create=true", "application/json",
		fmt.Appendf(nil, template, e.Prefix+"-*"))
	switch {
	case err != nil:
		return err
	case status < 300, status == http.StatusBadRequest && bytes.Contains(answer, []byte("already exists")):
		e.prepared = true
		return nil
	}
	return fmt.Errorf("make the index template %s: HTTP %d: %s", e.Prefix, status, cut(string(answer), 300))
}

// document is a record as two lines of a bulk request.
type document struct {
	at    int // of its record
	lines []byte
}

func (e *Elasticsearch) documents(records []Record, whole bool) []document {
	all := make([]document, len(records))
	for i, r := range records {
		if !whole {
			r = r.plain()
			r.body.Processed = nil
		}
		body, about := r.body, *r.body.Kubernetes
		about.Labels, about.Annotations = underscored(about.Labels), underscored(about.Annotations)
		body.Kubernetes = &about
		text, err := json.Marshal(struct {
			Timestamp string `json:"@timestamp"`
			bodyOf
		}{r.body.Time, bodyOf(body)})
		if err != nil { // of strings and valid JSON alone
			text = []byte("{}")
		}
		sum := sha256.Sum256([]byte(r.Tag + "\n" + r.body.Time + "\n" + r.body.Stream + "\n" + r.body.Log))
		id := base64.RawURLEncoding.EncodeToString(sum[:18])
		if r.same > 1 {
			id += "-" + strconv.Itoa(r.same)
		}
		all[i] = document{i, fmt.Appendf(nil, "{\"create\":{\"_index\":\"%s-%s\",\"_id\":%q}}\n%s\n", e.Prefix,
			r.At.UTC().Format("2006.01.02"), id, text)}
	}
	return all
}

// bodyOf has body's fields without its methods.
type bodyOf body

func underscored(all map[string]string) map[string]string {
	if len(all) == 0 {
		return nil
	}
	named := make(map[string]string, len(all))
	for name, value := range all {
		named[strings.ReplaceAll(name, ".", "_")] = value
	}
	return named
}

// leftOut is a document that the index does not take.
type leftOut struct {
	at  int
	why string
}

// mostAnswer is what is read of an answer.
const mostAnswer = 16 << 20

// bulk sends documents, and tells which of them are not taken for what they say. Whoever has no room now is an error.
func (e *Elasticsearch) bulk(ctx context.Context, documents []document) (left []leftOut, err error) {
	var body []byte
	for _, d := range documents {
		body = append(body, d.lines...)
	}
	status, answer, err := e.call(ctx, http.MethodPost, "_bulk", "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason",
		"application/x-ndjson", body)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusRequestEntityTooLarge && len(documents) > 1:
		half := len(documents) / 2
		first, err := e.bulk(ctx, documents[:half])
		if err != nil {
			return nil, err
		}
		second, err := e.bulk(ctx, documents[half:])
		return append(first, second...), err
	case status == http.StatusRequestEntityTooLarge:
		return []leftOut{{documents[0].at, "it is too large"}}, nil
	case status != http.StatusOK:
		return nil, fmt.Errorf("bulk request: HTTP %d: %s", status, cut(string(answer), 300))
	}
	var told struct {
		Errors bool
		Items  []map[string]struct {
			Status int
			Error  struct{ Type, Reason string }
		}
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return nil, fmt.Errorf("bulk request: its answer: %w", err)
	}
	if !told.Errors {
		return nil, nil
	}
	if len(told.Items) != len(documents) {
		return nil, fmt.Errorf("bulk request: of %d documents the answer has %d", len(documents), len(told.Items))
	}
	for i, item := range told.Items {
		is := item["create"]
		why := cut(is.Error.Type+": "+is.Error.Reason, 300)
		switch {
		case is.Status < 300, is.Status == http.StatusConflict: // it is there already
		case is.Status == http.StatusBadRequest, is.Status == http.StatusRequestEntityTooLarge:
			left = append(left, leftOut{documents[i].at, why})
		default: // what was taken is there already when it is sent again
			return nil, fmt.Errorf("bulk request: document %d: status %d: %s", i, is.Status, why)
		}
	}
	return left, nil
}

func (e *Elasticsearch) call(ctx context.Context, method, path, query, kind string, body []byte) (status int, answer []byte, err error) {
	to := e.URL.JoinPath(path)
	to.RawQuery = query
	return post(ctx, e.Calls, method, to.String(), http.Header{"Content-Type": {kind}}, body, e.Sign)
}

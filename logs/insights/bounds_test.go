package insights

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// nested is a function of itself.
func nested(function, of string, times int) string {
	return strings.Repeat(function+"(", times) + of + strings.Repeat(")", times)
}

// TestTextsThatFunctionsMakeAreBounded: neither one in another, nor one command behind another, nor many fields beside each
// other make more than a row may have; what would be longer is missing.
func TestTextsThatFunctionsMakeAreBounded(t *testing.T) {
	events := eventsOf(`"\` + strings.Repeat("\\", 1000))
	megabyte := eventsOf(strings.Repeat("x\x01", mostText/2))
	beside, chain := "fields 1", "fields @message as a"
	for i := range 40 {
		beside += fmt.Sprintf(", toupper(@message) as u%d, concat(@message, '') as c%d, replace(@message, 'x', 'y') as r%d", i, i, i)
		chain += " | fields jsonStringify(a) as a"
	}
	for _, c := range []struct {
		query  string
		events []Event
	}{
		{"fields " + nested("jsonStringify", "@message", 40) + " as a", events},
		{chain, events},
		{"fields jsonStringify(@message) as a", megabyte},
		{"fields replace(@message, 'x', 'xx') as a", megabyte},
		{"fields concat(@message, 'x') as a", megabyte},
		{"fields toupper(concat(@message, 'x')) as a", megabyte},
	} {
		rows, _ := ask(t, c.query+" | display a", c.events)
		if len(rows) != 1 || rows[0] != "" {
			t.Errorf("%.60s: got %.60q", c.query, rows)
		}
	}
	_, result := ask(t, beside, megabyte)
	total := 0
	for _, field := range result.Rows[0] {
		total += len(field.Value)
	}
	if total < mostMade/2 || total > mostMade+mostText {
		t.Errorf("the fields of a row have %d bytes", total)
	}
	if rows, _ := ask(t, "fields replace(@message, 'x\x01', 'y') as a | display strlen(a)", megabyte); rows[0] != "strlen(a)=524288" {
		t.Errorf("a text that becomes shorter is %s", rows[0])
	}
}

// TestRowsAndGroupsOfLongTextsAreBounded: the same long text in many columns is not copied into each, and what stats hold and
// make of texts counts.
func TestRowsAndGroupsOfLongTextsAreBounded(t *testing.T) {
	events := eventsOf(strings.Repeat("x", 1<<19), strings.Repeat("y", 1<<19), strings.Repeat("w", 1<<19), "z")
	columns := func(expression string, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%s as a%d", expression, i))
		}
		return strings.Join(all, ", ")
	}
	for query, want := range map[string]error{
		"fields " + columns("@message", 40):                                                 errRow,
		"fields @message | dedup " + strings.Repeat("@message, ", 40) + "@log":              errRow,
		"fields @log | sort " + strings.Repeat("@message, ", 40) + "@log":                   errRow,
		"stats count(*) by " + columns("@message", 40):                                      errRow,
		"stats " + columns("latest(@message)", 90) + " by @message":                         errMemory,
		"stats " + columns(nested("toupper", "max(@message)", 4), 4) + " by @ptr":           errMemory,
		"stats " + columns("concat(max(@message), min(@log))", 6) + " by @timestamp":        nil,
		"stats latest(@message) as m, " + columns("toupper(max(@message))", 7) + " by @ptr": nil,
	} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		run := q.Run(t.Context(), noon, StandardRows, 20<<20)
		worker := run.Worker()
		for i := range events {
			if err = worker.Take(&events[i]); err != nil {
				break
			}
		}
		if err == nil {
			_, err = run.Finish()
		}
		if !errors.Is(err, want) {
			t.Errorf("%.60s: got %v, want %v", query, err, want)
		}
	}
}

// TestRegularExpressionsOfAQueryAreBounded: all together.
func TestRegularExpressionsOfAQueryAreBounded(t *testing.T) {
	for query, want := range map[string]string{
		"filter @message like /" + strings.Repeat(".{1000}", 500) + "x/":             "the regular expressions of the query are too large",
		"fields 1" + strings.Repeat(" | filter a like /.{900}.{900}/", 12):           "the regular expressions of the query are too large",
		"parse @message /" + strings.Repeat("(a)", 500) + "/":                        "the regular expression is too large for so many groups",
		"parse @message /(?<a>a{900})/ | filter @message not like /(b|c){200}.*$/":   "",
		"parse @message /" + strings.Repeat(`(\S+) `, 40) + "/ as " + names("f", 40): "",
	} {
		_, err := Parse(query)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%.60s: got %v", query, err)
		}
	}
}

func names(prefix string, n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(prefix, i))
	}
	return strings.Join(all, ", ")
}

// TestQueriesEndWithTheirContext: in the middle of one event, and of one row of a later phase.
func TestQueriesEndWithTheirContext(t *testing.T) {
	stop := errors.New("stopped")
	long := eventsOf(strings.Repeat("a", 1<<20))
	for _, query := range []string{
		"filter @message like /(a|b){1000}(a|b){1000}c/",
		"parse @message /(?<x>(a|b){1000}(a|b){1000}c)/",
		"fields @message | limit 10 | filter @message not like /(a|b){1000}(a|b){1000}c/",
		"stats max(@message) like /(a|b){1000}(a|b){1000}c/ as x",
	} {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(20*time.Millisecond, func() { cancel(stop) })
		run := q.Run(ctx, noon, StandardRows, 64<<20)
		worker, began := run.Worker(), time.Now()
		if err := worker.Take(&long[0]); err != nil {
			t.Errorf("%s: the event is not taken: %v", query, err)
		}
		if _, err := run.Finish(); !errors.Is(err, stop) {
			t.Errorf("%s: got %v", query, err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: ended after %s", query, took)
		}
		if err := worker.Take(&long[0]); !errors.Is(err, stop) {
			t.Errorf("%s: it takes another event: %v", query, err)
		}
		timer.Stop()
	}
}

// TestFieldsBesideAggregationsAreMissing: a group has no one value of them.
func TestFieldsBesideAggregationsAreMissing(t *testing.T) {
	wantRows(t, "stats count(*) + status as x, count(*) as n", lines, "n=5")
	wantRows(t, "stats if(now() > 1000, count(*), status) as x", lines, "x=5")
}

// TestAQueryKnowsAPartOfTheMessagesThatItWants, where its first filters say so, and nothing where they do not.
func TestAQueryKnowsAPartOfTheMessagesThatItWants(t *testing.T) {
	for query, want := range map[string]string{
		`filter @message like "web-1"`:                                            "web-1",
		`fields @timestamp | filter @message like /web-[0-9]+/ | sort @timestamp`: "web-",
		`filter @message like "ab" and @message like "abc" and verb = "create"`:   "abc",
		`filter @message like "a" | filter @message like "bc" | stats count(*)`:   "bc",
		`filter @message =~ /x{3}y/`:                                              "xxxy",
		`filter @message like "ab" or verb = "create"`:                            "",
		`filter @message not like "ab"`:                                           "",
		`filter not @message like "ab"`:                                           "",
		`filter verb like "create"`:                                               "",
		`filter @message like /(?i)abc/`:                                          "",
		`filter @logStream like "abc"`:                                            "",
		`fields "xyz" as @message | filter @message like "x"`:                     "",
		`stats count(*) as @message by verb | filter @message like "10"`:          "",
		`limit 10 | filter @message like "abc"`:                                   "",
		`fields @message`:                                                         "",
		`fields concat(@message, "x") as m | filter m like "x"`:                   "",
		`filter strcontains(@message, "x")`:                                       "",
		`filter (@message like "in brackets")`:                                    "in brackets",
	} {
		q, err := Parse(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
		} else if q.Part() != want {
			t.Errorf("%s has the part %q, want %q", query, q.Part(), want)
		}
	}
}

// TestAQueryForTheNewestNeedsNoOlderOnes: it knows from which time on, and counts those that it was not given.
func TestAQueryForTheNewestNeedsNoOlderOnes(t *testing.T) {
	for query, want := range map[string]bool{
		`fields @timestamp, @message | sort @timestamp desc | limit 10`: true, `fields @message`: true, `limit 3`: true,
		`parse @message "a*" as a | sort @timestamp desc, a | limit 10`: true, `sort @timestamp desc | limit 10 | filter verb = "x"`: true,
		`sort @timestamp`: false, `sort @message desc`: false, `filter a = 1 | limit 10`: false, `stats count(*)`: false,
		`dedup verb`: false, `fields 1 as @timestamp | sort @timestamp desc`: false, `sort -@timestamp desc`: false,
	} {
		q, err := Parse(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
		} else if q.Newest() != want {
			t.Errorf("%s wants the newest: %t, want %t", query, q.Newest(), want)
		}
	}
	q, err := Parse(`sort @timestamp desc | limit 10`)
	if err != nil {
		t.Fatal(err)
	}
	run := q.Run(t.Context(), time.Now(), 10, 1<<20)
	w := run.Worker()
	if run.Edge() != math.MinInt64 {
		t.Errorf("the edge is %d before the first event", run.Edge())
	}
	for i := range 1000 {
		if err := w.Take(&Event{Time: int64(i), Message: "m", Pointer: func() string { return fmt.Sprint(i) }}); err != nil {
			t.Fatal(err)
		}
	}
	if edge := run.Edge(); edge < 500 || edge > 990 {
		t.Errorf("the edge is %d", edge)
	}
	run.Pass(50, 70)
	result, err := run.Finish()
	if err != nil || len(result.Rows) != 10 || result.Scanned != 1050 || result.Matched != 1050 || result.Bytes != 1070 {
		t.Errorf("%d rows, %d events are scanned and %d matched, of %d bytes: %v", len(result.Rows), result.Scanned, result.Matched,
			result.Bytes, err)
	}
}

package insights

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// noon is when the tests' queries run.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// eventsOf are messages a minute apart, the last a minute before noon.
func eventsOf(messages ...string) (events []Event) {
	for i, message := range messages {
		at := noon.Add(time.Duration(i-len(messages)) * time.Minute).UnixMilli()
		events = append(events, Event{Time: at, Ingested: at + 5, Message: message, Stream: fmt.Sprint("stream-", i%2),
			Log: "111122223333:group", Pointer: func() string { return fmt.Sprintf("p%03d", i) }})
	}
	return events
}

// ask runs a query over events, by two workers, and shows its rows: columns with their values between bars.
func ask(t *testing.T, query string, events []Event) (rows []string, result Result) {
	t.Helper()
	q, err := Parse(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	run := q.Run(t.Context(), noon, StandardRows, 64<<20)
	var wait sync.WaitGroup
	for half := range 2 {
		worker := run.Worker()
		wait.Go(func() {
			for i := half; i < len(events); i += 2 {
				if err := worker.Take(&events[i]); err != nil {
					t.Errorf("%s: %v", query, err)
				}
			}
		})
	}
	wait.Wait()
	result, err = run.Finish()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	for _, fields := range result.Rows {
		var shown []string
		for _, field := range fields {
			if field.Name != pointer {
				shown = append(shown, field.Name+"="+field.Value)
			}
		}
		rows = append(rows, strings.Join(shown, " | "))
	}
	return rows, result
}

func wantRows(t *testing.T, query string, events []Event, want ...string) {
	t.Helper()
	got, _ := ask(t, query, events)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\n got:\n  %s\n want:\n  %s", query, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

var lines = eventsOf(
	`{"level":"info","status":200,"ms":10.5,"user":{"name":"ann","groups":["dev","ops"]},"path":"/a","ok":true}`,
	`{"level":"error","status":500,"ms":120,"user":{"name":"bob","groups":["dev"]},"path":"/b","ok":false,"app.kubernetes.io/name":"web"}`,
	`plain text user=carl, method:GET, latency := 37 ERROR at the end`,
	`{"level":"info","status":404,"ms":30,"user":{"name":"ann"},"path":"/a","items":[{"id":"x"},{"id":"y"}]}`,
	`{"level":"error","status":503,"ms":7,"user":{"name":"Ann"},"path":"/c \"q\"","null":null}`,
)

func TestQueriesFindFilterAndShowFields(t *testing.T) {
	for query, want := range map[string][]string{
		`fields @timestamp, level | filter status >= 500`: {
			"@timestamp=2026-03-04 11:59:00.000 | level=error", "@timestamp=2026-03-04 11:56:00.000 | level=error"},
		`filter @message like "ERROR"`:                                                  {"@timestamp=2026-03-04 11:57:00.000 | @message=" + lines[2].Message},
		`filter @message like /(?i)error/ | display status`:                             {"status=503", "", "status=500"},
		`filter level = "error" and not status = 500 | fields user.name`:                {"user.name=Ann"},
		`filter user.groups.1 = "ops" or user.groups[0] = 'dev' | display user.name`:    {"user.name=bob", "user.name=ann"},
		"filter `app.kubernetes.io/name` = 'web' | display `app.kubernetes.io/name`":    {"app.kubernetes.io/name=web"},
		`filter status in [404, "503"] | display status, ok | sort status`:              {"status=404", "status=503"},
		`filter status not in [404, 503] | display status | sort @timestamp asc`:        {"status=200", "status=500", ""},
		`filter ok = 1 or ok = "false" | display ok, status | sort status desc`:         {"ok=0 | status=500", "ok=1 | status=200"},
		`filter items.1.id = "y" | display items[0].id`:                                 {"items[0].id=x"},
		`filter path =~ /q/ | display path`:                                             {`path=/c "q"`},
		`filter ispresent(null) | display path`:                                         nil,
		`filter not ispresent(level) | display @logStream, @log`:                        {"@logStream=stream-0 | @log=111122223333:group"},
		`filter level != "info" | display status | sort status desc`:                    {"status=503", "status=500", ""},
		`fields user.name as who | filter who like /^[aA]nn$/ | display who | sort who`: {"who=Ann", "who=ann", "who=ann"},
		"fields ms # the time\n# and nothing else\n| filter ms > 100":                   {"ms=120"},
		`fields ms | sort ms desc | limit 2`:                                            {"ms=120", "ms=30"},
		`fields status | limit 1`:                                                       {"status=503"},
		`fields status | dedup level | sort status`:                                     {"", "status=404", "status=503"},
		`fields level, status | sort status asc | dedup level`:                          {"", "level=info | status=200", "level=error | status=500"},
		`filter ms * 2 + 1 = 61 or ms / 0 > 1 | display ms ^ 2, -ms, ms % 7`:            {"ms ^ 2=900 | -ms=-30 | ms % 7=2"},
	} {
		wantRows(t, query, lines, want...)
	}
}

func TestParseFindsFieldsInText(t *testing.T) {
	for query, want := range map[string][]string{
		`parse @message "user=*, method:*, latency := * " as @user, @method, @latency | filter ispresent(@user) ` +
			`| display @user, @method, @latency + 1`: {
			"@user=carl | @method=GET | @latency + 1=38"},
		`filter @message like "plain" | fields @logStream | parse "latency := *" as rest`:      {"@logStream=stream-0 | rest=37 ERROR at the end"},
		`parse @message /user=(?<u>\w+).*method:(?<m>\w+)/ | filter u = "carl" | display m, u`: {"m=GET | u=carl"},
		`parse path /\/(.)/ as letter | stats count(*) as n by letter`: {
			"n=1", "letter=a | n=2", "letter=b | n=1", "letter=c | n=1"},
		`fields jsonParse(@message) as j | filter j.status = 404 | display j.user.name, j.items[1].id`: {
			"j.user.name=ann | j.items[1].id=y"},
	} {
		wantRows(t, query, lines, want...)
	}
}

func TestStatsGroupAndCount(t *testing.T) {
	for query, want := range map[string][]string{
		`stats count(*)`: {"count(*)=5"},
		`filter status > 999 | stats count(*) as n`:   {"n=0"},
		`filter status > 999 | stats count() by path`: nil,
		`stats count(*) as n, sum(ms), avg(ms), min(ms), max(ms) by level | sort n desc, level`: {
			"level=error | n=2 | sum(ms)=127 | avg(ms)=63.5 | min(ms)=7 | max(ms)=120",
			"level=info | n=2 | sum(ms)=40.5 | avg(ms)=20.25 | min(ms)=10.5 | max(ms)=30", "n=1"},
		`stats count_distinct(user.name) as users, count(status), stddev(status)`: {"users=3 | count(status)=4 | stddev(status)=123.0983"},
		`stats pct(ms, 50) as median, pct(ms, 99)`:                                {"median=10.5 | pct(ms, 99)=120"},
		`stats earliest(status) as first, latest(status) as last, sortsFirst(path), sortsLast(path)`: {
			`first=200 | last=503 | sortsFirst(path)=/a | sortsLast(path)=/c "q"`},
		`stats count(*) by bin(2m)`: {"bin(2m)=2026-03-04 11:58:00.000 | count(*)=2", "bin(2m)=2026-03-04 11:56:00.000 | count(*)=2",
			"bin(2m)=2026-03-04 11:54:00.000 | count(*)=1"},
		`stats sum(ms) / count(ms) * 100 as x by toupper(level) as l | filter ispresent(l) | display x, l`: {
			"x=6350 | l=ERROR", "x=2025 | l=INFO"},
		`stats count(*) as n by level | stats max(n) as most, count(*) as levels`: {"most=2 | levels=3"},
		`sort status desc | limit 2 | stats sum(status), latest(path) by bin(1h)`: {
			`bin(1h)=2026-03-04 11:00:00.000 | sum(status)=1003 | latest(path)=/c "q"`},
	} {
		wantRows(t, query, lines, want...)
	}
}

func TestFunctionsAreThoseOfTheGuide(t *testing.T) {
	one := eventsOf(`{"s":"  Ab é ","n":-2.5,"ip":"10.0.1.7","t":1772625600123,"e":""}`)
	for expression, want := range map[string]string{
		`abs(n)`: "2.5", `ceil(n)`: "-2", `floor(n)`: "-3", `greatest(n, 3, "7")`: "7",
		`least(n, 3)`: "-2.5", `sqrt(16)`: "4", `log(1)`: "0",
		`sqrt(n)`: "none", `fromMillis(t)`: "2026-03-04 12:00:00.123", `toMillis(fromMillis(t))`: "1772625600123", `now()`: "1772625600",
		`bin(1h)`: "2026-03-04 11:00:00.000", `datefloor(fromMillis(t), 1d)`: "2026-03-04 00:00:00.000",
		`dateceil(fromMillis(t), 1mo)`: "2026-04-01 00:00:00.000", `datefloor(fromMillis(t), 1q)`: "2026-01-01 00:00:00.000",
		`isempty(e)`: "1", `isblank("  ")`: "1", `isempty(s)`: "0", `coalesce(missing, e, s)`: "", `if(n < 0, "below", "above")`: "below",
		`strlen(s)`: "7", `trim(s)`: "Ab é", `ltrim(s)`: "Ab é ", `rtrim("xxayxx", "xy")`: "xxa",
		`toupper(trim(s))`: "AB É", `tolower("ÄB")`: "äb",
		`substr(trim(s), 1)`: "b é", `substr(trim(s), 0, 2)`: "Ab", `substr("ab", 5)`: "",
		`replace(trim(s), "b", "__")`: "A__ é", `concat("a", n, 1)`: "a-2.51",
		`strcontains(s, "b é")`: "1", `isValidIp(ip)`: "1", `isValidIpv6(ip)`: "0", `isIpInSubnet(ip, "10.0.0.0/16")`: "1",
		`isIpv4InSubnet(ip, "10.1.0.0/16")`: "0", `jsonStringify(ip)`: `"10.0.1.7"`, `strlen(missing)`: "none",
	} {
		rows, _ := ask(t, "fields "+expression+" as x", one)
		got := strings.TrimPrefix(rows[0], "x=")
		if rows[0] == "" {
			got = "none"
		}
		if got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}

func TestQueriesThatCannotBeReadSayWhere(t *testing.T) {
	for query, want := range map[string]string{
		"":                             "0-0 unexpected symbol found <EOF> at line 1 and position 0",
		"fields @timestamp | count()":  "20-25 unexpected symbol found count at line 1 and position 20",
		"fields é |\n filter x ==":     "23-23 unexpected symbol found <EOF> at line 2 and position 12",
		"filter x like /(/":            "14-17 the regular expression cannot be read: missing closing )",
		"filter x like /(?=a)/":        "14-21 the regular expression cannot be read",
		"filter x like /a":             "14-16 the regular expression is not closed",
		"fields nosuch(x)":             "7-13 Unknown function nosuch",
		"fields strlen(a, b)":          "7-19 The function strlen does not take 2 arguments",
		"stats count(*) by a | sort b": "27-28 Unknown symbols found in or after stats: b",
		"stats level":                  "6-11 stats has no function",
		"fields count(x)":              "7-12 the function count stands in stats only",
		"limit 0":                      "6-7 unexpected symbol found 0",
		"limit 100001":                 "6-12 unexpected symbol found 100001",
		"stats pct(x, 101)":            "13-16 a percentage",
		`parse "a" as b`:               "6-14 parse finds 0 fields, and 1 names",
		`parse "*" as b, c`:            "6-17 parse finds 1 fields, and 2 names",
		`parse /(a)/`:                  "6-11 parse finds fields that have no names",
		"pattern @message":             "0-7 the command pattern is not here",
		"fields bin(5x)":               "11-13 5x is no period",
		`filter x = "abc`:              `11-15 unexpected symbol found "abc`,
		"fields " + strings.Repeat("(", 60) + "1": "57-58 the expression is nested too deep",
	} {
		_, err := Parse(query)
		var wrong *SyntaxError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: got %v", query, err)
			continue
		}
		if got := fmt.Sprintf("%d-%d %s", wrong.Start, wrong.End, wrong.Message); !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", query, got, want)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var events []Event
	for i := range 5000 {
		events = append(events, eventsOf(fmt.Sprintf(`{"i":%d,"x":"%s"}`, i, strings.Repeat("x", 200)))...)
	}
	run := func(query string, memory int64) (Result, error) {
		q, err := Parse(query)
		if err != nil {
			t.Fatal(err)
		}
		run := q.Run(t.Context(), noon, StandardRows, memory)
		worker := run.Worker()
		for i := range events {
			if err := worker.Take(&events[i]); err != nil {
				return Result{}, err
			}
		}
		return run.Finish()
	}
	if _, err := run("stats count(*) by i", 1<<30); err != nil {
		t.Error(err)
	}
	for _, query := range []string{"stats count(*) by i", "stats count_distinct(i)", "fields x | dedup i"} {
		if _, err := run(query, 100<<10); !errors.Is(err, errMemory) {
			t.Errorf("%s: got %v", query, err)
		}
	}
	got, err := run("fields @message", 100<<10)
	if err != nil || !got.Clipped || len(got.Rows) < 50 || len(got.Rows) > 300 {
		t.Errorf("got %d rows, clipped %t, %v", len(got.Rows), got.Clipped, err)
	}
}

func TestPercentilesOfManyValuesAreNear(t *testing.T) {
	p := aggregations["pct"].make(func(e *env) value { return e.values[0] }, []float64{90}).(*percentile)
	other := aggregations["pct"].make(p.of, []float64{90}).(*percentile)
	for i := range 20000 {
		e := &env{values: []value{numberOf(float64(i - 1000))}}
		if err := []*percentile{p, other}[i%2].add(e, &budget{left: 1 << 20}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.merge(other, &budget{left: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if got := p.result().num; got < 16999*0.99 || got > 16999*1.01 {
		t.Errorf("got %f, want about 16999", got)
	}
}

// FuzzParse: whatever is asked ends in a query or in what is wrong with it, and whatever the message is the query ends too.
func FuzzParse(f *testing.F) {
	for _, query := range []string{`fields @timestamp, a.b[0] as x | filter x like /a/ and y in [1,"2"] | sort x desc | limit 3`,
		`parse "a=*" as b | stats count(*) by bin(5m), b | dedup b`} {
		f.Add(query, `x {"a":{"b":[1,"é",null]}}`)
	}
	f.Fuzz(func(t *testing.T, query, message string) {
		q, err := Parse(query)
		if err != nil {
			var wrong *SyntaxError
			if !errors.As(err, &wrong) {
				t.Fatal(err)
			}
			return
		}
		run := q.Run(t.Context(), noon, 10, 1<<20)
		worker := run.Worker()
		for _, e := range eventsOf(message, message) {
			worker.Take(&e)
		}
		run.Finish()
	})
}

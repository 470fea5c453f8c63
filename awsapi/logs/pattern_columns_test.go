package logs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The guide's own events.
const (
	accessEvent  = `127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
	infoEvent    = `INFO 09/25/2014 12:00:00 GET /service/resource/67 1200`
	warningEvent = `WARNING 09/25/2014 12:00:02 Invalid user request`
	errorEvent   = `ERROR 09/25/2014 12:00:02 Failed to process request`
)

func TestPatternsOfColumns(t *testing.T) {
	for _, c := range []struct {
		pattern, message string
		want             bool
	}{
		// "Filter pattern syntax", as the guide has it now and had it before.
		{`[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]`, accessEvent, true},
		{`[ip=%127\.0\.0\.[2-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]`, accessEvent, false},
		{`[ip, user, username, timestamp, request =*.html*, status_code = 4*, bytes]`, accessEvent, true},
		{`[..., request =*.html*, status_code = 4*, bytes]`, accessEvent, true},
		{`[..., request=*.html*, status_code=4*,]`, accessEvent, true},
		{`[ip, user, username, timestamp, request =*.html*, status_code = 404 || status_code = 410, bytes]`, accessEvent,
			true},
		{`[ip, user, username, timestamp, request, status_code, bytes > 1000]`, accessEvent, true},
		{`[ip, user, username, timestamp, request, status_code, bytes > 1534]`, accessEvent, false},
		{`[ip, user, username, timestamp, request, status_code = 200, bytes]`, accessEvent, false},
		{`[ip, user, username, timestamp, request, status_code = 4* && status_code != 403, bytes]`, accessEvent, true},
		{`[ip, user, username, timestamp, request, status_code = 4* && status_code != 404, bytes]`, accessEvent, false},
		{`[w1, w2 > 5]`, `took 6`, true},
		{`[w1, w2 > 5]`, `took Infinity`, false},
		{`[w1, w2 != 5]`, `took NaN`, true},
		{`[..., status_code, bytes]`, accessEvent, true},
		{`[ip, user, ..., status_code, bytes]`, accessEvent, true},
		{`[ip, user, ...]`, accessEvent, true},
		{`[w1=ERROR, w2]`, errorEvent, true},
		{`[w1=ERROR, w2]`, infoEvent, false},
		{`[w1=ERROR, w2]`, `ERROR`, false},
		{`[w1=ERROR || W1=WARNING, w2]`, warningEvent, true},
		{`[w1=ERROR || W1=WARNING, w2]`, infoEvent, false},
		{`[w1!=ERROR && w1!=WARNING, w2]`, infoEvent, true},
		{`[w1!=ERROR && w1!=WARNING, w2]`, errorEvent, false},
		// As the console offers it for Lambda's logs: the last column holds the rest.
		{`[timestamp=*Z, request_id="*-*", event]`, `2026-03-04T05:06:07Z 8c3a-11 {"level": "info"}`, true},
		{`[timestamp=*Z, request_id="*-*", event]`, `START RequestId: 8c3a-11`, false},

		{`[]`, accessEvent, true},
		{`[...]`, ``, true},
		{`[a]`, ``, false},
		{`[a, b]`, `one`, false},
		{`[..., status_code = 4*]`, accessEvent, false}, // the last one is bytes
		{`[a, ..., b]`, `one`, false},
		{`[a, ..., b]`, `one two`, true},
		{`[a = "one two", b]`, `"one two" three`, true},
		{`[a = one*, b = t*]`, `one two three`, true},
		{`[a = *two, b]`, `[one two]three`, true},
		{`[(a = 1 || a = 2) && a != 1, b]`, `2 x`, true},
		{`[(a = 1 || a = 2) && a != 1, b]`, `1 x`, false},
		{`[a = 1 || a = 2 && a = 3]`, `1`, true},
		{`[a >= 1e3]`, `1000`, true},
		{`[a > 1]`, `x`, false},
		{`[a != 1]`, `x`, true},
		{`[a = 404]`, `404.0`, true},
		{`[a = "404"]`, `404.0`, false},
		{`[a, b = open]`, `"two open`, true},
		{`[a, b=2]`, "1 \t 2\n", true},
		{`[größe=%ß%, b]`, `groß 2`, true},
	} {
		wanted, err := parsePattern(t.Context(), c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		} else if got := wanted(c.message); got != c.want {
			t.Errorf("%s on %s: got %t", c.pattern, c.message, got)
		}
	}
}

// TestColumnsHaveValues has the examples of the guide and of TestMetricFilter's API reference.
func TestColumnsHaveValues(t *testing.T) {
	const event = `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534`
	named := map[string]string{"$ip": "127.0.0.1", "$identity": "-", "$user_id": "frank",
		"$timestamp": "10/Oct/2000:13:25:15 -0700",
		"$request":   "GET /apache_pb.gif HTTP/1.0", "$status_code": "200", "$size": "1534"}
	numbered := map[string]string{"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700",
		"$5": "GET /apache_pb.gif HTTP/1.0", "$6": "200"}
	with := func(name, value string) map[string]string {
		all := map[string]string{name: value}
		for name, value := range numbered {
			all[name] = value
		}
		return all
	}
	for _, c := range []struct {
		pattern, message string
		want             map[string]string
	}{
		{`[ip, identity, user_id, timestamp, request, status_code, size]`, event, named},
		{`[..., size]`, event, with("$size", "1534")},
		{`[]`, event, with("$7", "1534")},
		{`[..., request=*.gif*, status_code=2*,]`, event,
			map[string]string{"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700",
				"$request": "GET /apache_pb.gif HTTP/1.0", "$status_code": "200", "$7": "1534"}},
		{`[level, text]`, `ERROR "a b"  c`, map[string]string{"$level": "ERROR", "$text": `"a b"  c`}},
		{`[level, text]`, `ERROR "a b"`, map[string]string{"$level": "ERROR", "$text": "a b"}},
	} {
		p, err := parseColumns(t.Context(), c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		} else if diff := cmp.Diff(c.want, p.values(c.message)); diff != "" {
			t.Errorf("%s on %s (-want +got)\n%s", c.pattern, c.message, diff)
		}
	}
}

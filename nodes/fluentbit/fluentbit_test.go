package fluentbit

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
)

// documented is the ConfigMap of the EKS user guide.
var documented = map[string]string{
	"flb_log_cw": "false",
	"filters.conf": `[FILTER]
    Name parser
    Match *
    Key_name log
    Parser crio
[FILTER]
    Name kubernetes
    Match kube.*
    Merge_Log On
    Keep_Log Off
    Buffer_Size 0
    Kube_Meta_Cache_TTL 300s
`,
	"output.conf": `[OUTPUT]
    Name cloudwatch_logs
    Match   kube.*
    region us-east-1
    log_group_name my-logs
    log_stream_prefix from-fluent-bit-
    log_retention_days 60
    auto_create_group true
`,
	"parsers.conf": `[PARSER]
    Name crio
    Format Regex
    Regex ^(?<time>[^ ]+) (?<stream>stdout|stderr) (?<logtag>P|F) (?<log>.*)$
    Time_Key    time
    Time_Format %Y-%m-%dT%H:%M:%S.%L%z
    Time_Keep On
`,
}

func with(key, value string) map[string]string {
	data := map[string]string{}
	for k, v := range documented {
		data[k] = v
	}
	data[key] = value
	return data
}

// told is a record's fields as JSON after all filters; empty: it is dropped.
func told(t *testing.T, f Filters, log string) string {
	t.Helper()
	r := Record{Tag: "kube.var.log.containers.web_shop_app-0123.log", At: time.Unix(1, 0), Fields: map[string]any{"log": log},
		Kubernetes: func() map[string]any {
			return map[string]any{"pod_name": "web", "labels": map[string]string{"app": "shop"}, "annotations": map[string]string{"a": "b"}}
		}}
	if !f.Apply(&r) {
		return ""
	}
	text, err := json.Marshal(r.Fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheDocumentedConfigMapOfFargateIsFollowed(t *testing.T) {
	c, err := Fargate(documented, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	o := c.Outputs[0]
	if want := (CloudWatch{Group: "my-logs", StreamPrefix: "from-fluent-bit-", CreateGroup: true, RetentionDays: 60}); c.Told ||
		len(c.Outputs) != 1 || o.CloudWatch != want || !o.Matches("kube.x") || o.Matches("other") {
		t.Errorf("%+v", c)
	}
	got := told(t, c.Filters, `2026-11-29T08:00:00.000000001Z stdout F {"level":"info"}`)
	want := `{"kubernetes":{"annotations":{"a":"b"},"labels":{"app":"shop"},"pod_name":"web"},"level":"info","logtag":"F",` +
		`"stream":"stdout","time":"2026-11-29T08:00:00.000000001Z"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r := Record{Tag: "kube.x", Fields: map[string]any{"log": "2026-11-29T08:00:00.5+01:00 stderr F x"},
		Kubernetes: func() map[string]any { return nil }}
	if c.Filters.Apply(&r); !r.At.Equal(time.Date(2026, 11, 29, 7, 0, 0, 5e8, time.UTC)) || r.Fields["log"] != "x" {
		t.Errorf("%+v", r)
	}
}

func TestWhatFargatesLogRouterDoesNotTakeIsNamed(t *testing.T) {
	output := func(more string) string { return documented["output.conf"] + more }
	for _, test := range []struct {
		data map[string]string
		want string
	}{
		{with("output.conf", "[OUTPUT]\n    Name amazon_data_firehose\n    Match *\n"), "amazon_data_firehose is not a supported output plugin"},
		{with("output.conf", "[OUTPUT]\n    Name es\n    Match *\n"), "there is no service behind the output es"},
		{with("output.conf", ""), "no section [OUTPUT]"},
		{with("output.conf", "[OUTPUT]\nName es\n"), "line 2: invalid indentation level"},
		{with("output.conf", "    Name es\n"), "line 1 is of no section"},
		{with("output.conf", "[INPUT]\n    Name tail\n"), "section [INPUT] is not supported in output.conf"},
		{with("output.conf", "@INCLUDE /etc/passwd\n"), "@INCLUDE are not allowed"},
		{with("output.conf", output("    endpoint http://127.0.0.1:1\n")), "unknown configuration property 'endpoint'"},
		{with("output.conf", output("    role_arn arn:x\n")), "unknown configuration property 'role_arn'"},
		{with("output.conf", output("    log_key ${HOME}\n")), "environment variable"},
		{with("output.conf", strings.Replace(documented["output.conf"], "us-east-1", "eu-west-1", 1)), `its region is "eu-west-1"`},
		{with("output.conf", strings.Replace(documented["output.conf"], "my-logs", "$(kubernetes['x'])", 1)), "no templates"},
		{with("filters.conf", "[FILTER]\n    Name lua\n    Match *\n"), "lua is not a supported filter plugin"},
		{with("filters.conf", "[FILTER]\n    Name throttle\n    Match *\n"), "the filter throttle is none that Tripod runs"},
		{with("filters.conf", "[FILTER]\n    Name parser\n    Match *\n    Key_Name log\n    Parser none\n"),
			"requested parser 'none' not found"},
		{with("filters.conf", "[FILTER]\n    Name grep\n    Match *\n    Regex log (?=x)\n"), "regular expression"},
		{with("filters.conf", "[FILTER]\n    Name grep\n    Regex log x\n"), "neither Match nor Match_Regex"},
		{with("output.conf", strings.Replace(documented["output.conf"], "days 60", "days 42", 1)), `log_retention_days: "42" is none of [1 3 5`},
		{with("output.conf", "[OUTPUT]\n    Name "+strings.Repeat("x", 4000)+"\n"), "xxx..."},
		{with("output.conf", strings.Repeat("[X]\n", 5000)), "characters, and may have 5300"},
		{with("parsers.conf", "# "+strings.Repeat("x", 5300)), "characters, and may have 5300"},
	} {
		if _, err := Fargate(test.data, "us-east-1"); err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 1100 {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

func TestOfTheConfigMapOnlyWhatIsCountedIsKept(t *testing.T) {
	data := with("other", strings.Repeat("x", 9000))
	for told, want := range map[string]string{" True\n": "true", strings.Repeat("x", 9000): "", "false": ""} {
		data["flb_log_cw"] = told
		kept := FargateKept(data)
		if c, err := Fargate(kept, "us-east-1"); err != nil || c.Told != (want != "") || kept["flb_log_cw"] != want ||
			kept["other"] != "" || kept["output.conf"] != data["output.conf"] {
			t.Errorf("%v: kept %q", err, kept)
		}
	}
}

func TestFiltersChangeRecords(t *testing.T) {
	for _, test := range []struct{ filter, log, want string }{
		{"Name grep\n Exclude log ^GET /healthz", "GET /healthz 200", ""},
		{"Name grep\n Exclude log ^GET /healthz", "GET / 200", `{"log":"GET / 200"}`},
		{"Name grep\n Regex log error", "fine", ""},
		{"Name grep\n Regex none error", "error", ""},
		{"Name record_modifier\n Record cluster my demo\n Remove_key log", "x", `{"cluster":"my demo"}`},
		{"Name record_modifier\n Allowlist_key other", "x", `{}`},
		{"Name modify\n Add a b\n Add log y\n Rename log message\n Copy message again\n Set c d", "x",
			`{"a":"b","again":"x","c":"d","message":"x"}`},
		{"Name modify\n Add message y\n Rename log message", "x", `{"log":"x","message":"y"}`},
		{"Name modify\n Add message y\n Hard_rename log message", "x", `{"message":"x"}`},
		{"Name modify\n Remove_wildcard lo", "x", `{}`},
		{"Name nest\n Operation nest\n Wildcard l*\n Nest_under all\n Add_prefix my_", "x", `{"all":{"my_log":"x"}}`},
		{"Name kubernetes\n Labels Off\n Annotations Off", "x", `{"kubernetes":{"pod_name":"web"},"log":"x"}`},
		{"Name kubernetes\n Annotations Off\n[FILTER]\n Name nest\n Match *\n Operation lift\n Nested_under kubernetes\n Add_prefix k8s_", "x",
			`{"k8s_labels":{"app":"shop"},"k8s_pod_name":"web","log":"x"}`},
		{"Name kubernetes\n[FILTER]\n Name grep\n Match *\n Exclude $kubernetes['labels']['app'] shop", "x", ""},
		{"Name kubernetes\n[FILTER]\n Name grep\n Match *\n Exclude $kubernetes['labels']['app'] shop\n[FILTER]\n Name lua", "x", "?"},
	} {
		sections, err := Parse("[FILTER]\n Match *\n " + test.filter)
		if err != nil {
			t.Fatal(err)
		}
		f, err := NewFilters(sections, nil)
		if err != nil {
			if test.want != "?" {
				t.Errorf("%s: %v", test.filter, err)
			}
			continue
		}
		if got := told(t, f, test.log); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.filter, got, test.want)
		}
	}
}

// A parser that has Reserve_Data keeps the other fields, and one that does not match keeps all.
func TestParsersTakeFieldsApart(t *testing.T) {
	parsers, err := NewParsers([]Section{{Kind: "PARSER", Properties: []Property{{"Name", "p"}, {"Format", "regex"},
		{"Regex", `^(?<code>\d+) (?<rest>.*)$`}, {"Types", "code:integer"}}},
		{Kind: "PARSER", Properties: []Property{{"Name", "j"}, {"Format", "json"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ more, log, want string }{
		{"Parser p", "200 ok", `{"code":200,"rest":"ok"}`},
		{"Parser p", "no", `{"kept":"y","log":"no"}`},
		{"Parser p\n Reserve_Data On", "200 ok", `{"code":200,"kept":"y","rest":"ok"}`},
		{"Parser p\n Preserve_Key On", "200 ok", `{"code":200,"log":"200 ok","rest":"ok"}`},
		{"Parser p\n Parser j", `{"a":1}`, `{"a":1}`},
	} {
		sections, err := Parse("[FILTER]\n Name modify\n Match *\n Set kept y\n[FILTER]\n Name parser\n Match *\n Key_Name log\n " + test.more)
		if err != nil {
			t.Fatal(err)
		}
		f, err := NewFilters(sections, parsers)
		if err != nil {
			t.Fatal(err)
		}
		if got := told(t, f, test.log); got != test.want {
			t.Errorf("%s of %s: got %s, want %s", test.more, test.log, got, test.want)
		}
	}
}

// filtersOf are the filters of a configuration, with its parsers.
func filtersOf(t *testing.T, filters, parsers string) Filters {
	t.Helper()
	data := map[string]string{"output.conf": documented["output.conf"], "filters.conf": filters, "parsers.conf": parsers}
	c, err := Fargate(data, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	return c.Filters
}

func TestFiltersThatCopyMakeNoRecordGrowWithoutEnd(t *testing.T) {
	doubled := "[FILTER]\n Name modify\n Match *\n Copy log x\n[FILTER]\n Name nest\n Match *\n Operation nest\n Wildcard *\n Nest_under log\n"
	copied := "[FILTER]\n Name modify\n Match *\n" + strings.Repeat(" Hard_copy log x\n", 200)
	for i := range 200 {
		copied = strings.Replace(copied, "Hard_copy log x", "Copy log x"+strconv.Itoa(i), 1)
	}
	for what, filters := range map[string]string{"doubled": strings.Repeat(doubled, 14), "copied": copied} {
		line := strings.Repeat("x", 4<<10)
		got := told(t, filtersOf(t, filters, ""), line)
		if len(got) > mostText+2*len(line) || !strings.Contains(got, line) {
			t.Errorf("%s: %d bytes", what, len(got))
		}
	}
}

// A record that came with as much as is allowed to be added, such as a long line, has the filters as any other.
func TestLongLinesHaveTheFilters(t *testing.T) {
	f := filtersOf(t, "[FILTER]\n Name kubernetes\n Match *\n Merge_Log On\n", "")
	for what, line := range map[string]string{"text": strings.Repeat("x", mostText),
		"object": `{"of":"` + strings.Repeat("x", mostText-200) + `"}`,
		"values": `{"of":[` + strings.Repeat("1,", mostFields) + `1]}`} {
		if got := told(t, f, line); !strings.Contains(got, `"pod_name":"web"`) || strings.Contains(got, `"of":"`) != (what == "object") {
			t.Errorf("%s: %d bytes", what, len(got))
		}
	}
}

func TestExpressionsThatWouldTakeLongAreRefused(t *testing.T) {
	long := "(" + strings.Repeat(`\w{0,999}`, 3) + ")$"
	for what, data := range map[string]map[string]string{
		"a filter's": with("filters.conf", "[FILTER]\n Name grep\n Match *\n Regex log "+long+"\n"),
		"a parser's": with("parsers.conf", documented["parsers.conf"]+"[PARSER]\n Name x\n Format regex\n Regex "+long+"\n"),
		"a match's":  with("output.conf", strings.Replace(documented["output.conf"], "Match   kube.*", "Match_Regex "+long, 1)),
	} {
		if _, err := Fargate(data, "us-east-1"); err == nil || !strings.Contains(err.Error(), "instructions, and may have 2000") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What an expression looks at is the less, the longer it is, but the longest lines that are usual are read to their end.
func TestExpressionsLookAtSoMuchOfALineAsEndsSoon(t *testing.T) {
	for expression, read := range map[string]bool{"end$": true, `\w{0,900} end$`: false} {
		e, err := compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("x ", 128<<10) + "x end"
		if e.read < leastRead || e.matches(text) != read || (e.find(text) != nil) != read || e.find(text[len(text)-leastRead:]) == nil {
			t.Errorf("%s reads %d bytes", expression, e.read)
		}
	}
}

func TestFieldsOfFieldsAreReadByAnyName(t *testing.T) {
	fields := map[string]any{"log": map[string]any{"a[b": map[string]string{"c'd": "x", "": "y"}}}
	for text, want := range map[string]string{`$log['a[b']["c'd"]`: "x", `$log["a[b"]['']`: "y", `$log['a[b']['none']`: ""} {
		if a, err := newAccessor(text); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got, _ := a.of(fields); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestNumbersStayAsTheyAreWritten(t *testing.T) {
	const parsers = "[PARSER]\n Name j\n Format json\n[PARSER]\n Name p\n Format regex\n Regex ^(?<x>.*)$\n Types x:float\n"
	merge := "[FILTER]\n Name kubernetes\n Match *\n Merge_Log On\n Keep_Log Off\n" +
		"[FILTER]\n Name record_modifier\n Match *\n Remove_key kubernetes\n"
	parse := func(name string) string {
		return "[FILTER]\n Name parser\n Match *\n Key_Name log\n Preserve_Key Off\n Parser " + name + "\n"
	}
	for _, test := range []struct{ filters, log, want string }{
		{merge, `{"id":9007199254740993}`, `{"id":9007199254740993}`},
		{parse("j"), `{"id":9007199254740993,"f":1.50}`, `{"f":1.50,"id":9007199254740993}`},
		{parse("j"), `{"id":1} x`, `{"log":"{\"id\":1} x"}`},
		{parse("j"), "null", `{"log":"null"}`},
		{parse("p"), "nan", `{"x":"nan"}`},
		{parse("p"), "-Inf", `{"x":"-Inf"}`},
		{parse("p"), "1.5", `{"x":1.5}`},
	} {
		if got := told(t, filtersOf(t, test.filters, parsers), test.log); got != test.want {
			t.Errorf("%s: got %s, want %s", test.log, got, test.want)
		}
	}
}

func TestNoPodSaysItselfWhichOneItIs(t *testing.T) {
	for _, under := range []string{"", " Merge_Log_Key kubernetes\n"} {
		f := filtersOf(t, "[FILTER]\n Name kubernetes\n Match *\n Merge_Log On\n Labels Off\n Annotations Off\n"+under, "")
		if got := told(t, f, `{"kubernetes":{"pod_name":"other"}}`); !strings.HasPrefix(got, `{"kubernetes":{"pod_name":"web"}`) {
			t.Error(got)
		}
	}
}

// What a line says of its time is one that CloudWatch Logs takes: a batch with another would be refused as a whole.
func TestTimesWithoutAYearAreOfTheirLinesYear(t *testing.T) {
	line := time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		format, text string
		want         time.Time
	}{
		{"%b %d %H:%M:%S", "Feb 29 07:00:00", time.Date(2024, 2, 29, 7, 0, 0, 0, time.UTC)},
		{"%m-%d %H:%M:%S", "01-01 07:00:00", time.Date(2024, 1, 1, 7, 0, 0, 0, time.UTC)},
		{"%H:%M:%S.%L", "07:00:00.5", time.Date(2024, 3, 1, 7, 0, 0, 5e8, time.UTC)},
		{"%Y-%m-%dT%H:%M:%S%z", "2024-02-01T08:00:00+0100", time.Date(2024, 2, 1, 7, 0, 0, 0, time.UTC)},
		{"%Y-%m-%dT%H:%M:%S%z", "2024-02-01T08:00:00+01:00", time.Date(2024, 2, 1, 7, 0, 0, 0, time.UTC)},
		{"%Y-%m-%dT%H:%M:%S%z", "2024-02-01T08:00:00Z", time.Date(2024, 2, 1, 8, 0, 0, 0, time.UTC)},
		{"%Y", "1969", line},
		{"%Y", "9999", line},
	} {
		f := filtersOf(t, "[FILTER]\n Name parser\n Match *\n Key_Name log\n Parser p\n",
			"[PARSER]\n Name p\n Format regex\n Regex ^(?<t>.*)$\n Time_Key t\n Time_Format "+test.format+"\n")
		r := Record{Tag: "kube.x", At: line, Fields: map[string]any{"log": test.text}}
		if f.Apply(&r); !r.At.Equal(test.want) {
			t.Errorf("%s as %s is %v, want %v", test.text, test.format, r.At, test.want)
		}
	}
}

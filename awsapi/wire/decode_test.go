package wire

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	"github.com/google/go-cmp/cmp"
)

// thing is an input with a member of every type, as the SDK's code generator would write it.
type thing struct {
	Name   *string
	Filter []string
	Agent  *string
	Count  *int32
	Small  *int8
	Big    *int64
	Ratio  *float64
	On     bool
	When   *time.Time
	Since  *time.Time
	Blob   []byte
	Names  []string
	Labels map[string]string
	Inner  *thing
	Things []thing
}

// Serialize implements smithy.Serializable.
func (*thing) Serialize(s smithy.ShapeSerializer) {
	s.WriteStruct(thingSchema())
	s.CloseStruct()
}

var thingInput *smithy.Schema

func thingSchema() *smithy.Schema {
	if thingInput != nil {
		return thingInput
	}
	simple := func(name string, t smithy.ShapeType) *smithy.Schema {
		return smithy.NewSchema(smithy.ShapeID{Namespace: "test", Name: name}, t, 0)
	}
	text := simple("Text", smithy.ShapeTypeString)
	names := simple("Names", smithy.ShapeTypeList)
	names.AddMember("member", text)
	labels := simple("Labels", smithy.ShapeTypeMap)
	labels.AddMember("key", text)
	labels.AddMember("value", text)
	input := simple("Thing", smithy.ShapeTypeStructure)
	things := simple("Things", smithy.ShapeTypeList)
	input.AddMember("name", text, &traits.HTTPLabel{})
	input.AddMember("filter", names, &traits.HTTPQuery{Name: "filter"})
	input.AddMember("since", simple("Moment", smithy.ShapeTypeTimestamp), &traits.HTTPQuery{Name: "since"})
	input.AddMember("agent", text, &traits.HTTPHeader{Name: "X-Agent"})
	input.AddMember("count", simple("Count", smithy.ShapeTypeInteger))
	input.AddMember("small", simple("Small", smithy.ShapeTypeByte))
	input.AddMember("big", simple("Big", smithy.ShapeTypeLong))
	input.AddMember("ratio", simple("Ratio", smithy.ShapeTypeDouble))
	input.AddMember("on", simple("On", smithy.ShapeTypeBoolean))
	input.AddMember("when", simple("Moment", smithy.ShapeTypeTimestamp))
	input.AddMember("blob", simple("Blob", smithy.ShapeTypeBlob))
	input.AddMember("names", names)
	input.AddMember("labels", labels)
	input.AddMember("inner", input)
	things.AddMember("member", input)
	input.AddMember("things", things)
	thingInput = input
	return input
}

func decodeThing(target, body string) (*thing, error) {
	r := httptest.NewRequest(http.MethodPost, target, nil)
	r.Header.Set("X-Agent", "agent")
	parts := Parts{Labels: map[string]string{"name": "arn:aws/x y"}, Params: r.URL.Query(), Body: []byte(body),
		Header: r.Header}
	input, err := InputOf(InputSchema(&thing{}), parts)
	if err != nil {
		return nil, err
	}
	out := &thing{}
	return out, input.Into(out)
}

func TestInputsAreReadFromPathQueryHeaderAndBody(t *testing.T) {
	got, err := decodeThing("/?filter=a&filter=b%20c&since=2026-01-02T03:04:05.5%2B01:00&unknown=1", `{
		"count": 1e2, "small": -128, "big": 9007199254740993, "ratio": "NaN", "on": true, "when": 946684800.5, "blob": "AAE=",
		"names": [], "labels": {"": "empty"}, "inner": {"count": 1.0, "name": "inner"}, "things": [{}, {"on": false}],
		"unknown": [{"deep": null}], "name": "the path has it"}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.Ratio == nil || !math.IsNaN(*got.Ratio) {
		t.Errorf("got ratio %v, want NaN", got.Ratio)
	}
	got.Ratio = nil
	want := &thing{
		Name: new("arn:aws/x y"), Filter: []string{"a", "b c"}, Agent: new("agent"), Count: new(int32(100)),
		Small: new(int8(-128)),
		Big:   new(int64(9007199254740993)), On: true, When: new(time.Unix(946684800, 500_000_000).UTC()),
		Since: new(time.Date(2026, 1, 2, 2, 4, 5, 500_000_000, time.UTC)),
		Blob:  []byte{0, 1}, Names: []string{}, Labels: map[string]string{"": "empty"},
		Inner: &thing{Count: new(int32(1)), Name: new("inner")}, Things: []thing{{}, {}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}
}

func TestInputsOfAnotherTypeAreRefused(t *testing.T) {
	for _, body := range []string{
		`{"count":2147483648}`, `{"count":1.5}`, `{"count":"1"}`, `{"count":1e-1}`, `{"count":1e999}`,
		`{"small":128}`, `{"big":9223372036854775808}`, `{"big":1e18}`,
		`{"ratio":"nan"}`, `{"ratio":"1"}`, `{"ratio":1e999}`, `{"on":"true"}`, `{"on":1}`,
		`{"when":"2026-01-02T03:04:05Z"}`, `{"when":1e300}`, `{"when":-1e12}`, `{"when":"NaN"}`, `{"when":[]}`,
		`{"blob":"*"}`, `{"blob":"AA"}`, `{"blob":1}`, `{"blob":null,"names":{}}`,
		`{"names":"a"}`, `{"names":[1]}`, `{"names":[[]]}`,
		`{"labels":[]}`, `{"labels":{"a":1}}`, `{"inner":[]}`, `{"inner":{"inner":{"count":true}}}`, `{"things":[1]}`,
	} {
		var e *Error
		if _, err := decodeThing("/", body); !errors.As(err, &e) || e.Code != "SerializationException" ||
			e.Status != http.StatusBadRequest {
			t.Errorf("%s: got %v, want a SerializationException", body, err)
		}
	}
	for _, query := range []string{"since=yesterday", "since=946684800", "since="} {
		if got, err := decodeThing("/?"+query, ""); err == nil {
			t.Errorf("%s: got %v", query, got.Since)
		}
	}
}

func TestNullsAreAsIfNotSent(t *testing.T) {
	got, err := decodeThing("/",
		`{"count":null,"blob":null,"names":null,"labels":null,"inner":null,"when":null,"on":null}`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&thing{Name: got.Name, Agent: got.Agent}, got); diff != "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}
}

func TestBodiesAreReadStrictly(t *testing.T) {
	deep := func(n int) string { return `{"unknown":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	for _, body := range []string{"{}", " {\n} ", `{"unknown":{"a":[1,{"b":null}]}}`, deep(maxDepth - 1),
		`{"names":["\ud83d\ude00"]}`} {
		if _, err := decodeThing("/", body); err != nil {
			t.Errorf("%.60q: %v", body, err)
		}
	}
	for body, want := range map[string]string{
		"{":                         "The request cannot be read: the body is not valid JSON near byte 1.",
		"[]":                        "The request cannot be read: the body must be a JSON object.",
		"{}{}":                      "The request cannot be read: there is more text after the body's JSON object.",
		`{"a":1,"b":{"c":1,"c":2}}`: `The request cannot be read: the member "c" is there twice.`,
		"{\"a\":\"\xff\"}":          "The request cannot be read: the body is not valid UTF-8.",
		deep(maxDepth):              "The request cannot be read: the body is nested deeper than 64 levels.",
	} {
		var e *Error
		if _, err := decodeThing("/", body); !errors.As(err, &e) || e.Message != want {
			t.Errorf("%.60q: got %v\nwant %s", body, err, want)
		}
	}
}

// TestErrorsDoNotShowValuesOfTheWrongType, since what stands in the wrong place may be a secret.
func TestErrorsDoNotShowValuesOfTheWrongType(t *testing.T) {
	_, err := decodeThing("/", `{"count":"hunter2"}`)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestConstraintsAreCheckedAtAllDepths(t *testing.T) {
	constraints := Constraints{
		"Thing": {Required: []string{"count"}}, "Count": {Min: new(int64(0)), Max: new(int64(9))},
		"Text": {Min: new(int64(1)), Max: new(int64(3)), Pattern: "^[a-zé]*"}, "Names": {Max: new(int64(2))},
		"Labels": {Min: new(int64(1))},
	}
	for body, want := range map[string]string{
		`{"count":1,"names":["ééé"],"labels":{"a":"b"}}`: "",
		`{}`: "Value null at 'count' failed to satisfy constraint: Member " +
			"must not be null",
		`{"count":10}`: "Value '10' at 'count' failed to satisfy constraint: Member " +
			"must have value less than or equal to 9",
		`{"count":1,"names":["éééé"]}`: "Value 'éééé' at 'names.1.member' failed to satisfy constraint: " +
			"Member must have length less than or equal to 3",
		`{"count":1,"names":["a","b","c"]}`: "Value (a list of 3) at 'names' failed to satisfy constraint: " +
			"Member must have length less than or equal to 2",
		`{"count":1,"labels":{}}`: "Value (a map of 0) at 'labels' failed to satisfy constraint: " +
			"Member must have length greater than or equal to 1",
		`{"count":1,"labels":{"A":"b"}}`: "Value 'A' at 'labels.key' failed to satisfy constraint: Member " +
			"must satisfy regular expression pattern: ^[a-zé]*",
		`{"count":1,"labels":{"a":"B"}}`: "Value 'B' at 'labels.a' failed to satisfy constraint: Member " +
			"must satisfy regular expression pattern: ^[a-zé]*",
		`{"count":1,"labels":{"a":null}}`: "Value null at 'labels.a' failed to satisfy constraint: Member " +
			"must not be null",
		`{"count":1,"things":[null]}`: "Value null at 'things.1.member' failed to satisfy constraint: " +
			"Member must not be null",
		`{"count":1,"inner":{"inner":{"count":1}}}`: "Value null at 'inner.count' failed to satisfy constraint: " +
			"Member must not be null",
	} {
		input, err := InputOf(thingSchema(), Parts{Labels: map[string]string{"name": "abc"}, Params: url.Values{},
			Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		if want != "" {
			want = "1 validation error detected: " + want
		}
		if got := input.Validate(constraints); got != want {
			t.Errorf("%s: got  %s\nwant %s", body, got, want)
		}
	}
}

func TestOneErrorNamesTenViolationsAtMost(t *testing.T) {
	body := `{"names":[` + strings.Repeat(`"`+strings.Repeat("é", 1000)+`",`, 999) + `""]}`
	input, err := InputOf(thingSchema(), Parts{Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	got := input.Validate(Constraints{"Text": {Max: new(int64(3))}})
	if !strings.HasPrefix(got, "10 validation errors detected: ") || len(got) > 16<<10 {
		t.Errorf("got %d bytes: %.200s", len(got), got)
	}
}

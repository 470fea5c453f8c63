package eks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"tripod/awsapi/wire"
)

// everyPlace runs spoil on each value of each operation's valid input, one at a time, and then sends it. spoil returns
// what is expected: an exception, "any" for one of them or none, or nothing where there is nothing to spoil.
func everyPlace(t *testing.T, spoil func(p place) string) {
	t.Helper()
	do, spoiled := echo(true), 0
	for _, schema := range operations {
		operation := schema.ID().Name
		for i := range validSample(operation).places() {
			s := validSample(operation)
			p := s.places()[i]
			want := spoil(p)
			if want == "" {
				continue
			}
			spoiled++
			err := s.send(t, do)
			if err == nil {
				if want != "any" {
					t.Errorf("%s: %s was taken", operation, p.path)
				}
				continue
			}
			e := wantBadRequest(t, err)
			modelled := map[string]bool{"InvalidParameterException": true, "InvalidRequestException": true,
				"BadRequestException": true}
			if want == "modelled" && !modelled[e.Code] || want == "SerializationException" && e.Code != want &&
				!modelled[e.Code] {
				t.Errorf("%s: %s: got %s, want %s", operation, p.path, e.Code, want)
			}
		}
	}
	if spoiled == 0 {
		t.Error("nothing was tried")
	}
}

func TestValidInputsOfEveryOperationAreTaken(t *testing.T) {
	do := echo(true)
	for _, schema := range operations {
		if err := validSample(schema.ID().Name).send(t, do); err != nil {
			t.Errorf("%s: %v", schema.ID().Name, err)
		}
	}
}

func TestMissingRequiredMembersOfEveryOperationAreRefused(t *testing.T) {
	everyPlace(t, func(p place) string {
		if !p.required || p.label {
			return ""
		}
		p.remove()
		return "modelled"
	})
}

func TestNullIsAsIfNotSent(t *testing.T) {
	everyPlace(t, func(p place) string {
		if !p.inBody {
			return ""
		}
		p.set(nil)
		if p.required || p.remove == nil { // in lists and maps there is no null
			return "modelled"
		}
		return "any"
	})
}

func TestWrongTypesInEveryOperationAreRefused(t *testing.T) {
	wrong := map[smithy.ShapeType][]any{
		smithy.ShapeTypeStructure: {"text", json.Number("1"), []any{}, true},
		smithy.ShapeTypeMap:       {"text", json.Number("1"), []any{}, false},
		smithy.ShapeTypeList:      {"text", json.Number("1"), map[string]any{}, true},
		smithy.ShapeTypeBoolean:   {"true", json.Number("1"), []any{}, map[string]any{}},
		smithy.ShapeTypeInteger: {"1", json.Number("1.5"), json.Number("1e400"), json.Number("99999999999999999999"),
			true, []any{}},
		smithy.ShapeTypeString: {json.Number("1"), true, []any{"a"}, map[string]any{"a": "b"}},
		smithy.ShapeTypeEnum:   {json.Number("1"), true, []any{"a"}, map[string]any{"a": "b"}},
	}
	for i := range 6 {
		everyPlace(t, func(p place) string {
			values := wrong[p.schema.Type()]
			if p.inBody && i < len(values) {
				p.set(values[i])
				return "SerializationException"
			}
			if i == 0 && (p.schema.Type() == smithy.ShapeTypeInteger || p.schema.Type() == smithy.ShapeTypeBoolean) {
				p.set("neither") // in a query all is text
				return "SerializationException"
			}
			return ""
		})
	}
}

func TestUnknownEnumValuesInEveryOperationAreRefused(t *testing.T) {
	for _, value := range []string{"no-such-value", "", "\x00", strings.Repeat("x", 1<<14)} {
		everyPlace(t, func(p place) string {
			if len(constraints[p.schema.TargetID().Name].Enum) == 0 {
				return ""
			}
			p.set(value)
			return "modelled"
		})
	}
}

func TestOversizedValuesInEveryOperationAreRefused(t *testing.T) {
	everyPlace(t, func(p place) string {
		c := constraints[p.schema.TargetID().Name]
		if c.Max == nil {
			return ""
		}
		n := int(*c.Max) + 1
		switch p.schema.Type() {
		case smithy.ShapeTypeString:
			p.set(strings.Repeat("ü", n))
		case smithy.ShapeTypeInteger:
			p.set(json.Number(fmt.Sprint(n)))
		case smithy.ShapeTypeList:
			p.set(slices.Repeat([]any{validValue(p.schema.ListMember())}, n))
		case smithy.ShapeTypeMap:
			many := map[string]any{}
			for i := range n {
				many[fmt.Sprintf("key%d", i)] = validValue(p.schema.MapValue())
			}
			p.set(many)
		}
		return "modelled"
	})
}

func TestAMegabyteInAnyTextIsNoServerError(t *testing.T) {
	megabyte, long, tried := strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<14), map[string]bool{}
	everyPlace(t, func(p place) string {
		switch {
		case p.schema.Type() != smithy.ShapeTypeString:
			return ""
		case p.inBody && !tried[p.operation]: // one for each operation: more would only measure the JSON decoder
			tried[p.operation] = true
			p.set(megabyte)
		default: // and no path or query is longer, since the server's limit for a head is 64 KiB
			p.set(long)
		}
		return "any"
	})
}

func TestGarbageBodiesOfEveryOperationAreRefused(t *testing.T) {
	bodies := []string{
		"garbage", "{", "}", "[]", "null", "1", `"text"`, "{}{}", "{} x", `{"a":1,"a":2}`, `{"a":1,}`, `{a:1}`,
		"{\"a\":\"\xff\"}", "{\"a\":\"\x01\"}", `{"a":NaN}`, `{"a":01}`,
		"\xef\xbb\xbf{}", "\x00", strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000),
		strings.Repeat("[", 1<<19), `{"a":` + strings.Repeat("[", 100000),
	}
	do := echo(true)
	for _, s := range snapshots(t) {
		if s.body == "" {
			continue
		}
		for _, body := range bodies {
			if e := wantBadRequest(t, do(s.method, s.target, body).err); e.Code != "SerializationException" {
				t.Errorf("%s with %.40q: got %s", s.operation, body, e.Code)
			}
		}
	}
}

// TestRefusalsReadAsThoseOfEKS pins the texts that clients match and users know.
func TestRefusalsReadAsThoseOfEKS(t *testing.T) {
	do := echo(true)
	for _, test := range []struct{ name, method, target, body, code, want string }{
		{"a bad name", http.MethodPost, "/clusters", `{"name":"no spaces","roleArn":"arn","resourcesVpcConfig":{}}`,
			"InvalidParameterException",
			`1 validation error detected: Value 'no spaces' at 'name' failed to satisfy constraint: Member must satisfy ` +
				`regular expression pattern: ^[0-9A-Za-z][A-Za-z0-9\-_]*`},
		{"a name behind which a line ends", http.MethodPost, "/clusters",
			`{"name":"demo\n","roleArn":"arn","resourcesVpcConfig":{}}`, "InvalidParameterException",
			"1 validation error detected: Value 'demo\n' at 'name' failed to satisfy constraint: Member must satisfy " +
				"regular expression pattern: ^[0-9A-Za-z][A-Za-z0-9\\-_]*"},
		{"two members missing", http.MethodPost, "/clusters", `{"name":"demo"}`, "InvalidParameterException",
			"2 validation errors detected: Value null at 'resourcesVpcConfig' failed to satisfy constraint: Member must " +
				"not be null; " +
				"Value null at 'roleArn' failed to satisfy constraint: Member must not be null"},
		{"a page of none", http.MethodGet, "/clusters?maxResults=0", "", "InvalidParameterException",
			"1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have value " +
				"greater than or equal to 1"},
		{"a page that is no number", http.MethodGet, "/clusters?maxResults=many", "", "SerializationException",
			"The request cannot be read: maxResults must be an integer in its type's range, not this string."},
		{"an enum in a list", http.MethodPost, "/clusters/demo/update-config",
			`{"logging":{"clusterLogging":[{"types":["api","nothing"]}]}}`, "InvalidParameterException",
			"1 validation error detected: Value 'nothing' at 'logging.clusterLogging.1.member.types.2.member' failed to " +
				"satisfy constraint: " +
				"Member must satisfy enum value set: [api, audit, authenticator, controllerManager, scheduler]"},
		{"tags of none", http.MethodPost, "/tags/arn", `{"tags":{}}`, "BadRequestException",
			"1 validation error detected: Value (a map of 0) at 'tags' failed to satisfy constraint: Member must have " +
				"length greater than or equal to 1"},
		{"a number for a text", http.MethodPost, "/clusters", `{"name":1}`, "SerializationException",
			"The request cannot be read: name must be a string, not this number."},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := wantBadRequest(t, do(test.method, test.target, test.body).err)
			if e.Code != test.code || e.Message != test.want {
				t.Errorf("got %s: %s\nwant %s: %s", e.Code, e.Message, test.code, test.want)
			}
		})
	}
}

func TestRefusalsNameTheClusterNodegroupAndAddon(t *testing.T) {
	got := wantBadRequest(t, echo(true)(http.MethodPost, "/clusters/demo/node-groups", `{"nodegroupName":"workers",`+
		`"nodeRole":"r"}`).err)
	text, err := wire.Encode(got.Shape)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"clusterName":"demo"`, `"nodegroupName":"workers"`, `"message":"1 validation error`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("got %s, want %s in it", text, want)
		}
	}
}

// TestZeroIsAValueOfEveryRequiredMember sends false and 0 where the model wants a boolean or number.
func TestZeroIsAValueOfEveryRequiredMember(t *testing.T) {
	do := echo(true)
	for _, schema := range operations {
		operation := schema.ID().Name
		for i := range validSample(operation).places() {
			s := validSample(operation)
			p := s.places()[i]
			switch c := constraints[p.schema.TargetID().Name]; {
			case p.schema.Type() == smithy.ShapeTypeBoolean:
				p.set(false)
			case p.schema.Type() == smithy.ShapeTypeInteger && (c.Min == nil || *c.Min <= 0):
				p.set(json.Number("0"))
			default:
				continue
			}
			if err := s.send(t, do); err != nil {
				t.Errorf("%s: %s: %v", operation, p.path, err)
			}
		}
	}
}

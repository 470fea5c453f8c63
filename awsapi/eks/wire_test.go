package eks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/restjson1"
	"github.com/google/go-cmp/cmp"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

func TestSnapshotsRouteDecodeAndEncodeToTheSame(t *testing.T) {
	send := echo(false)
	for _, s := range snapshots(t) {
		got := send(s.method, s.target, s.body)
		if got.operation != s.operation || got.err != nil {
			t.Errorf("%s: got operation %q, error %v", s.operation, got.operation, got.err)
			continue
		}
		method, target, body := encodeRequest(t, s.operation, got.input)
		if diff := cmp.Diff([]any{s.method, sameURL(t, s.target), sameJSON(t, s.body)},
			[]any{method, sameURL(t, target), sameJSON(t, body)}); diff != "" {
			t.Errorf("%s (-snapshot +encoded again):\n%s", s.operation, diff)
		}
	}
}

// sameURL is a URL's path and parameters: equal for URLs that differ only in the parameters' order.
func sameURL(t testing.TB, target string) []any {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return []any{u.EscapedPath(), map[string][]string(u.Query())}
}

func sameJSON(t testing.TB, text string) any {
	t.Helper()
	var v any
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// TestEveryInputHasAFieldForEachMember looks at all depths, since fields are found by their names.
func TestEveryInputHasAFieldForEachMember(t *testing.T) {
	seen := map[string]bool{}
	for _, operation := range operations {
		name := operation.ID().Name
		in := newInput(name)
		checkFields(t, reflect.TypeOf(in), wire.InputSchema(in), seen)
	}
}

func checkFields(t *testing.T, goType reflect.Type, schema *smithy.Schema, seen map[string]bool) {
	t.Helper()
	if goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	switch schema.Type() {
	case smithy.ShapeTypeStructure:
		if seen[goType.String()] {
			return
		}
		seen[goType.String()] = true
		for name, member := range schema.Members() {
			field, ok := goType.FieldByName(strings.ToUpper(name[:1]) + name[1:])
			if !ok {
				t.Errorf("%s has no field for %s", goType, name)
				continue
			}
			checkFields(t, field.Type, member, seen)
		}
	case smithy.ShapeTypeList:
		checkFields(t, goType.Elem(), schema.ListMember(), seen)
	case smithy.ShapeTypeMap:
		checkFields(t, goType.Elem(), schema.MapValue(), seen)
	case smithy.ShapeTypeString, smithy.ShapeTypeEnum, smithy.ShapeTypeBoolean, smithy.ShapeTypeInteger:
	default:
		t.Errorf("%s is of a shape that no input had before: look whether wire.Input reads it", goType)
	}
}

// TestResponseSnapshotsEncodeToTheSame reads each response with the SDK and writes it as Tripod does.
func TestResponseSnapshotsEncodeToTheSame(t *testing.T) {
	dir := filepath.Join(sdkDir(t), "response_snapshot")
	for _, schema := range operations {
		operation := schema.ID().Name
		text, err := os.ReadFile(filepath.Join(dir, operation+".response.snap"))
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(string(text), "\n\n")
		out := newOutput(operation)
		response := &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusOK, Header: http.Header{},
			Body: io.NopCloser(strings.NewReader(body))}}
		op := smithy.NewOperationSchema(schema, nil, wire.InputSchema(out))
		if err := restjson1.New(nil).DeserializeResponse(context.Background(), op, nil, response,
			out.(smithy.Deserializable)); err != nil {
			t.Fatalf("%s: %v", operation, err)
		}
		got, err := wire.Encode(out, alwaysWritten...)
		if err != nil {
			t.Errorf("%s: %v", operation, err)
			continue
		}
		if body = strings.TrimSpace(body); body == "" {
			body = "{}" // the placeholder of an output without members
		}
		if diff := cmp.Diff(sameJSON(t, body), sameJSON(t, string(bytes.TrimSpace(got)))); diff != "" {
			t.Errorf("%s (-snapshot +encoded):\n%s", operation, diff)
		}
	}
}

// TestUnboxedBooleansOfOutputsAreAlwaysWritten compares the list with what the schemas say, so that a new SDK cannot
// bring one unseen.
func TestUnboxedBooleansOfOutputsAreAlwaysWritten(t *testing.T) {
	listed, found, seen := map[*smithy.Schema]bool{}, map[*smithy.Schema]bool{}, map[string]bool{}
	for _, schema := range alwaysWritten {
		listed[schema] = true
	}
	var walk func(schema *smithy.Schema)
	walk = func(schema *smithy.Schema) {
		if schema.Type() == smithy.ShapeTypeEnum || seen[schema.TargetID().String()] && schema.TargetID().Name != "" {
			return
		}
		seen[schema.TargetID().String()] = true
		for _, member := range schema.Members() {
			if member.TargetID().Name == "Boolean" {
				found[member] = true
			}
			walk(member)
		}
	}
	for _, operation := range operations {
		walk(wire.InputSchema(newOutput(operation.ID().Name)))
	}
	for schema := range found {
		if !listed[schema] {
			t.Errorf("alwaysWritten lacks %s", schema.MemberName())
		}
	}
	if len(found) != len(listed) {
		t.Errorf("got %d unboxed booleans in outputs, %d listed", len(found), len(listed))
	}
}

// TestOutputsAreBodiesWithStatus200 pins what the front relies on.
func TestOutputsAreBodiesWithStatus200(t *testing.T) {
	for _, schema := range operations {
		binding, _ := smithy.SchemaTrait[*traits.HTTP](schema)
		if binding.Code != http.StatusOK {
			t.Errorf("%s answers with %d", schema.ID().Name, binding.Code)
		}
		for name, member := range wire.InputSchema(newOutput(schema.ID().Name)).Members() {
			if _, ok := smithy.SchemaTrait[*traits.HTTPHeader](member); ok {
				t.Errorf("%s has %s in a header", schema.ID().Name, name)
			}
		}
	}
}

// FuzzDecode sends anything to any operation: it is decoded, and then survives being encoded and decoded again, or
// refused with 400.
func FuzzDecode(f *testing.F) {
	for i, s := range snapshots(f) {
		f.Add(uint8(i), s.target, s.body)
	}
	for _, body := range []string{`{"tags":{"a":null}}`, `{"name":"a","name":"b"}`,
		`{"logging":{"clusterLogging":[null,{"types":[""]}]}}`, `{"version":1e400}`, "[[[[", "{\"a\":\"\xff\"}"} {
		f.Add(uint8(9), "/clusters", body)
	}
	requests := snapshots(f)
	lax, strict := echo(false), echo(true)
	f.Fuzz(func(t *testing.T, index uint8, target, body string) {
		s := requests[int(index)%len(requests)]
		if u, err := url.ParseRequestURI(target); err != nil || u.Host != "" || strings.ContainsAny(target, " \t\r\n\v\f") {
			target = s.target
		}
		if _, err := http.NewRequest(s.method, target, nil); err != nil {
			target = s.target
		}
		if got := strict(s.method, target, body); got.err != nil {
			wantBadRequest(t, got.err)
		}
		first := lax(s.method, target, body)
		if first.operation == "" {
			return
		}
		if first.err != nil {
			wantBadRequest(t, first.err)
			return
		}
		method, again, text := encodeRequest(t, first.operation, first.input)
		second := lax(method, again, text)
		if second.err != nil {
			t.Fatalf("%s was decoded, but not what it encodes to, %q %q: %v", first.operation, again, text, second.err)
		}
	})
}

func wantBadRequest(t testing.TB, err error) *wire.Error {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error for the client", err)
	}
	if e.Status != http.StatusBadRequest || e.Message == "" || len(e.Message) > 16<<10 {
		t.Fatalf("got status %d, %s with %d bytes of message", e.Status, e.Code, len(e.Message))
	}
	return e
}

// BenchmarkDecode measures what a call costs before its handler runs.
func BenchmarkDecode(b *testing.B) {
	actions := map[string]operation.Action{
		"CreateCluster": typed(func(*operation.Call, *sdk.CreateClusterInput) (*sdk.CreateClusterOutput,
			error) {
			return nil, nil
		}),
		"DescribeCluster": typed(func(*operation.Call, *sdk.DescribeClusterInput) (*sdk.DescribeClusterOutput,
			error) {
			return nil, nil
		}),
	}
	for _, s := range snapshots(b) {
		action, ok := actions[s.operation]
		if !ok {
			continue
		}
		b.Run(s.operation, func(b *testing.B) {
			sample := validSample(s.operation)
			body := ""
			if s.operation == "CreateCluster" {
				text, err := json.Marshal(sample.members)
				if err != nil {
					b.Fatal(err)
				}
				body = string(text)
			}
			call := &operation.Call{Operation: s.operation, Labels: map[string]string{"name": "demo"}, Body: []byte(body)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := action(call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

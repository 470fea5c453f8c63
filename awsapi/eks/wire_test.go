package eks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/restjson1"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"

	"tripod/awsapi/wire"
)

// newInput makes an operation's input of the SDK.
func newInput(operation string) smithy.Serializable {
	method, _ := reflect.TypeFor[*sdk.Client]().MethodByName(operation)
	return reflect.New(method.Type.In(2).Elem()).Interface().(smithy.Serializable) // func(*Client, context.Context, *Input, ...)
}

// newOutput makes an operation's output of the SDK.
func newOutput(operation string) smithy.Serializable {
	method, _ := reflect.TypeFor[*sdk.Client]().MethodByName(operation)
	return reflect.New(method.Type.Out(0).Elem()).Interface().(smithy.Serializable)
}

// sdkDir is the directory of the SDK's package for EKS.
func sdkDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/eks").Output()
	if err != nil {
		t.Fatalf("find the SDK's source: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// snapshot is one request of the SDK's own tests.
type snapshot struct {
	operation, method, target, body string
}

func snapshots(t testing.TB) []snapshot {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(sdkDir(t), "request_snapshot", "*.snap"))
	if err != nil || len(paths) != len(operations) {
		t.Fatalf("got %d snapshots for %d operations, error %v", len(paths), len(operations), err)
	}
	var all []snapshot
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		line, rest, _ := strings.Cut(string(text), "\n\n")
		_, body, _ := strings.Cut(rest, "\n\n")
		method, target, _ := strings.Cut(line, " ")
		operation, _, _ := strings.Cut(filepath.Base(path), ".")
		all = append(all, snapshot{operation, method, target, strings.TrimSpace(body)})
	}
	return all
}

// echoed is what became of a request: the operation to which it was routed, its input, or the error.
type echoed struct {
	operation string
	input     smithy.Serializable
	err       error
}

// echo routes requests as the front does and answers none: it decodes their inputs, with or without validation.
func echo(validate bool) func(method, target, body string) echoed {
	var last echoed
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	(&Service{}).Routes(router, func(operation string, _ Action) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			call := &wire.Call{Operation: operation, Labels: map[string]string{}, Params: r.URL.Query(), Body: text, Request: r}
			for name, value := range mux.Vars(r) {
				call.Labels[name], _ = url.PathUnescape(value)
			}
			in := newInput(operation)
			last = echoed{operation: operation, input: in, err: decode(call, in, validate)}
		})
	})
	return func(method, target, body string) echoed {
		last = echoed{}
		router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, target, strings.NewReader(body)))
		return last
	}
}

func decode(call *wire.Call, in smithy.Serializable, validate bool) error {
	schema := wire.InputSchema(in)
	if validate {
		return read(call, schema, in)
	}
	input, err := wire.InputOf(call, schema)
	if err != nil {
		return err
	}
	return input.Into(in)
}

// encodeRequest writes an input as the SDK's client would.
func encodeRequest(t testing.TB, operation string, in smithy.Serializable) (method, target, body string) {
	t.Helper()
	request := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	schema := smithy.NewOperationSchema(schemaOf(t, operation), wire.InputSchema(in), nil)
	if err := restjson1.New(nil).SerializeRequest(context.Background(), schema, in, request); err != nil {
		t.Fatalf("encode %s: %v", operation, err)
	}
	if stream := request.GetStream(); stream != nil {
		text, err := io.ReadAll(stream)
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	target = request.URL.EscapedPath()
	if request.URL.RawQuery != "" {
		target += "?" + request.URL.RawQuery
	}
	return request.Method, target, body
}

func schemaOf(t testing.TB, operation string) *smithy.Schema {
	t.Helper()
	for _, schema := range operations {
		if schema.ID().Name == operation {
			return schema
		}
	}
	t.Fatalf("there is no operation %s", operation)
	return nil
}

func TestSnapshotsRouteDecodeAndEncodeToTheSame(t *testing.T) {
	send := echo(false)
	for _, s := range snapshots(t) {
		got := send(s.method, s.target, s.body)
		if got.operation != s.operation || got.err != nil {
			t.Errorf("%s: got operation %q, error %v", s.operation, got.operation, got.err)
			continue
		}
		method, target, body := encodeRequest(t, s.operation, got.input)
		if diff := cmp.Diff([]any{s.method, sameURL(t, s.target), sameJSON(t, s.body)}, []any{method, sameURL(t, target), sameJSON(t, body)}); diff != "" {
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
		response := &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}}
		op := smithy.NewOperationSchema(schema, nil, wire.InputSchema(out))
		if err := restjson1.New(nil).DeserializeResponse(context.Background(), op, nil, response, out.(smithy.Deserializable)); err != nil {
			t.Fatalf("%s: %v", operation, err)
		}
		got, err := wire.Encode(out, AlwaysWritten...)
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

// TestUnboxedBooleansOfOutputsAreAlwaysWritten compares the list with what the schemas say, so that a new SDK cannot bring one unseen.
func TestUnboxedBooleansOfOutputsAreAlwaysWritten(t *testing.T) {
	listed, found, seen := map[*smithy.Schema]bool{}, map[*smithy.Schema]bool{}, map[string]bool{}
	for _, schema := range AlwaysWritten {
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
			t.Errorf("AlwaysWritten lacks %s", schema.MemberName())
		}
	}
	if len(found) != len(listed) {
		t.Errorf("got %d unboxed booleans in outputs, %d listed", len(found), len(listed))
	}
}

// FuzzDecode sends anything to any operation: it is decoded, and then survives being encoded and decoded again, or refused with 400.
func FuzzDecode(f *testing.F) {
	for i, s := range snapshots(f) {
		f.Add(uint8(i), s.target, s.body)
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

func BenchmarkDecode(b *testing.B) {
	for _, s := range snapshots(b) {
		if s.operation != "DescribeCluster" && s.operation != "CreateCluster" {
			continue
		}
		b.Run(s.operation, func(b *testing.B) {
			schema := wire.InputSchema(newInput(s.operation))
			call := &wire.Call{Operation: s.operation, Labels: map[string]string{"name": "demo"}, Body: []byte(strings.ReplaceAll(s.body, "__Name__", "demo"))}
			b.ReportAllocs()
			for b.Loop() {
				input, err := wire.InputOf(call, schema)
				if err != nil {
					b.Fatal(err)
				}
				if err := input.Into(newInput(s.operation)); err != nil {
					b.Fatal(err)
				}
				input.Validate(constraints)
			}
		})
	}
}

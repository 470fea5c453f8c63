package eks

import (
	"context"
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
	"github.com/gorilla/mux"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// operations are the schemas of all of the API's operations.
var operations = func() (all []*smithy.Schema) {
	for _, one := range (&Service{}).operations() {
		all = append(all, one.schema)
	}
	return all
}()

// newInput makes an operation's input of the SDK.
func newInput(operation string) smithy.Serializable {
	method, _ := reflect.TypeFor[*sdk.Client]().MethodByName(operation)
	// func(*Client, context.Context, *Input, ...)
	return reflect.New(method.Type.In(2).Elem()).Interface().(smithy.Serializable)
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
	(&Service{}).API().Route(router, func(named string) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			call := &operation.Call{Operation: named, Labels: map[string]string{}, Params: r.URL.Query(), Body: text, Request: r}
			for name, value := range mux.Vars(r) {
				call.Labels[name], _ = url.PathUnescape(value)
			}
			in := newInput(named)
			last = echoed{operation: named, input: in, err: decode(call, in, validate)}
		})
	})
	return func(method, target, body string) echoed {
		last = echoed{}
		router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, target, strings.NewReader(body)))
		return last
	}
}

func decode(call *operation.Call, in smithy.Serializable, validate bool) error {
	schema := wire.InputSchema(in)
	if validate {
		return model.Decode(call, schema, in)
	}
	input, err := wire.InputOf(schema, wire.Parts{
		Labels: call.Labels, Params: call.Params, Header: call.Request.Header, Body: call.Body,
	})
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

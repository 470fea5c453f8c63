package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
)

func TestTheDocumentsAreWhatTheCodeDeclares(t *testing.T) {
	files, err := generate("../../api")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("../../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), string(want)); diff != "" {
			t.Errorf("docs/%s is stale: run 'go generate ./internal/openapi' (-file +code):\n%s", name, diff)
		}
	}
}

// TestEveryMemberOfWhatCrossesIsDescribed lets encoding/json write a full value of each type, and looks each member up.
func TestEveryMemberOfWhatCrossesIsDescribed(t *testing.T) {
	text, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]map[string]any }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, route := range api.Routes {
		path := api.ControlRoot + route.Path
		if got := doc.Paths[path][strings.ToLower(route.Method)].OperationID; got != route.Name {
			t.Errorf("%s %s is described as %q, want %q", route.Method, path, got, route.Name)
		}
		for _, value := range []any{route.Body, route.Answer} {
			if value == nil || typeName(value) == "" {
				continue
			}
			full := reflect.New(reflect.TypeOf(value)).Elem()
			fill(t, full)
			written, err := json.Marshal(full.Interface())
			if err != nil {
				t.Fatal(err)
			}
			var members any
			if err := json.Unmarshal(written, &members); err != nil {
				t.Fatal(err)
			}
			look := looker{schemas: doc.Components.Schemas}
			look.at(typeName(value), map[string]any{"$ref": "#/components/schemas/" + typeName(value)}, members)
			for _, fault := range look.faults {
				t.Errorf("%s: %s", route.Name, fault)
			}
		}
	}
}

// fill gives every field a value that its JSON shows.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
		return
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
		return
	case v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("x"), reflect.ValueOf("x"))
		return
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1)
	default:
		t.Fatalf("this test has no value of a %s", v.Type())
	}
}

// looker looks JSON up in the document's schemas.
type looker struct {
	schemas map[string]map[string]any
	faults  []string
}

func (l *looker) at(path string, schema map[string]any, value any) {
	if name, ok := schema["$ref"].(string); ok {
		schema = l.schemas[strings.TrimPrefix(name, "#/components/schemas/")]
	}
	kinds := []any{schema["type"]}
	if several, ok := schema["type"].([]any); ok {
		kinds = several
	}
	kind := map[string]string{"map[string]interface {}": "object", "[]interface {}": "array", "string": "string", "bool": "boolean",
		"float64": "number"}[fmt.Sprintf("%T", value)]
	if kind == "number" && slices.Contains(kinds, any("integer")) {
		kind = "integer"
	}
	if !slices.Contains(kinds, any(kind)) {
		l.faults = append(l.faults, fmt.Sprintf("%s is of the type %s, and described as %v", path, kind, kinds))
		return
	}
	switch value := value.(type) {
	case []any:
		items, _ := schema["items"].(map[string]any)
		l.at(path+"[]", items, value[0])
	case map[string]any:
		if of, any := schema["additionalProperties"].(map[string]any); any {
			l.at(path+".*", of, value["x"])
			return
		}
		properties, _ := schema["properties"].(map[string]any)
		for name, of := range value {
			property, found := properties[name].(map[string]any)
			if !found {
				l.faults = append(l.faults, path+"."+name+" is not described")
				continue
			}
			l.at(path+"."+name, property, of)
		}
		if len(properties) > len(value) {
			l.faults = append(l.faults, fmt.Sprintf("%s has %d members, and %d are described", path, len(value), len(properties)))
		}
	}
}

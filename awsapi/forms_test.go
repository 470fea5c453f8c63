package awsapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/state"
)

var writeForms = flag.Bool("write-forms", false, "write testdata/forms anew")

// TestRecordsKeepTheirForm: the encoded form of a record is on the disks of every region. What is in testdata/forms is written and read as
// ever: a field that is added adds a line to it; one that is renamed, or that goes, breaks regions.
func TestRecordsKeepTheirForm(t *testing.T) {
	kinds := state.Kinds()
	files, err := filepath.Glob(filepath.Join("testdata", "forms", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if kind := strings.TrimSuffix(filepath.Base(file), ".json"); kinds[kind] == nil {
			t.Errorf("%s is the form of a record that nobody has any more: regions have them", file)
		}
	}
	for kind, record := range kinds {
		t.Run(kind, func(t *testing.T) {
			value := reflect.New(record).Elem()
			fill(value)
			text, err := json.MarshalIndent(value.Interface(), "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "forms", kind+".json")
			if *writeForms {
				if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(text)); diff != "" {
				t.Errorf("the form has changed (-on disk +now):\n%s", diff)
			}
			again := reflect.New(value.Type())
			err = json.Unmarshal(want, again.Interface())
			if got := again.Elem().Interface(); err != nil || !reflect.DeepEqual(got, value.Interface()) {
				t.Errorf("what is on disk is read as %+v (%v)", got, err)
			}
		})
	}
}

// fill gives every field a value.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`"raw"`)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(7.5)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Interface:
		v.Set(reflect.ValueOf("text"))
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && field.Tag.Get("json") != "-" {
				fill(v.Field(i))
			}
		}
	default:
		panic("a record has a field of kind " + v.Kind().String())
	}
}

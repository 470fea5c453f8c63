package wire

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxQueryParams bounds the parameters of a call of the query protocol: no call of a real client comes near it.
const maxQueryParams = 1000

// DecodeQuery fills the struct that into points to from the parameters of a call of the query protocol. A field has its
// parameter's name, or that of its tag `query:"Name"`; with the option ",required" it must be there and not be empty.
// Fields are strings, bools, ints and floats, pointers to them and to structs (nil: not given), structs, and slices,
// written Name.member.1, Name.member.2 in the order of the numbers. The members of an embedded struct, and of one with
// the tag `query:"-"`, count as the struct's own.
//
// A parameter that has no field is refused: silence would be taken for effect.
func DecodeQuery(params url.Values, into any) error {
	if len(params) > maxQueryParams {
		return queryError(fmt.Sprintf("The request has more than %d parameters.", maxQueryParams))
	}
	d := queryDecoder{params, map[string]bool{"Action": true, "Version": true}}
	if err := d.fill("", reflect.ValueOf(into).Elem(), false); err != nil {
		return err
	}
	var unknown []string
	for name := range params {
		if !d.used[name] && !strings.HasPrefix(name, "X-Amz-") {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown) // so that the same request always has the same error
	return queryError("The parameter " + Clip(unknown[0]) + " is not known to Tripod here: leave it out.")
}

type queryDecoder struct {
	params url.Values
	used   map[string]bool
}

func queryError(message string) error {
	return &Error{Code: "ValidationError", Status: http.StatusBadRequest, Message: message}
}

func (d queryDecoder) fill(path string, value reflect.Value, required bool) error {
	switch {
	case value.Kind() == reflect.Struct:
		return d.fillStruct(path, value)
	case value.Kind() == reflect.Slice:
		return d.fillSlice(path, value, required)
	case value.Kind() == reflect.Pointer && value.Type().Elem().Kind() == reflect.Struct:
		if !d.below(path) {
			return nil
		}
		value.Set(reflect.New(value.Type().Elem()))
		return d.fillStruct(path, value.Elem())
	}
	texts, given := d.params[path]
	d.used[path] = true
	switch {
	case len(texts) > 1:
		return queryError(fmt.Sprintf("The parameter %s is given %d times: give it once.", path, len(texts)))
	case required && (!given || texts[0] == ""):
		return queryError("The request must contain the parameter " + path + ".")
	case !given:
		return nil
	}
	if value.Kind() == reflect.Pointer {
		value.Set(reflect.New(value.Type().Elem()))
		value = value.Elem()
	}
	return setQueryScalar(path, texts[0], value)
}

// below says whether there is a parameter below a path, and has it used where the path itself is given, without a value.
func (d queryDecoder) below(path string) bool {
	if d.params.Get(path) == "" {
		d.used[path] = true
	}
	for name := range d.params {
		if strings.HasPrefix(name, path+".") {
			return true
		}
	}
	return false
}

func (d queryDecoder) fillStruct(path string, value reflect.Value) error {
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if field.Anonymous || field.Tag.Get("query") == "-" {
			if err := d.fillStruct(path, value.Field(i)); err != nil {
				return err
			}
			continue
		}
		name, option, _ := strings.Cut(field.Tag.Get("query"), ",")
		if name == "" {
			name = field.Name
		}
		if err := d.fill(dotted(path, name), value.Field(i), option == "required"); err != nil {
			return err
		}
	}
	return nil
}

func (d queryDecoder) fillSlice(path string, value reflect.Value, required bool) error {
	prefix := path + ".member."
	var indices []int
	for name := range d.params {
		rest, found := strings.CutPrefix(name, prefix)
		if !found {
			continue
		}
		text, _, _ := strings.Cut(rest, ".")
		index, err := strconv.Atoi(text)
		if err == nil && index > 0 && strconv.Itoa(index) == text && !slices.Contains(indices, index) {
			indices = append(indices, index)
		}
	}
	if d.params.Get(path) == "" { // so clients write an empty list
		d.used[path] = true
	}
	if required && len(indices) == 0 {
		return queryError("The request must contain the parameter " + prefix + "1.")
	}
	slices.Sort(indices)
	value.Set(reflect.MakeSlice(value.Type(), len(indices), len(indices)))
	for i, index := range indices {
		if err := d.fill(prefix+strconv.Itoa(index), value.Index(i),
			value.Type().Elem().Kind() == reflect.String); err != nil {
			return err
		}
	}
	return nil
}

func setQueryScalar(path, text string, value reflect.Value) error {
	wrong := func(expected string) error { return queryError("The parameter " + path + " must be " + expected + ".") }
	switch value.Kind() {
	case reflect.String:
		if !validXML(text) {
			return wrong("text without control characters")
		}
		value.SetString(text)
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true":
			value.SetBool(true)
		case "false":
			value.SetBool(false)
		default:
			return wrong("true or false")
		}
	case reflect.Int:
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return wrong("an integer")
		}
		value.SetInt(number)
	case reflect.Float64:
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			return wrong("a number")
		}
		value.SetFloat(number)
	default: // a programming error in an input's type
		panic(fmt.Sprintf("wire: no query parameter can fill a %s", value.Type()))
	}
	return nil
}

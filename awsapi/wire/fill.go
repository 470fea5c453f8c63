package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/smithy-go"
)

// The SDK's types have a field for each member of their schema, named as the member with its first letter in upper
// case: so values are put into them by reflection, the same way at every depth. (Nested types could read themselves
// from a smithy.ShapeDeserializer, but the inputs that hold them cannot.)

// fillStruct fills the struct to which target points.
func fillStruct(target any, schema *smithy.Schema, members map[string]tree) error {
	return fillMembers(reflect.ValueOf(target).Elem(), "", schema, members)
}

func fillMembers(target reflect.Value, path string, schema *smithy.Schema, members map[string]tree) error {
	fields := fieldsOf(target.Type())
	for name, value := range members {
		member := schema.Member(name)
		if member == nil || value == nil {
			continue // unknown members and nulls are as if not sent
		}
		index, ok := fields[name]
		if !ok {
			return fmt.Errorf("fill %s: it has no field for the member %s", target.Type(), name)
		}
		if err := fill(target.Field(index), memberPath(path, name), member, value); err != nil {
			return err
		}
	}
	return nil
}

var fieldIndexes sync.Map // of map[string]int by reflect.Type

// fieldsOf are the indexes of a struct's fields by their members' names.
func fieldsOf(t reflect.Type) map[string]int {
	if known, ok := fieldIndexes.Load(t); ok {
		return known.(map[string]int)
	}
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		if field := t.Field(i); field.IsExported() {
			fields[field.Name] = i
			fields[lowerFirst(field.Name)] = i // so most JSON services name their members; KMS writes them as Go does
		}
	}
	known, _ := fieldIndexes.LoadOrStore(t, fields)
	return known.(map[string]int)
}

// fill puts one value that is not null into target.
func fill(target reflect.Value, path string, schema *smithy.Schema, value tree) error {
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	switch schema.Type() {
	case smithy.ShapeTypeStructure:
		if members, ok := value.(map[string]tree); ok {
			return fillMembers(target, path, schema, members)
		}
	case smithy.ShapeTypeList, smithy.ShapeTypeSet:
		if items, ok := value.([]tree); ok {
			return fillList(target, path, schema.ListMember(), items)
		}
	case smithy.ShapeTypeMap:
		if entries, ok := value.(map[string]tree); ok {
			return fillMap(target, path, schema.MapValue(), entries)
		}
	default:
		return fillLeaf(target, path, schema, value)
	}
	return wrongType(path, schema, value)
}

// fillList leaves nulls as zero values: they are refused as invalid, not as unreadable.
func fillList(target reflect.Value, path string, item *smithy.Schema, items []tree) error {
	list := reflect.MakeSlice(target.Type(), len(items), len(items))
	for i, value := range items {
		if value == nil {
			continue
		}
		if err := fill(list.Index(i), itemPath(path, i), item, value); err != nil {
			return err
		}
	}
	target.Set(list)
	return nil
}

func fillMap(target reflect.Value, path string, schema *smithy.Schema, entries map[string]tree) error {
	filled := reflect.MakeMapWithSize(target.Type(), len(entries))
	for key, value := range entries {
		entry := reflect.New(target.Type().Elem()).Elem()
		if value != nil {
			if err := fill(entry, memberPath(path, key), schema, value); err != nil {
				return err
			}
		}
		filled.SetMapIndex(reflect.ValueOf(key).Convert(target.Type().Key()), entry)
	}
	target.Set(filled)
	return nil
}

func fillLeaf(target reflect.Value, path string, schema *smithy.Schema, value tree) error {
	ok := false
	switch schema.Type() {
	case smithy.ShapeTypeString, smithy.ShapeTypeEnum:
		switch value := value.(type) {
		case string:
			target.SetString(value)
			ok = true
		case plain:
			target.SetString(string(value))
			ok = true
		}
	case smithy.ShapeTypeBoolean:
		var b bool
		if b, ok = boolean(value); ok {
			target.SetBool(b)
		}
	case smithy.ShapeTypeByte, smithy.ShapeTypeShort, smithy.ShapeTypeInteger, smithy.ShapeTypeLong,
		smithy.ShapeTypeIntEnum:
		var n int64
		if n, ok = integer(value); ok && !target.OverflowInt(n) {
			target.SetInt(n)
		} else {
			ok = false
		}
	case smithy.ShapeTypeFloat, smithy.ShapeTypeDouble:
		var f float64
		if f, ok = float(value); ok && !target.OverflowFloat(f) {
			target.SetFloat(f)
		} else {
			ok = false
		}
	case smithy.ShapeTypeTimestamp:
		var moment time.Time
		if moment, ok = timestamp(value); ok {
			target.Set(reflect.ValueOf(moment))
		}
	case smithy.ShapeTypeBlob:
		blob, err := base64.StdEncoding.DecodeString(textOf(value))
		if ok = err == nil && looks(value) == looks(""); ok {
			target.SetBytes(blob)
		}
	default: // no service here has another in its inputs; tests look
		return fmt.Errorf("fill %s: the shape %s cannot be read", path, schema.TargetID())
	}
	if !ok {
		return wrongType(path, schema, value)
	}
	return nil
}

func boolean(value tree) (b, ok bool) {
	switch value := value.(type) {
	case bool:
		return value, true
	case plain:
		return value == "true", value == "true" || value == "false"
	}
	return false, false
}

// integer is a whole number, also one written as 1.0 or 1e2, as AWS takes it.
func integer(value tree) (int64, bool) {
	text, ok := digits(value)
	if !ok {
		return 0, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	// Beyond 2^53 a float cannot tell one whole number from the next.
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func float(value tree) (float64, bool) {
	if text := textOf(value); text == "NaN" || text == "Infinity" || text == "-Infinity" {
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil
	}
	text, ok := digits(value)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// digits is the text of a number: a JSON number, or outside the body a text that would be one.
func digits(value tree) (string, bool) {
	switch value := value.(type) {
	case json.Number:
		return value.String(), true
	case plain:
		var n json.Number
		// Only what JSON takes: not 0x10, 1_000 or NaN. A text in quotes would be read as a number too.
		if strings.HasPrefix(string(value), `"`) || json.Unmarshal([]byte(value), &n) != nil || n == "" {
			return "", false
		}
		return n.String(), true
	}
	return "", false
}

// timestamp is seconds since 1970 in a body, and RFC 3339 elsewhere, between the years 1 and 9999.
func timestamp(value tree) (time.Time, bool) {
	if text, ok := value.(plain); ok {
		moment, err := time.Parse(time.RFC3339Nano, string(text))
		return moment.UTC(), err == nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	const first, last = -62135596800, 253402300799
	if err != nil || seconds < first || seconds > last {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(fraction*1e3))*int64(time.Millisecond)).UTC(), true
}

func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }

func memberPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// itemPath is the path of an item, counted from 1 as AWS counts.
func itemPath(path string, i int) string { return path + "." + strconv.Itoa(i+1) + ".member" }

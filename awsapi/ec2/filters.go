package ec2

import (
	_ "embed"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// filterTable says where in a shown resource a filter looks: one table for all operations. A test compares its names
// with those that Amazon's model documents.
//
//go:embed filters.txt
var filterTable string

const (
	// nothingHas is the place of a filter that is about what no resource here has: nothing passes it.
	nothingHas = "-"
	// notYet is the place of a filter that is about what Tripod does not know: it is refused, and not as invalid.
	notYet = "?"
)

// documentedFilters are the table's: places by operation and filter.
var documentedFilters = sync.OnceValue(func() map[string]map[string][]string {
	all := map[string]map[string][]string{}
	var operation string
	for line := range strings.Lines(filterTable) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
		case line[0] != ' ':
			operation = fields[0]
			all[operation] = map[string][]string{}
		default:
			all[operation][fields[0]] = fields[1:]
		}
	}
	return all
})

// filter is one of a call's filters: any of its values, all of the filters.
type filter struct {
	Name   string   `ec2:"Name,required"`
	Values []string `ec2:"Value"`
}

// maxFilterValues bounds all values of a call's filters, as EC2 does.
const maxFilterValues = 200

// matching are the values, as the operation shows them, that pass all filters. tagsOf may be nil, for what has no tags.
func matching[T any](operation string, all []T, wanted []filter, tagsOf func(T) []tag) ([]T, error) {
	total := 0
	for _, f := range wanted {
		if total += len(f.Values); total > maxFilterValues {
			return nil, refuse("FilterLimitExceeded", "The filters have more than %d values.", maxFilterValues)
		}
		values := func(t T) []string { return tagValues(tagsOf(t), f.Name) }
		if !isTagFilter(f.Name) || tagsOf == nil {
			places, err := filterPlaces(operation, f.Name, reflect.TypeFor[T]())
			if err != nil {
				return nil, err
			}
			values = func(t T) (values []string) {
				for _, p := range places {
					values = p.texts(reflect.ValueOf(t), values)
				}
				return values
			}
		}
		all = slices.DeleteFunc(slices.Clone(all), func(t T) bool {
			return !slices.ContainsFunc(values(t), func(value string) bool {
				return slices.ContainsFunc(f.Values, func(pattern string) bool { return wildcard(pattern, value) })
			})
		})
	}
	return all, nil
}

func isTagFilter(name string) bool {
	return name == "tag-key" || name == "tag-value" || strings.HasPrefix(name, "tag:")
}

// filterPlaces are where a filter of the operation finds its values in a resource of that type.
func filterPlaces(operation, name string, in reflect.Type) ([]place, error) {
	paths, documented := documentedFilters()[operation][name]
	if !documented {
		return nil, refuse("InvalidParameterValue", "The filter '%s' is invalid", clip(name))
	}
	var places []place
	for _, path := range paths {
		switch path {
		case nothingHas:
		case notYet:
			return nil, refuse("UnsupportedOperation", "Tripod does not have the filter '%s' of %s yet.", name, operation)
		default:
			places = append(places, placeOf(in, path))
		}
	}
	return places, nil
}

// place is a member of a shown resource: the indexes of the fields on the way to it. Lists on the way count with all of
// their elements.
type place []int

// placeOf is the place with a path of names in EC2's XML, such as cidrBlockAssociationSet.cidrBlock. A field that is
// not shown has its name in the tag `filter`.
func placeOf(in reflect.Type, path string) place {
	var at place
	for rest := path; rest != ""; {
		for in.Kind() == reflect.Pointer || in.Kind() == reflect.Slice {
			in = in.Elem()
		}
		indexes, name := fieldNamed(in, rest)
		if name == "" {
			panic(fmt.Sprintf("ec2: filters.txt: %s has no %s of %s", in, rest,
				path)) // the table is checked in, and a test tries all of it
		}
		at, in = append(at, indexes...), in.FieldByIndex(indexes).Type
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, name), ".")
	}
	return at
}

// fieldNamed are the indexes of the struct's field with which the path begins, and its name there; none where there is
// no such field.
func fieldNamed(in reflect.Type, path string) ([]int, string) {
	if in.Kind() != reflect.Struct {
		return nil, ""
	}
	for _, field := range reflect.VisibleFields(in) {
		name, _, _ := strings.Cut(field.Tag.Get("xml"), ",")
		if name == "-" {
			name = field.Tag.Get("filter")
		}
		name = strings.ReplaceAll(name, ">", ".")
		if name != "" && (path == name || strings.HasPrefix(path, name+".")) {
			return field.Index, name
		}
	}
	return nil, ""
}

// texts appends what stands at the place in a value; nothing where that is not given.
func (p place) texts(value reflect.Value, into []string) []string {
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return into
		}
		return p.texts(value.Elem(), into)
	case reflect.Slice:
		for i := range value.Len() {
			into = p.texts(value.Index(i), into)
		}
		return into
	case reflect.Struct:
		if a, may := absentable(value); may && a.absent() {
			return into
		}
		return p[1:].texts(value.Field(p[0]), into)
	case reflect.Bool:
		return append(into, strconv.FormatBool(value.Bool()))
	case reflect.Float64:
		return append(into, strconv.FormatFloat(value.Float(), 'f', -1, 64))
	case reflect.Int:
		return append(into, strconv.FormatInt(value.Int(), 10))
	case reflect.String:
		if value.Len() > 0 {
			into = append(into, value.String())
		}
		return into
	}
	panic(fmt.Sprintf("ec2: a filter looks at a %s", value.Type()))
}

// absentable is a value that may say that it is not there.
func absentable(value reflect.Value) (a interface{ absent() bool }, may bool) {
	if value.CanInterface() {
		a, may = value.Interface().(interface{ absent() bool })
	}
	return a, may
}

package cloudwatch

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/wire"
)

// The errors of the operations on metric data. Their sentences name a parameter as the query protocol does.

func badValue(format string, args ...any) error {
	return &wire.Error{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Status: http.StatusBadRequest,
		Message: fmt.Sprintf(format, args...)}
}

func badCombination(format string, args ...any) error {
	return &wire.Error{Code: "InvalidParameterCombinationException", QueryCode: "InvalidParameterCombination",
		Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func missing(name string) error {
	return &wire.Error{Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Status: http.StatusBadRequest,
		Message: "The parameter " + name + " is required."}
}

func exclusive(one, other string) error {
	return badCombination("The parameters %s and %s are mutually exclusive and you have specified both.", one, other)
}

func tooMany(name string, most int) error {
	return badValue("The collection %s must not have a size greater than %d.", name, most)
}

// itemOf is the name of a list's item.
func itemOf(name string, i int) string { return name + ".member." + strconv.Itoa(i+1) }

// textOf is the text of a member with so many characters at most; empty where it may be and is.
func textOf(in wire.Document, member, name string, most int, needed bool) (string, error) {
	value := text(in, member)
	switch {
	case value == "" && needed:
		return "", missing(name)
	case len([]rune(value)) > most:
		return "", badValue("The parameter %s must be shorter than %d characters.", name, most+1)
	}
	return value, nil
}

func namespaceOf(in wire.Document, name string) (string, error) {
	value, err := textOf(in, "Namespace", name, 255, true)
	if err == nil && strings.HasPrefix(value, ":") {
		return "", badValue("The value %s for parameter %s is invalid.", wire.Clip(value), name)
	}
	return value, err
}

// unitOf is the unit of a document; empty where it has none.
func unitOf(in wire.Document, name string) (string, error) {
	value := text(in, "Unit")
	if value != "" && !slices.Contains(metricdata.Units, value) {
		return "", badValue("The parameter %s must be a value in the set [ %s ].", name, strings.Join(metricdata.Units, ", "))
	}
	return value, nil
}

// itemsOf are the documents of a list.
func itemsOf(in wire.Document, member string) (all []wire.Document) {
	items, _ := in[member].([]any)
	for _, item := range items {
		document, _ := item.(wire.Document)
		all = append(all, document)
	}
	return all
}

// numberOf is a number in any protocol: the query protocol writes it as text.
func numberOf(value any) (float64, bool) {
	switch value := value.(type) {
	case float64:
		return value, true
	case string:
		number, err := strconv.ParseFloat(value, 64)
		return number, err == nil
	}
	return 0, false
}

// whole is a member that is a whole number; absent where it is not there.
func whole(in wire.Document, member string, absent int64) (int64, error) {
	if in[member] == nil {
		return absent, nil
	}
	number, is := numberOf(in[member])
	if !is || number != math.Trunc(number) || math.Abs(number) > 1<<53 {
		return 0, badValue("The value %s for parameter %s is invalid.", wire.Clip(fmt.Sprint(in[member])), member)
	}
	return int64(number), nil
}

// timeIn is a member that is a time; false where it is not there.
func timeIn(in wire.Document, member, name string) (at time.Time, found bool, err error) {
	switch value := in[member].(type) {
	case nil:
		return time.Time{}, false, nil
	case float64:
		if !math.IsNaN(value) && math.Abs(value) < 1e11 {
			return time.UnixMilli(int64(math.Round(value * 1000))).UTC(), true, nil
		}
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02"} {
			if at, err := time.Parse(layout, value); err == nil {
				return at.UTC(), true, nil
			}
		}
		if seconds, err := strconv.ParseFloat(value, 64); err == nil && math.Abs(seconds) < 1e11 {
			return time.UnixMilli(int64(seconds * 1000)).UTC(), true, nil
		}
	}
	return time.Time{}, false, badValue("The parameter %s must be a timestamp in ISO 8601 format.", name)
}

// mostDimensions is how many dimensions a metric may have.
const mostDimensions = 30

// dimensionsOf are the dimensions of a document.
func dimensionsOf(in wire.Document, name string) (all []metricdata.Dimension, err error) {
	items := itemsOf(in, "Dimensions")
	if len(items) > mostDimensions {
		return nil, tooMany(name, mostDimensions)
	}
	for i, item := range items {
		var d metricdata.Dimension
		if d.Name, err = textOf(item, "Name", itemOf(name, i)+".Name", 255, true); err != nil {
			return nil, err
		}
		if d.Value, err = textOf(item, "Value", itemOf(name, i)+".Value", 1024, true); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(other metricdata.Dimension) bool { return other.Name == d.Name }) {
			return nil, badValue("The parameter %s has the dimension %s twice.", name, wire.Clip(d.Name))
		}
		all = append(all, d)
	}
	return all, nil
}

// metricOf is the metric of a document; where names of parameters are the document's own, under is empty.
func metricOf(in wire.Document, under string) (m metricdata.Metric, err error) {
	namespace, err := namespaceOf(in, under+"Namespace")
	if err != nil {
		return m, err
	}
	name, err := textOf(in, "MetricName", under+"MetricName", 255, true)
	if err != nil {
		return m, err
	}
	dimensions, err := dimensionsOf(in, under+"Dimensions")
	return metricdata.NewMetric(namespace, name, dimensions), err
}

// shownDimensions are a metric's dimensions in an output.
func shownDimensions(m metricdata.Metric) []any {
	all := []any{}
	for _, d := range m.Dimensions {
		all = append(all, wire.Document{"Name": d.Name, "Value": d.Value})
	}
	return all
}

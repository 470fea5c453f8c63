package insights

import (
	"math"
	"strconv"
	"strings"
	"time"
)

type kind uint8

const (
	missing kind = iota
	text
	number
	boolean
	moment   // milliseconds since 1970
	document // a JSON object or list, as it is written
)

// value is what a field or an expression has. Numbers of a message keep how they are written.
type value struct {
	kind kind
	num  float64
	text string
}

func textOf(s string) value    { return value{kind: text, text: s} }
func numberOf(f float64) value { return value{kind: number, num: f} }
func momentOf(milliseconds float64) value {
	return value{kind: moment, num: milliseconds}
}

func truth(b bool) value {
	if b {
		return value{kind: boolean, num: 1}
	}
	return value{kind: boolean}
}

// String is how a result shows the value. Truths are 1 and 0, as in CloudWatch.
func (v value) String() string {
	switch v.kind {
	case number, boolean:
		if v.text != "" {
			return v.text
		}
		return strconv.FormatFloat(math.Round(v.num*1e4)/1e4, 'f', -1, 64)
	case moment:
		return time.UnixMilli(int64(v.num)).UTC().Format("2006-01-02 15:04:05.000")
	}
	return v.text
}

// number is the value as one, if it is one or a text that says one.
func (v value) number() (float64, bool) {
	switch v.kind {
	case number, boolean, moment:
		return v.num, true
	case text:
		if t := strings.TrimSpace(v.text); t != "" && (t[0] <= '9' && t[0] >= '+') { // else it is no number: most texts end here
			f, err := strconv.ParseFloat(t, 64)
			return f, err == nil
		}
	}
	return 0, false
}

// holds says whether the value is a true one.
func (v value) holds() bool {
	switch v.kind {
	case number, boolean, moment:
		return v.num != 0
	case text:
		return strings.EqualFold(v.text, "true")
	}
	return false
}

// keep is the value with a text of its own, that does not hold the text that it was cut from.
func (v value) keep() value {
	v.text = strings.Clone(v.text)
	return v
}

// compare orders values: missing ones first, numbers as numbers, all others as texts.
func compare(a, b value) int {
	switch {
	case a.kind == missing || b.kind == missing:
		return int(min(a.kind, 1)) - int(min(b.kind, 1))
	case a.kind == text && b.kind == text:
		x, isNumber := a.number()
		y, areNumbers := b.number()
		if isNumber && areNumbers {
			return order(x, y)
		}
		return strings.Compare(a.text, b.text)
	}
	x, isNumber := a.number()
	y, areNumbers := b.number()
	if isNumber && areNumbers {
		return order(x, y)
	}
	if a.kind == boolean || b.kind == boolean {
		return strings.Compare(spoken(a), spoken(b))
	}
	return strings.Compare(a.String(), b.String())
}

func order(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// spoken is a truth as JSON writes it, so that it compares with "true".
func spoken(v value) string {
	if v.kind == boolean {
		return strconv.FormatBool(v.num != 0)
	}
	return v.String()
}

// equal says whether two values, of which none is missing, are the same.
func equal(a, b value) bool { return compare(a, b) == 0 }

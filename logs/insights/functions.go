package insights

import (
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// function is one of the language: it takes from least to most arguments (any number where most is negative).
type function struct {
	least, most int
	do          func(e *env, args []value) value
}

// functions are those that take values, by their names in small letters: "Boolean, comparison, numeric, datetime, and other
// functions" of the user guide.
var functions = map[string]function{
	"abs":      numeric(math.Abs),
	"ceil":     numeric(math.Ceil),
	"floor":    numeric(math.Floor),
	"log":      numeric(math.Log),
	"sqrt":     numeric(math.Sqrt),
	"greatest": {1, -1, func(_ *env, args []value) value { return extreme(args, 1) }},
	"least":    {1, -1, func(_ *env, args []value) value { return extreme(args, -1) }},

	"fromMillis": {1, 1, func(_ *env, args []value) value { return ofNumber(args[0], momentOf) }},
	"toMillis":   {1, 1, func(_ *env, args []value) value { return ofNumber(args[0], numberOf) }},
	"now":        {0, 0, func(e *env, _ []value) value { return numberOf(math.Floor(e.now / 1000)) }}, // in seconds

	"ispresent": {1, 1, func(_ *env, args []value) value { return truth(args[0].kind != missing) }},
	"isempty":   {1, 1, func(_ *env, args []value) value { return truth(args[0].String() == "") }},
	"isblank":   {1, 1, func(_ *env, args []value) value { return truth(strings.TrimSpace(args[0].String()) == "") }},
	"coalesce":  {1, -1, coalesce},
	"if": {2, 3, func(_ *env, args []value) value {
		if args[0].holds() {
			return args[1]
		}
		return append(args, value{})[2]
	}},

	"jsonParse":     {1, 1, func(_ *env, args []value) value { return parseJSON(args[0]) }},
	"jsonStringify": {1, 1, func(e *env, args []value) value { return stringify(e, args[0]) }},

	"concat":  {1, -1, concat},
	"strlen":  {1, 1, ofText(func(s string) value { return numberOf(float64(utf8.RuneCountInString(s))) })},
	"toupper": {1, 1, changed(strings.ToUpper)},
	"tolower": {1, 1, changed(strings.ToLower)},
	"trim":    {1, 2, trim(strings.TrimFunc)},
	"ltrim":   {1, 2, trim(strings.TrimLeftFunc)},
	"rtrim":   {1, 2, trim(strings.TrimRightFunc)},
	"substr":  {2, 3, substr},
	"replace": {3, 3, replace},
	"strcontains": {2, 2, func(_ *env, args []value) value {
		return truth(args[0].kind != missing && strings.Contains(args[0].String(), args[1].String()))
	}},

	"isValidIp":      {1, 1, address(func(a netip.Addr) bool { return true })},
	"isValidIpv4":    {1, 1, address(netip.Addr.Is4)},
	"isValidIpv6":    {1, 1, address(netip.Addr.Is6)},
	"isIpInSubnet":   {2, 2, inSubnet(func(netip.Addr) bool { return true })},
	"isIpv4InSubnet": {2, 2, inSubnet(netip.Addr.Is4)},
	"isIpv6InSubnet": {2, 2, inSubnet(netip.Addr.Is6)},
}

// byLower are the functions' names as they are written, by those in small letters.
var byLower = func() map[string]string {
	names := map[string]string{}
	for name := range functions {
		names[strings.ToLower(name)] = name
	}
	return names
}()

func ofNumber(v value, do func(float64) value) value {
	f, ok := v.number()
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return value{}
	}
	return do(f)
}

func numeric(do func(float64) float64) function {
	return function{1, 1, func(_ *env, args []value) value {
		return ofNumber(args[0], func(f float64) value { return ofNumber(numberOf(do(f)), numberOf) })
	}}
}

func extreme(args []value, sign int) (best value) {
	for _, arg := range args {
		if f, ok := arg.number(); ok && (best.kind == missing || order(f, best.num) == sign) {
			best = numberOf(f)
		}
	}
	return best
}

func coalesce(_ *env, args []value) value {
	for _, arg := range args {
		if arg.kind != missing {
			return arg
		}
	}
	return value{}
}

func ofText(do func(string) value) func(*env, []value) value {
	return func(_ *env, args []value) value {
		if args[0].kind == missing {
			return value{}
		}
		return do(args[0].String())
	}
}

// changed is a function that makes a text of one, of about the same length.
func changed(do func(string) string) func(*env, []value) value {
	return func(e *env, args []value) value {
		s := args[0].String()
		if args[0].kind == missing || !e.makes(len(s)) {
			return value{}
		}
		if s = do(s); len(s) > mostText {
			return value{}
		}
		return textOf(s)
	}
}

func concat(e *env, args []value) value {
	parts, length := make([]string, len(args)), 0
	for i, arg := range args {
		parts[i] = arg.String()
		length += len(parts[i])
	}
	if !e.makes(length) {
		return value{}
	}
	return textOf(strings.Join(parts, ""))
}

// trim cuts off spaces, or the characters of the second argument.
func trim(cut func(string, func(rune) bool) string) func(*env, []value) value {
	return func(_ *env, args []value) value {
		if args[0].kind == missing {
			return value{}
		}
		if len(args) == 1 {
			return textOf(cut(args[0].String(), unicode.IsSpace))
		}
		characters := args[1].String()
		return textOf(cut(args[0].String(), func(r rune) bool { return strings.ContainsRune(characters, r) }))
	}
}

// substr is the text from a character on, the first being 0, and as long as the third argument says.
func substr(_ *env, args []value) value {
	from, ok := args[1].number()
	if args[0].kind == missing || !ok {
		return value{}
	}
	s := args[0].String()
	s = s[afterRunes(s, from):]
	if len(args) == 3 {
		length, ok := args[2].number()
		if !ok {
			return value{}
		}
		s = s[:afterRunes(s, length)]
	}
	return textOf(s)
}

// afterRunes is where a text goes on behind so many characters.
func afterRunes(s string, n float64) int {
	for at := range s {
		if n < 1 {
			return at
		}
		n--
	}
	return len(s)
}

func replace(e *env, args []value) value {
	s, old, fresh := args[0].String(), args[1].String(), args[2].String()
	if args[0].kind == missing || !e.makes(len(s)+strings.Count(s, old)*(len(fresh)-len(old))) {
		return value{}
	}
	return textOf(strings.ReplaceAll(s, old, fresh))
}

func parseJSON(v value) value {
	if v.kind == document {
		return v
	}
	s := strings.TrimSpace(v.String())
	if v.kind != text || s == "" || s[0] != '{' && s[0] != '[' || !json.Valid([]byte(s)) {
		return value{}
	}
	return value{kind: document, text: s}
}

func stringify(e *env, v value) value {
	switch v.kind {
	case missing:
		return value{}
	case text:
		quoted, err := json.Marshal(v.text)
		if err != nil || !e.makes(len(quoted)) {
			return value{}
		}
		return textOf(string(quoted))
	}
	return textOf(spoken(v))
}

func address(is func(netip.Addr) bool) func(*env, []value) value {
	return func(_ *env, args []value) value {
		a, err := netip.ParseAddr(args[0].String())
		return truth(err == nil && is(a))
	}
}

func inSubnet(is func(netip.Addr) bool) func(*env, []value) value {
	return func(_ *env, args []value) value {
		a, err := netip.ParseAddr(args[0].String())
		subnet, err2 := netip.ParsePrefix(args[1].String())
		return truth(err == nil && err2 == nil && is(a) && subnet.Contains(a))
	}
}

// call reads a function's arguments, from the opening bracket on.
func (p *parser) call(name string, from, to int) (expr, error) {
	lower := strings.ToLower(name)
	if aggregation, found := aggregations[lower]; found {
		return p.aggregate(aggregation, name, from, to)
	}
	switch lower {
	case "bin", "datefloor", "dateceil":
		return p.bin(lower, from)
	}
	f, found := functions[byLower[lower]]
	if !found {
		return expr{}, p.wrong(from, to, "Unknown function %.64s", name)
	}
	p.next()
	var args []expr
	if !(p.kind == tokenSymbol && p.text == ")") {
		err := p.list(func() error {
			one, err := p.expression()
			args = append(args, one)
			return err
		})
		if err != nil {
			return expr{}, err
		}
	}
	if !p.take(")") {
		return expr{}, p.unexpected(", or )")
	}
	if len(args) < f.least || f.most >= 0 && len(args) > f.most {
		return expr{}, p.wrong(from, p.ended, "The function %.64s does not take %d arguments", name, len(args))
	}
	made := expr{}
	for _, arg := range args {
		made.tallied = made.tallied || arg.tallied
	}
	made.eval = func(e *env) value {
		var few [4]value
		values := few[:0]
		for _, arg := range args {
			values = append(values, arg.eval(e))
		}
		return f.do(e, values)
	}
	return p.until(made, from), nil
}

// units are how long periods are, in milliseconds; months and longer ones have lengths of their own.
var units = map[string]time.Duration{
	"ms": time.Millisecond, "msec": time.Millisecond, "millisecond": time.Millisecond, "milliseconds": time.Millisecond,
	"s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// months are the units that have no length in milliseconds.
var months = map[string]int{"mo": 1, "mon": 1, "month": 1, "months": 1, "q": 3, "qtr": 3, "quarter": 3, "quarters": 3,
	"y": 12, "yr": 12, "year": 12, "years": 12}

// bin reads bin(PERIOD), and datefloor and dateceil, which have a time before it.
func (p *parser) bin(name string, from int) (expr, error) {
	p.next()
	at := func(e *env) value {
		if e.event == nil {
			return value{}
		}
		return momentOf(float64(e.event.Time))
	}
	if name == "bin" && p.phase.scope.closed {
		return expr{}, p.wrong(from, p.to, "Unknown symbols found in or after stats: @timestamp")
	}
	if name != "bin" {
		of, err := p.expression()
		if err != nil {
			return expr{}, err
		}
		if at = of.eval; !p.take(",") {
			return expr{}, p.unexpected(",")
		}
	} else if p.phase.scope.late {
		slot := p.phase.scope.slot("@timestamp")
		at = func(e *env) value { return e.get(slot) }
	}
	round, err := p.period()
	if err != nil {
		return expr{}, err
	}
	if !p.take(")") {
		return expr{}, p.unexpected(")")
	}
	up := name == "dateceil"
	return p.until(expr{eval: func(e *env) value {
		return ofNumber(at(e), func(f float64) value {
			floor, next := round(f)
			if up && floor != f {
				return momentOf(next)
			}
			return momentOf(floor)
		})
	}}, from), nil
}

// period reads 5m, or 5 m, and gives what finds the period that a time is in, and the next one.
func (p *parser) period() (round func(float64) (floor, next float64), err error) {
	from := p.from
	if p.kind != tokenPeriod && p.kind != tokenNumber {
		return nil, p.unexpected("a period such as 5m")
	}
	digits := strings.TrimRightFunc(p.text, unicode.IsLetter)
	unit := strings.ToLower(p.text[len(digits):])
	p.next()
	if unit == "" && p.kind == tokenName {
		unit = strings.ToLower(p.text)
		p.next()
	}
	n, err := strconv.Atoi(digits)
	length, isLength := units[unit]
	count, isMonths := months[unit]
	if err != nil || n < 1 || n > 1e6 || !isLength && !isMonths {
		return nil, p.wrong(from, p.ended, "%.64s is no period: a number and ms, s, m, h, d, w, mo, q or y is expected",
			p.lexer.query[from:p.ended])
	}
	if isLength {
		size := float64(n) * float64(length.Milliseconds())
		return func(f float64) (float64, float64) {
			floor := math.Floor(f/size) * size
			return floor, floor + size
		}, nil
	}
	count *= n
	return func(f float64) (float64, float64) {
		day := time.UnixMilli(int64(f)).UTC()
		since := (day.Year()-1970)*12 + int(day.Month()) - 1
		since -= ((since % count) + count) % count
		begin := func(months int) float64 {
			return float64(time.Date(1970, time.Month(1+months), 1, 0, 0, 0, 0, time.UTC).UnixMilli())
		}
		return begin(since), begin(since + count)
	}, nil
}

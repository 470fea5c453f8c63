package fluentbit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Parser takes texts apart.
type Parser struct {
	expression *expression // nil: the text is JSON
	timeKey    string
	layout     string
	dated      bool // the layout has a month or a day
	timeKeep   bool
	types      map[string]string
}

// NewParsers makes those of sections, by their names.
func NewParsers(sections []Section) (map[string]Parser, error) {
	all := map[string]Parser{}
	for _, s := range sections {
		name := s.Get("Name")
		if err := s.only("format", "regex", "time_key", "time_format", "time_keep", "types", "time_strict", "skip_empty_values"); err != nil {
			return nil, err
		}
		p := Parser{timeKey: s.Get("Time_Key"), types: map[string]string{}}
		var err error
		switch format := strings.ToLower(s.Get("Format")); format {
		case "regex":
			compiled, err := compile(s.Get("Regex"))
			if err != nil {
				return nil, fmt.Errorf("parser %s: %w", name, err)
			}
			p.expression = &compiled
		case "json":
		default:
			return nil, fmt.Errorf("parser %s: the format %q is none that Tripod reads", name, format)
		}
		if p.layout, err = layoutOf(s.Get("Time_Format")); err != nil {
			return nil, fmt.Errorf("parser %s: %w", name, err)
		}
		p.dated = slices.ContainsFunc([]string{"Jan", "01", "02", "_2"}, func(of string) bool { return strings.Contains(p.layout, of) })
		if p.timeKeep, err = s.On("Time_Keep", false); err != nil {
			return nil, err
		}
		for _, one := range strings.Fields(s.Get("Types")) {
			field, kind, _ := strings.Cut(one, ":")
			p.types[field] = kind
		}
		all[name] = p
	}
	return all, nil
}

// directives of strptime, as Go's layouts have them. %L are fractions of a second, whose point Go reads by itself.
var directives = strings.NewReplacer("%Y", "2006", "%m", "01", "%d", "02", "%e", "_2", "%H", "15", "%M", "04", "%S", "05", ".%L", "", "%z",
	"Z07:00", "%Z", "MST", "%b", "Jan", "%B", "January", "%a", "Mon", "%A", "Monday", "%y", "06", "%I", "03", "%p", "PM", "%T", "15:04:05",
	"%F", "2006-01-02", "%%", "%")

func layoutOf(format string) (string, error) {
	layout := directives.Replace(format)
	if strings.Contains(layout, "%") {
		return "", fmt.Errorf("the Time_Format %q has what Tripod does not read", format)
	}
	return layout, nil
}

// parse takes a text apart; false: it has not the form.
func (p Parser) parse(text string, at time.Time) (map[string]any, time.Time, bool) {
	fields, isObject := map[string]any{}, true
	if p.expression == nil {
		if fields, isObject = object(text); !isObject {
			return nil, at, false
		}
	} else {
		found := p.expression.find(text)
		if found == nil {
			return nil, at, false
		}
		for i, name := range p.expression.SubexpNames() {
			if name != "" && found[i] != "" {
				fields[name] = typed(found[i], p.types[name])
			}
		}
	}
	if told, isText := fields[p.timeKey].(string); isText && p.layout != "" {
		if when, ok := p.time(told, at); ok {
			at = when
			if !p.timeKeep {
				delete(fields, p.timeKey)
			}
		}
	}
	return fields, at, true
}

// latest is how far in the future CloudWatch Logs takes events; one of a later time, or of before 1970, would have a whole batch refused.
const latest = 2 * time.Hour

// time reads when something was, in a line of that time. What it doesn't say, the year or the day, is the line's;
// false: that isn't its form, or no service takes it.
func (p Parser) time(told string, line time.Time) (when time.Time, ok bool) {
	when, err := time.Parse(p.layout, told)
	if err != nil { // %z is +0100 as well as +01:00
		if when, err = time.Parse(strings.ReplaceAll(p.layout, "Z07:00", "Z0700"), told); err != nil {
			return line, false
		}
	}
	if when.Year() == 0 {
		year, month, day := line.In(when.Location()).Date()
		if p.dated {
			_, month, day = when.Date()
		}
		when = time.Date(year, month, day, when.Hour(), when.Minute(), when.Second(), when.Nanosecond(), when.Location())
	}
	return when, when.Unix() > 0 && when.Before(time.Now().Add(latest))
}

// newParserFilter has the first of its parsers that can take a field apart.
func newParserFilter(s Section, parsers map[string]Parser) (func(*Record) bool, error) {
	if err := s.only("key_name", "parser", "preserve_key", "reserve_data"); err != nil {
		return nil, err
	}
	key := s.Get("Key_name")
	var own []Parser
	for _, name := range s.All("Parser") {
		p, found := parsers[name]
		if !found {
			return nil, fmt.Errorf("requested parser '%s' not found", name)
		}
		own = append(own, p)
	}
	if key == "" || len(own) == 0 {
		return nil, fmt.Errorf("the filter parser has no Key_Name and Parser")
	}
	preserve, err := s.On("Preserve_Key", false)
	if err != nil {
		return nil, err
	}
	reserve, err := s.On("Reserve_Data", false)
	if err != nil {
		return nil, err
	}
	return func(r *Record) bool {
		text, isText := r.Fields[key].(string)
		if !isText {
			return true
		}
		for _, p := range own {
			if r.ended() {
				return true
			}
			fields, at, ok := p.parse(text, r.At)
			if !ok {
				continue
			}
			if reserve {
				rest := maps.Clone(r.Fields)
				delete(rest, key)
				maps.Copy(rest, fields)
				fields = rest
			}
			if preserve {
				fields[key] = text
			}
			r.Fields, r.At = fields, at
			return true
		}
		return true
	}, nil
}

package boot

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// writeTOML writes a table with its values first, each table within it under a header, all in the order of their names.
func writeTOML(root tomlTable) string {
	var out strings.Builder
	writeTable(&out, nil, root)
	return out.String()
}

func writeTable(out *strings.Builder, path []string, table tomlTable) {
	var values, tables []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if _, isTable := table[name].(tomlTable); isTable {
			tables = append(tables, name)
		} else {
			values = append(values, name)
		}
	}
	if len(path) > 0 && (len(values) > 0 || len(tables) == 0) {
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(out, "[%s]\n", strings.Join(path, "."))
	}
	for _, name := range values {
		fmt.Fprintf(out, "%s = %s\n", tomlKey(name), tomlValue(table[name]))
	}
	for _, name := range tables {
		writeTable(out, append(slices.Clone(path), tomlKey(name)), table[name].(tomlTable))
	}
}

func tomlKey(name string) string {
	if name != "" && strings.Trim(name, bareKey) == "" {
		return name
	}
	return tomlString(name)
}

func tomlString(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteRune('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&out, `\u%04X`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

func tomlValue(value any) string {
	switch v := value.(type) {
	case string:
		return tomlString(v)
	case float64:
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	case []any:
		texts := make([]string, len(v))
		for i, one := range v {
			texts[i] = tomlValue(one)
		}
		return "[" + strings.Join(texts, ", ") + "]"
	case tomlTable:
		var texts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			texts = append(texts, tomlKey(name)+" = "+tomlValue(v[name]))
		}
		return "{ " + strings.Join(texts, ", ") + " }"
	}
	return fmt.Sprint(value)
}

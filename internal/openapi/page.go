package main

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"tripod/api"
)

const head = `# The control API

Generated from the code by ` + "`go generate ./internal/openapi`" + `: change api/routes.go and the types of package api, not this file. The same for programs is
[openapi.json](openapi.json), an OpenAPI 3.1 document, which a region gives at ` + "`/v1/openapi.json`" + `.

` + "`tripod`" + ` itself speaks to a region by these calls, on a unix socket that only the region's user reaches. Other programs reach them on a port of loopback:

` + "```console" + `
$ bin/tripod up -d --control-address 127.0.0.1:4580
$ TOKEN=$(cat ~/.local/state/tripod/control-token)       # in the data directory, where --data-dir names another
$ curl -s -H "Authorization: Bearer $TOKEN" http://127.0.0.1:4580/v1/status | jq .phase
"ready"
$ curl -s -H "Authorization: Bearer $TOKEN" -X POST http://127.0.0.1:4580/v1/targets/az/b/kill
` + "```" + `

Whoever has the token can do all that the region's user can do with it: [security.md](security.md). A call that cannot be followed is answered with 400, where the call is wrong, or 409, where the
region is not fit for it now, and ` + "`{\"error\": \"one sentence that says what to do\"}`" + `. The port answers 401 without the token, 403 to pages in browsers, and 413 to bodies of more than 64 KiB.
Durations are numbers of nanoseconds. Each call but `

// page is the API as people read it.
func page(t *types) []byte {
	var b bytes.Buffer
	var looks []string
	for _, route := range api.Routes {
		if route.Looks {
			looks = append(looks, strings.TrimPrefix(route.Path, "/"))
		}
	}
	last := len(looks) - 1
	fmt.Fprintf(&b, "%s%s and %s wakes a region that sleeps.\n\n", head, strings.Join(looks[:last], ", "), looks[last])
	b.WriteString("## Calls\n\n| call | does |\n|---|---|\n")
	for _, route := range api.Routes {
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", title(route), anchor(title(route)), cell(lower(route.Summary)))
	}
	for _, route := range api.Routes {
		fmt.Fprintf(&b, "\n### %s\n\n%s.", title(route), route.Summary)
		if route.Detail != "" {
			b.WriteString(" " + route.Detail)
		}
		b.WriteString("\n")
		describeParams(&b, route.Params)
		fmt.Fprintf(&b, "\n%s\n", exchange(route))
	}
	b.WriteString("\n## Types\n\nMembers in italics may be missing.\n")
	for _, s := range t.sorted() {
		fmt.Fprintf(&b, "\n### %s\n\n", s.name)
		if s.about != "" {
			b.WriteString(s.about + "\n\n")
		}
		b.WriteString("| member | type | meaning |\n|---|---|---|\n")
		for _, f := range s.fields {
			name := "`" + f.name + "`"
			if !f.required {
				name = "*" + name + "*"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, word(f.typ), cell(f.said()))
		}
	}
	return b.Bytes()
}

func title(route api.Route) string { return route.Method + " " + api.ControlRoot + route.Path }

// anchor is what leads to a headline, as Markdown's readers make it.
func anchor(headline string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, headline)
}

func describeParams(b *bytes.Buffer, params []api.Param) {
	if len(params) == 0 {
		return
	}
	b.WriteString("\n| parameter | in | type | meaning |\n|---|---|---|---|\n")
	for _, p := range params {
		in, kind := "path", p.Kind
		if p.Query {
			in = "query"
		}
		if p.Values != nil {
			kind = strings.Join(p.Values, ", ")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", p.Name, in, kind, cell(p.Help))
	}
}

// exchange says what is sent and what comes back.
func exchange(route api.Route) string {
	sent := "It takes no body"
	if route.Body != nil {
		sent = "It takes " + link(typeName(route.Body))
	}
	switch {
	case route.Media == api.MediaUpgrade:
		return sent + ", and is answered with 101 Switching Protocols: what comes then is the connection."
	case route.Media == api.MediaLines:
		return sent + ", and is answered with lines of JSON (" + route.Media + "), each " + link(typeName(route.Answer)) + "."
	case route.Media != "":
		return sent + ", and is answered with text."
	case route.Answer == nil:
		return sent + ", and is answered with 204 and no body."
	case typeName(route.Answer) == "":
		return sent + ", and is answered with JSON."
	}
	return sent + ", and is answered with " + link(typeName(route.Answer)) + "."
}

// word is a type as people read it.
func word(typ reflect.Type) string {
	switch {
	case typ == timeType:
		return "time (RFC 3339)"
	case typ == durationType:
		return "integer"
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return word(typ.Elem())
	case reflect.Slice:
		return "list of " + word(typ.Elem())
	case reflect.Map:
		return "object"
	case reflect.Struct:
		return link(typ.Name())
	}
	return primitives[typ.Kind()][0].value.(string)
}

// said is a field's comment, with the unit of a duration.
func (f field) said() string {
	about := f.about
	if f.typ == durationType {
		if about != "" && !strings.HasSuffix(about, ".") {
			about += "."
		}
		return strings.TrimSpace(about + " " + durationNote)
	}
	return about
}

// typeName is that of a struct; "" for what is none.
func typeName(value any) string { return reflect.TypeOf(value).Name() }

func link(name string) string { return "[" + name + "](#" + anchor(name) + ")" }

// cell makes a text fit for a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func lower(sentence string) string { return strings.ToLower(sentence[:1]) + sentence[1:] }

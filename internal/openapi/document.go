package main

import (
	"net/http"
	"strconv"
	"strings"

	"tripod/api"
)

// about is what the document says of the whole.
const about = "The calls of a region that runs, on its control socket, and on a port of loopback where `tripod up --control-address " +
	"127.0.0.1:PORT` says so. The socket is its user's alone and asks for nothing; the port asks for the token of the file control-token in " +
	"the region's data directory, as Authorization: Bearer TOKEN."

// document is the API in OpenAPI 3.1.
func document(t *types) object {
	var paths object
	for _, route := range api.Routes {
		path := api.ControlRoot + route.Path
		paths = append(paths, member{path, object{{strings.ToLower(route.Method), operation(route)}}})
	}
	var schemas object
	for _, s := range t.sorted() {
		schemas = append(schemas, member{s.name, schemaOf(s)})
	}
	return object{
		{"openapi", "3.1.0"},
		{"info", object{{"title", "Tripod's control API"}, {"version", "1"}, {"description", about},
			{"license", object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
		{"servers", []object{{{"url", "http://127.0.0.1:{port}"},
			{"variables", object{{"port", object{{"default", "4580"}, {"description", "that of --control-address"}}}}}}}},
		{"security", []object{{{"token", []string{}}}}},
		{"paths", paths},
		{"components", object{
			{"securitySchemes", object{{"token", object{{"type", "http"}, {"scheme", "bearer"},
				{"description", "The content of the file control-token. The control socket asks for none."}}}}},
			{"responses", object{{"Refused", object{{"description", "The call is refused, in one sentence that says what to do."},
				{"content", content("application/json", reference("Refused"))}}}}},
			{"schemas", schemas},
		}},
	}
}

func operation(route api.Route) object {
	o := object{{"operationId", route.Name}, {"summary", route.Summary}}
	if route.Detail != "" {
		o = append(o, member{"description", route.Detail})
	}
	if len(route.Params) > 0 {
		o = append(o, member{"parameters", parameters(route)})
	}
	if route.Body != nil {
		o = append(o, member{"requestBody", object{{"required", true},
			{"content", content("application/json", reference(typeName(route.Body)))}}})
	}
	status, success := answered(route)
	return append(o, member{"responses", object{
		{strconv.Itoa(status), success},
		{"default", object{{"$ref", "#/components/responses/Refused"}}},
	}})
}

func parameters(route api.Route) (all []object) {
	for _, p := range route.Params {
		kind := object{{"type", p.Kind}}
		if p.Kind == "integer" {
			kind = append(kind, member{"minimum", 0})
		}
		if p.Values != nil {
			kind = append(kind, member{"enum", p.Values})
		}
		in := "path"
		if p.Query {
			in = "query"
		}
		all = append(all, object{{"name", p.Name}, {"in", in}, {"required", !p.Query}, {"description", p.Help}, {"schema", kind}})
	}
	return all
}

// answered describes what a call is answered with where it is followed.
func answered(route api.Route) (status int, response object) {
	switch {
	case route.Media == api.MediaUpgrade:
		return http.StatusSwitchingProtocols, object{{"description", "What comes then is the connection."}}
	case route.Media == api.MediaLines:
		return http.StatusOK, object{{"description", "Lines of JSON, each of this schema, as they come."},
			{"content", content(route.Media, reference(typeName(route.Answer)))}}
	case route.Media != "":
		return http.StatusOK, object{{"description", "Text."}, {"content", content(route.Media, object{{"type", "string"}})}}
	case route.Answer == nil:
		return http.StatusNoContent, object{{"description", "It is done."}}
	case typeName(route.Answer) == "":
		return http.StatusOK, object{{"description", "The document."}, {"content", content("application/json", object{{"type", "object"}})}}
	}
	return http.StatusOK, object{{"description", "The answer."}, {"content", content("application/json", reference(typeName(route.Answer)))}}
}

func content(media string, schema object) object {
	return object{{media, object{{"schema", schema}}}}
}

func schemaOf(s *structure) object {
	o := object{{"type", "object"}}
	if s.about != "" {
		o = append(o, member{"description", s.about})
	}
	var properties object
	var required []string
	for _, f := range s.fields {
		property := append(object{}, schema(f.typ, f.required)...)
		if said := f.said(); said != "" {
			property = append(property, member{"description", said})
		}
		properties = append(properties, member{f.name, property})
		if f.required {
			required = append(required, f.name)
		}
	}
	o = append(o, member{"properties", properties})
	if required != nil {
		o = append(o, member{"required", required})
	}
	return o
}

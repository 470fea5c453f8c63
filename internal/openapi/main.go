// Command openapi describes the control API: docs/openapi.json, an OpenAPI 3.1 document, and docs/control-api.md, the same as a page. It
// takes the calls from api.Routes, the types of what crosses from Go's types, and what is said of them from their comments.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"tripod/api"
)

//go:generate go run . ../../api ../../docs

// The names of the two documents.
const documentName, pageName = "openapi.json", "control-api.md"

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: openapi FOLDER-OF-PACKAGE-API FOLDER-OF-DOCUMENTS")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(source, into string) error {
	files, err := generate(source)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(into, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the documents by their names.
func generate(source string) (map[string][]byte, error) {
	said, err := readComments(source)
	if err != nil {
		return nil, err
	}
	types := newTypes(said)
	for _, route := range api.Routes {
		for _, value := range []any{route.Body, route.Answer} {
			types.of(value)
		}
	}
	types.of(api.Refused{})
	if types.err != nil {
		return nil, types.err
	}
	text, err := marshal(document(types))
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return nil, err
	}
	return map[string][]byte{documentName: append(indented.Bytes(), '\n'), pageName: page(types)}, nil
}

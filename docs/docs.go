// Package docs holds the documents that the program itself gives.
package docs

import _ "embed"

// OpenAPI describes the control API: an OpenAPI 3.1 document, which package internal/openapi writes.
//
//go:embed openapi.json
var OpenAPI []byte

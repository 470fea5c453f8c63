// Package openapi holds the description of the control API against OpenAPI's own rules. It is here, since nothing else needs the
// validator.
package openapi

import (
	"os"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

func TestTheDocumentIsValidOpenAPI(t *testing.T) {
	text, err := os.ReadFile("../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := document.GetVersion(); got != "3.1.0" {
		t.Errorf("the version is %s, want 3.1.0", got)
	}
	if _, err := document.BuildV3Model(); err != nil {
		t.Fatal(err)
	}
	whole, faults := validator.NewValidator(document)
	for _, fault := range faults {
		t.Error(fault)
	}
	if t.Failed() {
		return
	}
	_, wrong := whole.ValidateDocument()
	for _, fault := range wrong {
		t.Errorf("%s: %s (%v)", fault.Message, fault.Reason, fault.SchemaValidationErrors)
	}
}

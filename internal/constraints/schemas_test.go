package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSchemasSayHowAnOperationIsCalledAndWhereMembersStand(t *testing.T) {
	dir := t.TempDir()
	model, out := filepath.Join(dir, "model.json"), filepath.Join(dir, "out.go")
	if err := os.WriteFile(model, []byte(`{"operations":{"Make":{"http":{"method":"PUT","requestUri":"/things/{Id}"},
		"input":{"shape":"MakeRequest"}}},
		"shapes":{"MakeRequest":{"type":"structure","members":{"Id":{"shape":"Id","location":"uri","locationName":"Id"},
			"Most":{"shape":"Count","location":"querystring","locationName":"most"},"Tags":{"shape":"Tags"}}},
			"Id":{"type":"string"},"Count":{"type":"integer"},"Tags":{"type":"list","member":{"shape":"Id"}},"Unreached":{"type":"string"}}}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-schemas", "-model", model, "-package", "efs", "-out", out}, os.Stderr); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(text)), " ")
	for _, want := range []string{
		`"Make": {Method: "PUT", Path: "/things/{Id}", Status: 200, Input: "MakeRequest"}`, `"Id": {Shape: "Id", Label: true}`,
		`"Most": {Shape: "Count", Query: "most"}`, `"Tags": {Shape: "Tags"}`,
		`"Tags": {Type: smithy.ShapeTypeList, Members: map[string]wire.ModelMember{ "member": {Shape: "Id"}, }}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if strings.Contains(got, "Unreached") {
		t.Error("a shape that no input holds is there")
	}
}

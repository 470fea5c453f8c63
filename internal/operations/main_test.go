package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheDocumentIsWhatTheCodeDeclares(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(document())); diff != "" {
		t.Errorf("docs/operations.md is stale: run 'go generate ./internal/operations' (-file +code):\n%s", diff)
	}
}

func TestEveryOperationHasAnEffectThatATableCanShow(t *testing.T) {
	for _, service := range services {
		for _, one := range service.Documented {
			if one.Effect == "" || strings.ContainsAny(one.Effect, "|\n") || strings.HasSuffix(one.Effect, ".") {
				t.Errorf("%s %s: the effect %q is empty, or not one clause of a table", service.Title, one.Operation, one.Effect)
			}
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sources writes a small model and SDK.
func sources(t *testing.T) (model, sdk, out string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"model.json": `{"operations":{"Make":{"input":{"shape":"MakeRequest"},"errors":[{"shape":"BadRequestException"}]}},"shapes":{
			"MakeRequest":{"type":"structure","required":["b","a"],"members":{"a":{"shape":"Name"},"b":{"shape":"Odd"},"c":{"shape":"Color"}}},
			"Name":{"type":"string","min":1,"max":5,"pattern":"^[a-z]*"},"Odd":{"type":"string","pattern":"(?!x)y"},
			"Color":{"type":"string","enum":["RED"]},"Unreached":{"type":"string","max":1}}}`,
		"api_op_Make.go": "package p\n\ntype MakeInput struct{ Color types.Color }\n\ntype NewInput struct{ Inner " +
			"[]*types.Inner }\n",
		"validators.go": `package p
			func validateInner(v *types.Inner) error { p.Add(smithy.NewErrParamRequired("Id")); return nil }
			func validateOpNewInput(v *NewInput) error { p.Add(smithy.NewErrParamRequired("Inner")); return nil }`,
		"types/types.go": "package types\n\ntype Inner struct{ Id *string }\n",
		"types/enums.go": `package types
			type Color string
			func (Color) Values() []Color { return []Color{"RED", "BLUE"} }
			type Mood string
			func (Mood) Values() []Mood { return []Mood{"GOOD"} }`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "model.json"), dir, filepath.Join(dir, "out.go")
}

func TestTheTableHasWhatInputsHoldFromBothSources(t *testing.T) {
	model, sdk, out := sources(t)
	if err := run([]string{"-model", model, "-sdk", sdk, "-package", "eks", "-out", out}, os.Stderr); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(text)), " ")
	for _, want := range []string{
		`"MakeRequest": {Required: []string{"a", "b"}}`,
		"\"Name\": {Min: new(int64(1)), Max: new(int64(5)), Pattern: `^[a-z]*`}",
		`"Color": {Enum: []string{"RED", "BLUE"}}`, `"NewRequest": {Required: []string{"inner"}}`,
		`"Inner": {Required: []string{"id"}}`,
		`// - Odd: (?!x)y`, `"Make": "BadRequestException"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	for _, unwanted := range []string{"Unreached", "Mood"} {
		if strings.Contains(got, unwanted) {
			t.Errorf("%s is in\n%s", unwanted, text)
		}
	}
}

func TestMembersAreWrittenAsTheServiceWritesThem(t *testing.T) {
	capital := &model{Operations: map[string]operation{"Make": {Input: &reference{Shape: "MakeRequest"}}},
		Shapes: map[string]shape{"MakeRequest": {Members: map[string]reference{"KeyId": {}}}}}
	small := &model{Operations: map[string]operation{"Make": {Input: &reference{Shape: "MakeRequest"}}},
		Shapes: map[string]shape{"MakeRequest": {Members: map[string]reference{"keyId": {}}}}}
	if got := capital.memberName("Newer", "TagKey"); got != "TagKey" {
		t.Errorf("got %s, want TagKey", got)
	}
	if got := small.memberName("Newer", "TagKey"); got != "tagKey" {
		t.Errorf("got %s, want tagKey", got)
	}
}

func TestMissingSourcesAreNamed(t *testing.T) {
	err := run([]string{"-model", "nowhere.json"}, os.Stderr)
	if err == nil || !strings.Contains(err.Error(), "nowhere.json") {
		t.Errorf("got %v", err)
	}
}

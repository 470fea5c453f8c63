package logs

import (
	"strings"
	"testing"
)

func TestPatternsOfTerms(t *testing.T) {
	for _, c := range []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"  ", "anything", true},
		{"ERROR", "[ERROR 401] UNAUTHORIZED REQUEST", true},
		{"ERROR", "error", false},
		{"AUTHORIZED", "UNAUTHORIZED REQUEST", false},
		{"%AUTHORIZED%", "UNAUTHORIZED REQUEST", true},
		{"%^[EW]\\d+%", "E1125 16:00", true},
		{"ERROR ARGUMENTS", "ERROR INVALID ARGUMENTS", true},
		{"ERROR ARGUMENTS", "ERROR", false},
		{"?ERROR ?ARGUMENTS", "ARGUMENTS", true},
		{"?ERROR ?ARGUMENTS", "nothing", false},
		{"ERROR ?other", "ERROR", true},
		{"ERROR -ARGUMENTS", "ERROR INVALID ARGUMENTS", false},
		{"-ERROR", "fine", true},
		{"-ERROR ?fine ?good", "fine", true},
		{"-ERROR ?fine ?good", "bad", false},
		{`"INTERNAL SERVER ERROR"`, "500 INTERNAL SERVER ERROR", true},
		{`"INTERNAL SERVER ERROR"`, "INTERNAL ERROR", false},
		{`-"a b"`, "a b c", false},
		{`"say \"hi\""`, `they say "hi" now`, true},
		{`"\\"`, `a\b`, true},
		{"400", "code=400", true},
		{"code=400", "x code=400 y", true},
		{"größe", "die größe", true},
		{"röße", "die größe", false},
		{"aa", "aaa aa", true},
	} {
		wanted, err := parsePattern(t.Context(), c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
		} else if got := wanted(c.message); got != c.want {
			t.Errorf("%s on %s: got %t", c.pattern, c.message, got)
		}
	}
}

const auditEvent = `{"kind":"Event","verb":"create","user":{"username":"admin","groups":["system:masters","dev"]},"objectRef":{"resource":"configmaps","name":"x.y"},
	"responseStatus":{"code":201},"latency":1.5,"dry":false,"flag":true,"nothing":null,"items":[{"id":1},{"id":2}],"a.b":"dotted"}`

func TestPatternsOfJSON(t *testing.T) {
	for pattern, want := range map[string]bool{
		`{ $.verb = "create" }`:           true,
		`{$.verb=create}`:                 true,
		`{ $.verb = "cre*" }`:             true,
		`{ $.verb = "*eat*" }`:            true,
		`{ $.verb = "delete" }`:           false,
		`{ $.verb != "delete" }`:          true,
		`{ $.missing != "delete" }`:       false,
		`{ $.verb = %^cr.*e$% }`:          true,
		`{ $.responseStatus.code = 201 }`: true,
		`{ $.responseStatus.code >= 200 && $.responseStatus.code < 300 }`:   true,
		`{ $.responseStatus.code > 201 }`:                                   false,
		`{ $.responseStatus.code = 2* }`:                                    true,
		`{ $.latency <= 1.5 }`:                                              true,
		`{ $.latency != 1.5 }`:                                              false,
		`{ $.user.groups[1] = "dev" }`:                                      true,
		`{ $.user.groups[*] = "system:masters" }`:                           true,
		`{ $.user.groups[7] = "dev" }`:                                      false,
		`{ $.items[*].id = 2 }`:                                             true,
		`{ $.objectRef.name = "x.y" }`:                                      true,
		`{ $.['a.b'] = "dotted" }`:                                          true,
		`{ $['a.b'] = "dotted" }`:                                           true,
		`{ $.nothing IS NULL }`:                                             true,
		`{ $.verb IS NULL }`:                                                false,
		`{ $.flag IS TRUE && $.dry is false }`:                              true,
		`{ $.missing NOT EXISTS }`:                                          true,
		`{ $.verb NOT EXISTS }`:                                             false,
		`{ $.verb EXISTS }`:                                                 true,
		`{ ($.verb = "delete" || $.verb = "create") && $.kind = "Event" }`:  true,
		`{ $.verb = "create" || $.verb = "delete" && $.kind = "other" }`:    true,
		`{ ($.verb = "create" || $.verb = "delete") && $.kind = "other" }`:  false,
		`{ $.user = "admin" }`:                                              false,
		`{ $.verb > 3 }`:                                                    false,
		`{ $.user.username = "a*n" && $.objectRef.resource = "configmaps"}`: true,
	} {
		wanted, err := parsePattern(t.Context(), pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		} else if got := wanted(auditEvent); got != want {
			t.Errorf("%s: got %t", pattern, got)
		}
	}
	wanted, _ := parsePattern(t.Context(), `{ $.verb NOT EXISTS }`)
	for _, message := range []string{"", "text", "{", `"verb"`, "12"} {
		if wanted(message) {
			t.Errorf("%q is taken for a JSON object", message)
		}
	}
}

func TestBadPatternsAreRefused(t *testing.T) {
	for _, pattern := range []string{
		`"open`, `-`, `?`, `a - b`, `%open`, `%(%`, `{`, `{}`, `{ $.a }`, `{ $.a = }`, `{ $.a = "x"`, `{ $.a = "x" } more`,
		`{ .a = 1 }`, `{ $.a = 1 && }`, `{ ($.a = 1 }`,
		`{ $.a < "x" }`, `{ $.a < x }`, `{ $.a IS 1 }`, `{ $.a NOT 1 }`, `{ $.a[x] = 1 }`, `{ $.a[ = 1 }`, `{ $. = 1 }`,
		`{ $.a ~ 1 }`,
		"{" + strings.Repeat("(", 100) + "$.a=1" + strings.Repeat(")", 100) + "}",
		`[`, `[a`, `[a b]`, `[a] b`, `[a,`, `[a = ]`, `[a = 1, b < x]`, `[a = "x]`, `[= 1]`, `[a, a]`, `[..., a, ...]`,
		`[a = 1 || b = 1]`, `[(a = 1]`, `[a = %(%]`, `[a && b]`,
		"%" + strings.Repeat(".{1000}", 21) + "%",
	} {
		if _, err := parsePattern(t.Context(), pattern); err == nil ||
			!strings.Contains(err.Error(), "InvalidParameterException: Invalid filter pattern") {
			t.Errorf("%s: got %v", pattern, err)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{`{ $.verb = "cre*" && ($.a[*].b NOT EXISTS) }`, `-"a b" ?x %y%`,
		`{ $['a'] IS NULL || $.b >= 1e3 }`, `[a, ..., (b = 4* || b > 1), "c"]`} {
		f.Add(seed, auditEvent)
	}
	f.Fuzz(func(t *testing.T, text, message string) {
		if wanted, err := parsePattern(t.Context(), text); err == nil {
			wanted(message)
		}
		if c, err := parseColumns(t.Context(), text); err == nil && c.match(message) {
			c.values(message)
		}
	})
}

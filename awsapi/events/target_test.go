package events

import (
	"encoding/json"
	"testing"
)

func TestTargetsGetWhatTheyAskFor(t *testing.T) {
	const text = `{"version":"0","time":"2026-03-04T05:06:07Z","resources":["arn:a","arn:b"],` +
		`"detail":{"instance-id":"i-1","state":"running","n":7,"quoted":"a \"b\""}}`
	d := delivery{text: []byte(text), rule: Rule{Name: "r"}, ruleARN: "arn:rule/r"}
	if err := json.Unmarshal(d.text, &d.fields); err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"id": "$.detail.instance-id", "state": "$.detail['state']", "n": "$.detail.n", "second": "$.resources[1]",
		"none": "$.detail.none", "quoted": "$.detail.quoted", "detail": "$.detail"}
	by := func(template string) Target {
		return Target{ID: "1", ARN: "arn:aws:sqs:x", Transformer: &transformer{paths, template}}
	}
	for _, one := range []struct {
		of   Target
		want string
	}{
		{Target{}, text},
		{Target{Input: `{"a":1}`}, `{"a":1}`},
		{Target{InputPath: "$"}, text},
		{Target{InputPath: "$.detail.n"}, `7`},
		{Target{InputPath: "$.resources[0]"}, `"arn:a"`},
		{Target{InputPath: "$.nowhere"}, `null`},
		{by(`"instance <id> is <state>, <n>"`), `"instance i-1 is running, 7"`},
		{by(`{"id": <id>, "n": <n>, "second": <second>}`), `{"id": "i-1", "n": 7, "second": "arn:b"}`},
		{by(`{"text": "<quoted> \" <none>", "after": <quoted>}`), `{"text": "a \"b\" \" ", "after": "a \"b\""}`},
		{by(`{"rule": <aws.events.rule-name>, "at": "<aws.events.rule-arn>", "event": <aws.events.event.json>}`),
			`{"rule": "r", "at": "arn:rule/r", "event": ` + text + `}`},
	} {
		if got := one.of.body(d); got != one.want {
			t.Errorf("%+v: got %s, want %s", one.of, got, one.want)
		}
	}
}

func TestTargetsThatCannotBeAreRefused(t *testing.T) {
	for name, of := range map[string]Target{
		"no ARN":          {ID: "1", ARN: "x"},
		"two ways":        {ID: "1", ARN: "arn:x", Input: "1", InputPath: "$"},
		"no JSON":         {ID: "1", ARN: "arn:x", Input: "{"},
		"no path":         {ID: "1", ARN: "arn:x", InputPath: "detail"},
		"no template":     {ID: "1", ARN: "arn:x", Transformer: &transformer{}},
		"no variable":     {ID: "1", ARN: "arn:x", Transformer: &transformer{Template: `"<a>"`}},
		"reserved name":   {ID: "1", ARN: "arn:x", Transformer: &transformer{map[string]string{"aws.x": "$"}, `"x"`}},
		"no path of such": {ID: "1", ARN: "arn:x", Transformer: &transformer{map[string]string{"a": "$..b"}, `"<a>"`}},
	} {
		if of.check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := (Target{ID: "1", ARN: "arn:x", Transformer: &transformer{map[string]string{"a": "$.b"}, `"<a>"`}}).check(); err != nil {
		t.Error(err)
	}
}

package events

import (
	"encoding/json"
	"testing"
	"time"

	"tripod/state"
)

func TestPatternsMatchAsEventBridgeSays(t *testing.T) {
	const event = `{"source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning", "resources": ["arn:a", "arn:b"],
		"detail": {"instance-id": "i-1", "count": 5, "on": true, "none": null}}`
	var fields map[string]any
	if err := json.Unmarshal([]byte(event), &fields); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`{"source": ["aws.ec2", "aws.health"]}`:                                        true,
		`{"source": ["aws.health"]}`:                                                   false,
		`{"resources": ["arn:b"]}`:                                                     true,
		`{"detail": {"instance-id": [{"prefix": "i-"}]}}`:                              true,
		`{"detail": {"instance-id": [{"suffix": "2"}]}}`:                               false,
		`{"detail": {"instance-id": [{"anything-but": ["i-1", "i-2"]}]}}`:              false,
		`{"detail": {"instance-id": [{"anything-but": {"prefix": "j-"}}]}}`:            true,
		`{"detail": {"count": [{"numeric": [">", 1, "<=", 5]}]}}`:                      true,
		`{"detail": {"count": [{"numeric": [">", 5]}]}}`:                               false,
		`{"detail": {"count": [5], "on": [true], "none": [null]}}`:                     true,
		`{"detail": {"absent": [{"exists": false}]}}`:                                  true,
		`{"detail": {"count": [{"exists": false}]}}`:                                   false,
		`{"other": {"absent": [{"exists": false}]}}`:                                   true,
		`{"other": {"absent": ["x"]}}`:                                                 false,
		`{"detail-type": [{"wildcard": "EC2 * Warning"}]}`:                             true,
		`{"source": [{"equals-ignore-case": "AWS.EC2"}]}`:                              true,
		`{"$or": [{"source": ["x"]}, {"detail": {"count": [{"numeric": ["=", 5]}]}}]}`: true,
	} {
		p, err := parsePattern(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := p.matches(fields); got != want {
			t.Errorf("%s matches: %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{`[]`, `{}`, `{"a": []}`, `{"a": "b"}`, `{"a": [{"like": "b"}]}`, `{"$or": ["a"]}`} {
		if _, err := parsePattern(text); err == nil {
			t.Errorf("%s is a pattern", text)
		}
	}
}

func TestEmitWritesNothingWithoutRules(t *testing.T) {
	m := state.NewMemory(state.NewSchema())
	if err := m.View(func(tx *state.Txn) error { // a View fails if something is written
		return Emit(tx, Event{Source: "aws.ec2", DetailType: "EC2 Instance State-change Notification", Time: time.Unix(0, 0)})
	}); err != nil {
		t.Error(err)
	}
}

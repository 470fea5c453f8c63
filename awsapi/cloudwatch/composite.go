package cloudwatch

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

func (s *Service) putComposite(call *operation.Call, in wire.Document) (wire.Document, error) {
	in, err := known(in, compositeMembers)
	if err != nil {
		return nil, err
	}
	if err := required(in, "AlarmName", "AlarmRule"); err != nil {
		return nil, err
	}
	if _, err := parseRule(text(in, "AlarmRule")); err != nil {
		return nil, invalid("AlarmRule must not contain leading or trailing whitespace or be null, and must be a valid expression: %s", err)
	}
	if text(in, "ActionsSuppressor") != "" {
		for _, name := range []string{"ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"} {
			if in[name] == nil {
				return nil, invalid("%s is required where ActionsSuppressor is specified", name)
			}
		}
	}
	return nil, s.save(call, in)
}

// checkChildren refuses a composite alarm that is about alarms that there are not. It may be about itself, and alarms may be about
// each other: those are not evaluated, as in AWS.
func (s *Service) checkChildren(tx *state.Txn, a Alarm) error {
	var unknown []string
	names := childrenOf(a)
	if suppressor := text(a.Given, "ActionsSuppressor"); suppressor != "" {
		names = append(names, nameOf(suppressor))
	}
	for _, name := range names {
		if _, found := alarms.Get(tx, name); !found && name != a.Name {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return invalid("Could not save the composite alarm as alarms [%s] in the alarm rule do not exist", strings.Join(unknown, ", "))
	}
	return nil
}

// childrenOf are the names of the alarms that a composite alarm is about; none of another.
func childrenOf(a Alarm) []string {
	if a.kind() != compositeAlarm {
		return nil
	}
	r, err := parseRule(text(a.Given, "AlarmRule"))
	if err != nil {
		return nil
	}
	return slices.Clone(r.children)
}

// parentsOf are the composite alarms about an alarm, but for some.
func parentsOf(tx *state.Txn, name string, but []string) (parents []string) {
	for _, a := range alarms.List(tx) {
		if a.kind() == compositeAlarm && !slices.Contains(but, a.Name) &&
			(slices.Contains(childrenOf(a), name) || nameOf(text(a.Given, "ActionsSuppressor")) == name) {
			parents = append(parents, a.Name)
		}
	}
	return parents
}

// circular says whether a composite alarm is about itself, by others or at once.
func circular(all map[string]Alarm, start string) bool {
	seen := map[string]bool{}
	var reaches func(name string) bool
	reaches = func(name string) bool {
		for _, child := range childrenOf(all[name]) {
			if child == start {
				return true
			}
			if !seen[child] {
				seen[child] = true
				if reaches(child) {
					return true
				}
			}
		}
		return false
	}
	return reaches(start)
}

// judgeComposite is what a composite alarm's rule makes of it.
func (s *Service) judgeComposite(a Alarm, all map[string]Alarm) verdict {
	r, err := parseRule(text(a.Given, "AlarmRule"))
	if err != nil || circular(all, a.Name) {
		return verdict{}
	}
	v := verdict{state: OK}
	if r.root.holds(func(name string) string { return all[name].State }) {
		v.state = Alarming
	}
	type triggering struct {
		ARN   string `json:"arn"`
		State struct {
			Value     string `json:"value"`
			Timestamp string `json:"timestamp"`
		} `json:"state"`
	}
	var latest Alarm
	told := struct {
		Alarms []triggering `json:"triggeringAlarms"`
	}{[]triggering{}}
	for _, name := range r.children {
		child, found := all[name]
		if !found {
			continue
		}
		if latest.Name == "" || child.Since.After(latest.Since) {
			latest = child
		}
		one := triggering{ARN: s.arn(name)}
		one.State.Value, one.State.Timestamp = child.State, javaTime(child.Since)
		if len(told.Alarms) < 20 {
			told.Alarms = append(told.Alarms, one)
		}
	}
	v.reason = "The alarm rule names no alarm."
	if latest.Name != "" {
		v.reason = clipped(fmt.Sprintf("%s transitioned to %s at %s", s.arn(latest.Name), latest.State,
			latest.Since.UTC().Format("Monday 02 January, 2006 15:04:05 MST")), 1023)
	}
	data, _ := json.Marshal(told)
	v.data = string(data)
	return v
}

// The words for why a composite alarm's actions are not taken yet.
const byAlarm, byWait, byExtension = "Alarm", "WaitPeriod", "ExtensionPeriod"

// suppress decides at a change of its state whether a composite alarm's actions have to wait for its suppressor.
func (a *Alarm) suppress(suppressor string, now time.Time) {
	a.SuppressedBy, a.SuppressedUntil = "", time.Time{}
	if text(a.Given, "ActionsSuppressor") == "" {
		return
	}
	if suppressor == Alarming {
		a.SuppressedBy = byAlarm
	} else if wait := a.seconds("ActionsSuppressorWaitPeriod"); wait > 0 {
		a.SuppressedBy, a.SuppressedUntil = byWait, now.Add(wait)
	}
}

// suppressedNext is how a wait for the suppressor goes on: whether something changed, and whether the actions are to be taken now.
func (a *Alarm) suppressedNext(suppressor string, now time.Time) (changed, act bool) {
	switch {
	case a.SuppressedBy == "":
		return false, false
	case suppressor == Alarming:
		changed = a.SuppressedBy != byAlarm
		a.SuppressedBy, a.SuppressedUntil = byAlarm, time.Time{}
		return changed, false
	case a.SuppressedBy == byAlarm && a.seconds("ActionsSuppressorExtensionPeriod") > 0:
		a.SuppressedBy, a.SuppressedUntil = byExtension, now.Add(a.seconds("ActionsSuppressorExtensionPeriod"))
		return true, false
	case a.SuppressedBy == byAlarm || !now.Before(a.SuppressedUntil):
		a.SuppressedBy, a.SuppressedUntil = "", time.Time{}
		return true, true
	}
	return false, false
}

func (a *Alarm) seconds(name string) time.Duration {
	n, _ := numberOf(a.Given[name])
	return time.Duration(n) * time.Second
}

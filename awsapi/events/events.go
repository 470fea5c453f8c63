// Package events is Amazon EventBridge as far as EC2's and Auto Scaling's events go to SQS queues: rules on the default
// event bus, their targets, and Emit, by which the rest of Tripod makes events.
package events

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/sqs"
	"tripod/awsapi/wire"
	"tripod/state"
)

// Name is the service's signing name.
const Name = "events"

// Service answers from a zone's copy of the regional state.
type Service struct {
	Region, AccountID string
	State             state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// Rule says which events go to which targets.
type Rule struct {
	Name        string            `json:"name"`
	Pattern     string            `json:"pattern,omitempty"`
	Schedule    string            `json:"schedule,omitempty"`
	Description string            `json:"description,omitempty"`
	RoleARN     string            `json:"roleArn,omitempty"`
	Disabled    bool              `json:"disabled,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Targets     []Target          `json:"targets,omitempty"`
}

// rules are those of the default event bus, by name.
var rules = state.NewTable[Rule]("event-rule")

// Bounds, as EventBridge has them.
const (
	maxRules   = 300
	maxTargets = 5
)

// Event is an event as services make it.
type Event struct {
	Source     string // aws.ec2
	DetailType string // EC2 Spot Instance Interruption Warning
	Account    string
	Region     string
	Time       time.Time
	Resources  []string // ARNs
	Detail     any      // what encoding/json writes
}

// document is an event as targets get it.
type document struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// Emit gives an event to the targets of all rules that it matches, within a transaction. Targets are SQS queues; what is
// sent to another kind of target is nowhere, and a queue that is gone or full misses the event. It costs nothing where
// there are no rules.
func Emit(tx *state.Txn, e Event) error {
	all := rules.List(tx)
	if len(all) == 0 {
		return nil
	}
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("write an event's detail: %w", err)
	}
	doc := document{"0", wire.NewRequestID(), e.DetailType, e.Source, e.Account, e.Time.UTC().Format(time.RFC3339), e.Region,
		append([]string{}, e.Resources...), detail}
	text, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write an event: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	for _, rule := range all {
		pattern, err := parsePattern(rule.Pattern)
		if rule.Disabled || rule.Pattern == "" || err != nil || !pattern.matches(fields) {
			continue
		}
		for _, target := range rule.Targets {
			if strings.HasPrefix(target.ARN, "arn:aws:sqs:") {
				body := target.body(delivery{text, fields, rule, ruleARN(e.Region, e.Account, rule.Name)})
				_ = sqs.Send(tx, target.ARN, body, e.Time) // as EventBridge drops what it cannot deliver
			}
		}
	}
	return nil
}

func (s *Service) arn(rule string) string {
	return ruleARN(s.Region, s.AccountID, rule)
}

func ruleARN(region, account, rule string) string {
	return "arn:aws:events:" + region + ":" + account + ":rule/" + rule
}

func refuse(code, format string, args ...any) error {
	return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// may authorizes a call about a rule; "" is about all.
func (s *Service) may(call *operation.Call, rule string) error {
	resource := "*"
	if rule != "" {
		resource = s.arn(rule)
	}
	return call.Authorize(wire.AWSJSON, "events:"+call.Operation, resource)
}

// onDefaultBus refuses other event buses than the default one.
func onDefaultBus(bus string) error {
	if name := bus[strings.LastIndex(bus, "/")+1:]; name != "" && name != "default" {
		return refuse("ResourceNotFoundException", "Event bus %s does not exist.", wire.Clip(name))
	}
	return nil
}

func noRule(name string) error {
	return refuse("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", wire.Clip(name))
}

// change finds a rule and does to it what is asked.
func (s *Service) change(call *operation.Call, bus, name string, do func(*Rule) error) error {
	if err := s.may(call, name); err != nil {
		return err
	}
	if err := onDefaultBus(bus); err != nil {
		return err
	}
	return s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		rule, found := rules.Get(tx, name)
		if !found {
			return noRule(name)
		}
		if err := do(&rule); err != nil {
			return err
		}
		rules.Put(tx, name, rule)
		return nil
	})
}

// view is change for what changes nothing.
func (s *Service) view(call *operation.Call, bus, name string, do func(Rule)) error {
	if err := s.may(call, name); err != nil {
		return err
	}
	if err := onDefaultBus(bus); err != nil {
		return err
	}
	return s.State.View(func(tx *state.Txn) error {
		rule, found := rules.Get(tx, name)
		if !found {
			return noRule(name)
		}
		do(rule)
		return nil
	})
}

func (r *Rule) put(targets []Target) {
	for _, t := range targets {
		if i := slices.IndexFunc(r.Targets, func(old Target) bool { return old.ID == t.ID }); i >= 0 {
			r.Targets[i] = t
		} else {
			r.Targets = append(r.Targets, t)
		}
	}
}

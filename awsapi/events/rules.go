package events

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

var validName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

type tag struct{ Key, Value string }

type putRuleInput struct {
	Name, EventPattern, ScheduleExpression, State, Description string
	RoleARN                                                    string `json:"RoleArn"`
	EventBusName                                               string
	Tags                                                       []tag
}

type putRuleOutput struct {
	RuleARN string `json:"RuleArn"`
}

func (s *Service) putRule(call *operation.Call, in *putRuleInput) (*putRuleOutput, error) {
	if err := s.may(call, in.Name); err != nil {
		return nil, err
	}
	if err := onDefaultBus(in.EventBusName); err != nil {
		return nil, err
	}
	switch {
	case !validName.MatchString(in.Name):
		return nil, operation.InvalidInput("1 validation error detected: Value '" + wire.Clip(in.Name) + "' at 'name' failed to satisfy " +
			"constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+")
	case in.EventPattern == "" && in.ScheduleExpression == "":
		return nil, operation.InvalidInput("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case in.EventPattern != "":
		if _, err := parsePattern(in.EventPattern); err != nil {
			return nil, err
		}
	}
	return &putRuleOutput{s.arn(in.Name)}, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		rule, exists := rules.Get(tx, in.Name)
		if !exists && !rules.Part("").Fewer(tx, maxRules) {
			return refuse("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		}
		rule.Name, rule.Pattern, rule.Schedule, rule.Description = in.Name, in.EventPattern, in.ScheduleExpression, in.Description
		rule.RoleARN, rule.Disabled = in.RoleARN, in.State == "DISABLED"
		if !exists {
			rule.tag(in.Tags)
		}
		rules.Put(tx, in.Name, rule)
		return nil
	})
}

func (r *Rule) tag(tags []tag) {
	for _, t := range tags {
		if r.Tags == nil {
			r.Tags = map[string]string{}
		}
		r.Tags[t.Key] = t.Value
	}
}

type ruleInput struct {
	Name, EventBusName string
	Force              bool
}

func (s *Service) deleteRule(call *operation.Call, in *ruleInput) (*struct{}, error) {
	if err := s.may(call, in.Name); err != nil {
		return nil, err
	}
	if err := onDefaultBus(in.EventBusName); err != nil {
		return nil, err
	}
	return &struct{}{}, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		rule, _ := rules.Get(tx, in.Name) // one that is gone is no error
		if len(rule.Targets) > 0 {
			return operation.InvalidInput("Rule can't be deleted since it has targets.")
		}
		rules.Delete(tx, in.Name)
		return nil
	})
}

func (s *Service) enableRule(call *operation.Call, in *ruleInput) (*struct{}, error) {
	return &struct{}{}, s.change(call, in.EventBusName, in.Name, func(r *Rule) error { r.Disabled = false; return nil })
}

func (s *Service) disableRule(call *operation.Call, in *ruleInput) (*struct{}, error) {
	return &struct{}{}, s.change(call, in.EventBusName, in.Name, func(r *Rule) error { r.Disabled = true; return nil })
}

// described is a rule as EventBridge shows it.
type described struct {
	Name               string
	ARN                string `json:"Arn"`
	EventPattern       string `json:",omitempty"`
	ScheduleExpression string `json:",omitempty"`
	State              string
	Description        string `json:",omitempty"`
	RoleARN            string `json:"RoleArn,omitempty"`
	EventBusName       string
	CreatedBy          string `json:",omitempty"`
}

func (s *Service) describe(r Rule) described {
	d := described{Name: r.Name, ARN: s.arn(r.Name), EventPattern: r.Pattern, ScheduleExpression: r.Schedule, State: "ENABLED",
		Description: r.Description, RoleARN: r.RoleARN, EventBusName: "default"}
	if r.Disabled {
		d.State = "DISABLED"
	}
	return d
}

func (s *Service) describeRule(call *operation.Call, in *ruleInput) (*described, error) {
	out := &described{}
	return out, s.view(call, in.EventBusName, in.Name, func(r Rule) {
		*out = s.describe(r)
		out.CreatedBy = s.AccountID
	})
}

type listInput struct {
	NamePrefix, EventBusName, Rule string
	TargetARN                      string `json:"TargetArn"`
	Limit                          *int
	NextToken                      *string
}

// page cuts a list as all of EventBridge's lists are cut.
func page[T any](list string, in *listInput, all []T, key func(T) string) ([]T, *string, error) {
	size := 100
	if in.Limit != nil {
		if size = *in.Limit; size < 1 || size > 100 {
			return nil, nil, operation.InvalidInput("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must " +
				"have value between 1 and 100")
		}
	}
	found, next, ok := wire.Page(list, size, in.NextToken, all, key)
	if !ok {
		return nil, nil, operation.InvalidInput("The NextToken is not valid.")
	}
	return found, next, nil
}

type listRulesOutput struct {
	Rules     []described
	NextToken *string `json:",omitempty"`
}

func (s *Service) listRules(call *operation.Call, in *listInput) (*listRulesOutput, error) {
	if err := cmp.Or(s.may(call, ""), onDefaultBus(in.EventBusName)); err != nil {
		return nil, err
	}
	out := &listRulesOutput{Rules: []described{}}
	return out, s.State.View(func(tx *state.Txn) error {
		found, next, err := page("ListRules"+in.NamePrefix, in, rules.Under(tx, in.NamePrefix), func(r Rule) string { return r.Name })
		for _, r := range found {
			out.Rules = append(out.Rules, s.describe(r))
		}
		out.NextToken = next
		return err
	})
}

type listByTargetOutput struct {
	RuleNames []string
	NextToken *string `json:",omitempty"`
}

func (s *Service) listByTarget(call *operation.Call, in *listInput) (*listByTargetOutput, error) {
	if err := cmp.Or(s.may(call, ""), onDefaultBus(in.EventBusName)); err != nil {
		return nil, err
	}
	out := &listByTargetOutput{}
	return out, s.State.View(func(tx *state.Txn) (err error) {
		names := []string{}
		for _, r := range rules.List(tx) {
			if slices.ContainsFunc(r.Targets, func(t Target) bool { return t.ARN == in.TargetARN }) {
				names = append(names, r.Name)
			}
		}
		out.RuleNames, out.NextToken, err = page("ListRuleNamesByTarget"+in.TargetARN, in, names, func(n string) string { return n })
		return err
	})
}

type listTargetsOutput struct {
	Targets   []Target
	NextToken *string `json:",omitempty"`
}

func (s *Service) listTargets(call *operation.Call, in *listInput) (*listTargetsOutput, error) {
	out := &listTargetsOutput{}
	var err error
	if viewed := s.view(call, in.EventBusName, in.Rule, func(r Rule) {
		out.Targets, out.NextToken, err = page("ListTargetsByRule"+in.Rule, in, r.Targets, func(t Target) string { return t.ID })
	}); viewed != nil {
		return nil, viewed
	}
	return out, err
}

type targetsInput struct {
	Rule, EventBusName string
	Targets            []Target
	IDs                []string `json:"Ids"`
	Force              bool
}

type targetsOutput struct {
	FailedEntryCount int
	FailedEntries    []struct{}
}

func (s *Service) putTargets(call *operation.Call, in *targetsInput) (*targetsOutput, error) {
	for _, t := range in.Targets {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	return &targetsOutput{0, []struct{}{}}, s.change(call, in.EventBusName, in.Rule, func(r *Rule) error {
		if r.put(in.Targets); len(r.Targets) > maxTargets {
			return refuse("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		}
		return nil
	})
}

func (s *Service) removeTargets(call *operation.Call, in *targetsInput) (*targetsOutput, error) {
	return &targetsOutput{0, []struct{}{}}, s.change(call, in.EventBusName, in.Rule, func(r *Rule) error {
		r.Targets = slices.DeleteFunc(r.Targets, func(t Target) bool { return slices.Contains(in.IDs, t.ID) })
		return nil
	})
}

type tagsInput struct {
	ResourceARN string
	Tags        []tag
	TagKeys     []string
}

type tagsOutput struct{ Tags []tag }

func ruleOf(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

func (s *Service) tag(call *operation.Call, in *tagsInput) (*struct{}, error) {
	return &struct{}{}, s.change(call, "", ruleOf(in.ResourceARN), func(r *Rule) error { r.tag(in.Tags); return nil })
}

func (s *Service) untag(call *operation.Call, in *tagsInput) (*struct{}, error) {
	return &struct{}{}, s.change(call, "", ruleOf(in.ResourceARN), func(r *Rule) error {
		for _, key := range in.TagKeys {
			delete(r.Tags, key)
		}
		return nil
	})
}

func (s *Service) listTags(call *operation.Call, in *tagsInput) (*tagsOutput, error) {
	out := &tagsOutput{Tags: []tag{}}
	return out, s.view(call, "", ruleOf(in.ResourceARN), func(r Rule) {
		for key, value := range r.Tags {
			out.Tags = append(out.Tags, tag{key, value})
		}
		slices.SortFunc(out.Tags, func(a, b tag) int { return cmp.Compare(a.Key, b.Key) })
	})
}

type bus struct {
	Name string
	ARN  string `json:"Arn"`
}

type busesOutput struct{ EventBuses []bus }

func (s *Service) listBuses(call *operation.Call, _ *struct{}) (*busesOutput, error) {
	return &busesOutput{[]bus{s.defaultBus()}}, s.may(call, "")
}

func (s *Service) describeBus(call *operation.Call, in *ruleInput) (*bus, error) {
	one := s.defaultBus()
	return &one, cmp.Or(s.may(call, ""), onDefaultBus(in.Name))
}

func (s *Service) defaultBus() bus {
	return bus{"default", "arn:aws:events:" + s.Region + ":" + s.AccountID + ":event-bus/default"}
}

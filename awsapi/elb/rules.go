package elb

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// maxRules is how many rules a load balancer has without those of its listeners' own actions: AWS's default quota.
const maxRules = 100

// maxRewrite bounds a rewrite's regular expression and what takes the place of what it finds.
const maxRewrite = 1024

type rewrite struct{ Regex, Replace string }

type rewriteConfig struct{ Rewrites wire.QueryList[rewrite] }

// transform is a rule's transform in the API's form.
type transform struct {
	Type                    string
	HostHeaderRewriteConfig *rewriteConfig `json:",omitempty"`
	URLRewriteConfig        *rewriteConfig `query:"UrlRewriteConfig" xml:"UrlRewriteConfig" json:"UrlRewriteConfig,omitempty"`
}

type shownRule struct {
	RuleArn    string
	Priority   string
	Conditions wire.QueryList[condition]
	Actions    wire.QueryList[action]
	Transforms wire.QueryList[transform] `xml:",omitempty" json:",omitempty"`
	IsDefault  bool
}

type rulesOutput struct {
	Rules      wire.QueryList[shownRule]
	NextMarker string `xml:",omitempty" json:",omitempty"`
}

func showRule(r region.ListenerRule) shownRule {
	shown := shownRule{RuleArn: r.ARN, Priority: strconv.Itoa(r.Priority), Conditions: shownConditions(r.Conditions),
		Actions: shownActions(r.Actions), Transforms: shownTransforms(r.Transforms)}
	if r.Priority == 0 {
		shown.Priority, shown.IsDefault = "default", true
	}
	return shown
}

// newTransforms are transforms as records.
func newTransforms(given []transform) (all []region.RuleTransform, err error) {
	for _, t := range given {
		config := t.HostHeaderRewriteConfig
		if t.Type == "url-rewrite" {
			config = t.URLRewriteConfig
		}
		switch {
		case config == nil || len(config.Rewrites) != 1:
			return nil, invalid("Exactly one rewrite must be specified for transforms of type '%s'", t.Type)
		case slices.ContainsFunc(all, func(other region.RuleTransform) bool { return other.Type == t.Type }):
			return nil, invalid("Transforms of type '%s' were specified more than once", t.Type)
		}
		one := config.Rewrites[0]
		if _, err := regexp.Compile(one.Regex); err != nil || len(one.Regex) > maxRewrite || len(one.Replace) > maxRewrite {
			return nil, invalid("The rewrite of '%s' by the regular expression '%s' is not valid", t.Type, wire.Clip(one.Regex))
		}
		all = append(all, region.RuleTransform{Type: t.Type,
			Rewrites: []region.Rewrite{{Regex: one.Regex, Replace: one.Replace}}})
	}
	return all, nil
}

func shownTransforms(records []region.RuleTransform) (all wire.QueryList[transform]) {
	for _, r := range records {
		config := &rewriteConfig{}
		for _, one := range r.Rewrites {
			config.Rewrites = append(config.Rewrites, rewrite{one.Regex, one.Replace})
		}
		shown := transform{Type: r.Type, HostHeaderRewriteConfig: config}
		if r.Type == "url-rewrite" {
			shown.HostHeaderRewriteConfig, shown.URLRewriteConfig = nil, config
		}
		all = append(all, shown)
	}
	return all
}

type createRuleInput struct {
	ListenerArn string
	Conditions  []condition
	Priority    *int
	Actions     []action
	Transforms  []transform
	Tags        []tag
}

func (s *Service) createRule(call *operation.Call, in *createRuleInput) (*rulesOutput, error) {
	made := region.ListenerRule{Priority: *in.Priority, CreatedAt: s.now()}
	var err error
	if made.Tags, err = newTags(in.Tags); err != nil {
		return nil, err
	}
	if made.Conditions, err = newConditions(in.Conditions); err != nil {
		return nil, err
	}
	if made.Actions, err = newActions(in.Actions); err != nil {
		return nil, err
	}
	if made.Transforms, err = newTransforms(in.Transforms); err != nil {
		return nil, err
	}
	id := newID()
	return change(s, call, func(tx *state.Txn, out *rulesOutput) error {
		l, b, err := listener(tx, in.ListenerArn)
		switch {
		case err != nil:
			return err
		case b.Type != region.ApplicationBalancer:
			return unsuitable("Rules are not supported for listeners of load balancers with type '%s'", b.Type)
		case len(region.ListenerRules.Under(tx, b.Path()+"/")) >= maxRules:
			return refuse("TooManyRules", "You've reached the limit on the number of rules per load balancer.")
		}
		r := made
		r.Listener, r.ARN = l.ARN, s.arn("listener-rule/"+l.Key()+"/"+id)
		if err := checkPriority(tx, l, r); err != nil {
			return err
		}
		if err := checkActions(tx, b, l, r.Actions); err != nil {
			return err
		}
		region.ListenerRules.Put(tx, r.Key(), r)
		out.Rules = append(out.Rules, showRule(r))
		return nil
	})
}

// checkPriority says whether a rule's priority is free in its listener.
func checkPriority(tx *state.Txn, l region.Listener, r region.ListenerRule) error {
	for _, other := range region.RulesOf(tx, l) {
		if other.ARN != r.ARN && other.Priority == r.Priority {
			return refuse("PriorityInUse", "Priority '%d' is currently in use", r.Priority)
		}
	}
	return nil
}

type modifyRuleInput struct {
	RuleArn         string
	Conditions      []condition
	Actions         []action
	Transforms      []transform
	ResetTransforms *bool
}

func (s *Service) modifyRule(call *operation.Call, in *modifyRuleInput) (*rulesOutput, error) {
	reset := in.ResetTransforms != nil && *in.ResetTransforms
	switch {
	case len(in.Conditions)+len(in.Actions)+len(in.Transforms) == 0 && !reset:
		return nil, invalid("Either conditions or actions must be specified")
	case reset && len(in.Transforms) > 0:
		return nil, invalid("Transforms cannot be specified together with ResetTransforms")
	}
	var conditions []region.RuleCondition
	var actions []region.RuleAction
	var err error
	if len(in.Conditions) > 0 {
		if conditions, err = newConditions(in.Conditions); err != nil {
			return nil, err
		}
	}
	if len(in.Actions) > 0 {
		if actions, err = newActions(in.Actions); err != nil {
			return nil, err
		}
	}
	transforms, err := newTransforms(in.Transforms)
	if err != nil {
		return nil, err
	}
	return change(s, call, func(tx *state.Txn, out *rulesOutput) error {
		r, l, err := rule(tx, in.RuleArn)
		switch {
		case err != nil:
			return err
		case r.Priority == 0:
			return refuse("OperationNotPermitted", "Default rule '%s' cannot be modified", r.ARN)
		}
		before := region.GroupsIn(r.Actions)
		if conditions != nil {
			r.Conditions = conditions
		}
		if actions != nil {
			b, err := balancer(tx, l.LoadBalancer)
			if err != nil {
				return err
			}
			if err := checkActions(tx, b, l, actions); err != nil {
				return err
			}
			r.Actions = actions
		}
		if transforms != nil || reset {
			r.Transforms = transforms
		}
		region.ListenerRules.Put(tx, r.Key(), r)
		region.ForgetUnused(tx, before)
		out.Rules = append(out.Rules, showRule(r))
		return nil
	})
}

type ruleInput struct{ RuleArn string }

func (s *Service) deleteRule(call *operation.Call, in *ruleInput) (*none, error) {
	return change(s, call, func(tx *state.Txn, _ *none) error {
		r, _, err := rule(tx, in.RuleArn)
		switch {
		case err != nil:
			return err
		case r.Priority == 0:
			return refuse("OperationNotPermitted", "Default rule '%s' cannot be deleted", r.ARN)
		}
		region.ListenerRules.Delete(tx, r.Key())
		region.ForgetUnused(tx, region.GroupsIn(r.Actions))
		return nil
	})
}

type setPrioritiesInput struct {
	RulePriorities []struct {
		RuleArn  string
		Priority int
	}
}

func (s *Service) setRulePriorities(call *operation.Call, in *setPrioritiesInput) (*rulesOutput, error) {
	return change(s, call, func(tx *state.Txn, out *rulesOutput) error {
		out.Rules = nil
		var moved []region.ListenerRule
		for i, p := range in.RulePriorities {
			r, _, err := rule(tx, p.RuleArn)
			if err != nil {
				return err
			}
			switch {
			case r.Priority == 0:
				return refuse("OperationNotPermitted", "Default rule '%s' cannot be modified", r.ARN)
			case p.Priority == 0:
				return invalid("A priority must be specified for rule '%s'", r.ARN)
			}
			for _, other := range in.RulePriorities[:i] {
				if other.RuleArn == p.RuleArn {
					return invalid("Rule '%s' was provided multiple times", p.RuleArn)
				}
			}
			r.Priority = p.Priority
			region.ListenerRules.Put(tx, r.Key(), r)
			moved = append(moved, r)
		}
		for _, r := range moved { // once all have moved: two rules may change places
			l, _, err := listener(tx, r.Listener)
			if err != nil {
				return err
			}
			if err := checkPriority(tx, l, r); err != nil {
				return err
			}
			out.Rules = append(out.Rules, showRule(r))
		}
		return nil
	})
}

type describeRulesInput struct {
	page
	ListenerArn string
	RuleArns    []string
}

func (s *Service) describeRules(call *operation.Call, in *describeRulesInput) (*rulesOutput, error) {
	switch {
	case in.ListenerArn == "" && len(in.RuleArns) == 0:
		return nil, invalid("You must specify either listener rule ARNs or a listener ARN")
	case in.ListenerArn != "" && len(in.RuleArns) > 0:
		return nil, invalid("Listener rule ARNs and a listener ARN cannot be specified at the same time")
	}
	return view(s, call, func(tx *state.Txn, out *rulesOutput) (err error) {
		var found []region.ListenerRule
		if in.ListenerArn != "" {
			l, _, err := listener(tx, in.ListenerArn)
			if err != nil {
				return refuse("ListenerNotFound", "One or more listeners not found")
			}
			found = append(region.RulesOf(tx, l), defaultRule(l))
		}
		for _, arn := range in.RuleArns {
			r, _, err := rule(tx, arn)
			if err != nil {
				return refuse("RuleNotFound", "One or more rules not found")
			}
			found = append(found, r)
		}
		var shown []shownRule
		for _, r := range found {
			shown = append(shown, showRule(r))
		}
		out.Rules, out.NextMarker, err = cut(call, in.page, shown, func(r shownRule) string {
			if r.IsDefault {
				return "default " + r.RuleArn // behind all others
			}
			return fmt.Sprintf("%5s %s", r.Priority, r.RuleArn)
		})
		return err
	})
}

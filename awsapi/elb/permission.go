package elb

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// subject is a resource that a call is about: one that there is, or one to be made.
type subject struct {
	arn  string
	tags map[string]string
	// new says that the call makes it: its tags take the permission for AddTags too.
	new bool
}

// named are the parameters whose ARNs a call is about.
var named = regexp.MustCompile(`^(LoadBalancerArn|ListenerArn|RuleArn|TargetGroupArn|ResourceArns\.member\.\d+|` +
	`RulePriorities\.member\.\d+\.RuleArn)$`)

// conditioned are parameters that are condition keys, by the keys' names.
var conditioned = map[string]*regexp.Regexp{
	"elasticloadbalancing:scheme":           regexp.MustCompile(`^Scheme$`),
	"elasticloadbalancing:subnet":           regexp.MustCompile(`^(Subnets\.member\.\d+|SubnetMappings\.member\.\d+\.SubnetId)$`),
	"elasticloadbalancing:securitygroup":    regexp.MustCompile(`^SecurityGroups\.member\.\d+$`),
	"elasticloadbalancing:listenerprotocol": regexp.MustCompile(`^(Protocol|Listeners\.member\.\d+\.Protocol)$`),
	"elasticloadbalancing:securitypolicy":   regexp.MustCompile(`^SslPolicy$`),
}

// conditionKeys are those that a call's parameters bring.
func conditionKeys(call *operation.Call) iam.Keys {
	keys := iam.Keys{}
	for key, of := range conditioned {
		for _, name := range slices.Sorted(maps.Keys(call.Params)) {
			if of.MatchString(name) && call.Params.Get(name) != "" {
				keys[key] = append(keys[key], call.Params.Get(name))
			}
		}
	}
	if call.Operation == "CreateLoadBalancer" && keys["elasticloadbalancing:scheme"] == nil {
		keys["elasticloadbalancing:scheme"] = []string{region.SchemeInternetFacing}
	}
	return keys
}

// permit refuses a call where the caller may not do it to each resource that it names, or makes.
func (s *Service) permit(call *operation.Call) error {
	return s.permitOn(call, func(tx *state.Txn) (all []subject) {
		switch call.Operation {
		case "CreateLoadBalancer":
			kind := pathKinds[region.BalancerType(call.Params.Get("Type"))]
			if kind == "" {
				kind = "app"
			}
			return []subject{{arn: s.arn("loadbalancer/" + kind + "/" + call.Params.Get("Name") + "/*"), new: true}}
		case "CreateTargetGroup":
			return []subject{{arn: s.arn("targetgroup/" + call.Params.Get("Name") + "/*"), new: true}}
		}
		for _, name := range slices.Sorted(maps.Keys(call.Params)) {
			if named.MatchString(name) {
				arn := call.Params.Get(name)
				all = append(all, subject{arn: arn, tags: tagsOf(tx, arn)})
			}
		}
		// What is made below something needs the permission on that; its tags are of its own.
		if kind := madeBelow[call.Operation]; kind != "" && len(all) == 1 {
			below := strings.Replace(all[0].arn, madeOf[call.Operation], kind, 1)
			all = append(all, subject{arn: below + "/*", new: true})
		}
		return all
	})
}

// What is made below another resource, how its ARN begins, and how that one's does.
var (
	madeBelow = map[string]string{"CreateListener": ":listener/", "CreateRule": ":listener-rule/"}
	madeOf    = map[string]string{"CreateListener": ":loadbalancer/", "CreateRule": ":listener/"}
)

// permitClassic is permit for the classic API, which names load balancers by name.
func (s *Service) permitClassic(call *operation.Call) error {
	return s.permitOn(call, func(tx *state.Txn) (all []subject) {
		for _, name := range slices.Sorted(maps.Keys(call.Params)) {
			if name == "LoadBalancerName" || strings.HasPrefix(name, "LoadBalancerNames.member.") {
				of := subject{arn: s.arn("loadbalancer/" + call.Params.Get(name)), new: call.Operation == "CreateLoadBalancer"}
				if b, found := region.LoadBalancers.Get(tx, region.BalancerKey(true, call.Params.Get(name))); found {
					of.tags = b.Tags
				}
				all = append(all, of)
			}
		}
		return all
	})
}

// permitOn authorizes a call on the subjects, or, where it describes or names none, on all there are.
func (s *Service) permitOn(call *operation.Call, subjects func(tx *state.Txn) []subject) error {
	all := []subject{{arn: "*"}}
	if !strings.HasPrefix(call.Operation, "Describe") {
		err := s.State.View(func(tx *state.Txn) error {
			if found := subjects(tx); len(found) > 0 {
				all = found
			}
			return nil
		})
		if err != nil {
			return wrap(call, err)
		}
	}
	keys, given := conditionKeys(call), call.Keys["aws:tagkeys"]
	for _, one := range all {
		about := keys.With(iam.TagKeys("aws:ResourceTag", one.tags), iam.TagKeys("elasticloadbalancing:ResourceTag", one.tags))
		if !one.new || madeBelow[call.Operation] == "" {
			if err := call.Authorize(wire.Query, Name+":"+call.Operation, one.arn, about); err != nil {
				return err
			}
		}
		if one.new && len(given) > 0 {
			if err := call.Authorize(wire.Query, Name+":AddTags", one.arn, about,
				iam.Keys{"elasticloadbalancing:createaction": {call.Operation}}); err != nil {
				return err
			}
		}
	}
	return nil
}

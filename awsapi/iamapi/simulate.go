package iamapi

import (
	"strconv"
	"strings"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

const maxSimulated = 1000 // evaluations of one call

func (s *Service) simulateActions() map[string]action {
	return map[string]action{
		"SimulatePrincipalPolicy": typed(s, s.simulatePrincipal),
		"SimulateCustomPolicy":    typed(s, s.simulateCustom),
	}
}

// contextEntry is one condition key of a simulated request.
type contextEntry struct {
	ContextKeyName   string `query:",required"`
	ContextKeyValues []string
	ContextKeyType   string // the policy's operator tells it too
}

type simulation struct {
	ActionNames     []string `query:",required"`
	ResourceArns    []string
	PolicyInputList []string
	ContextEntries  []contextEntry
	paging
}

type simulatePrincipalInput struct {
	PolicySourceARN string `query:"PolicySourceArn,required"`
	simulation
}

func (in simulatePrincipalInput) subject(*wire.Call) thing {
	kind, name := kindUser, in.PolicySourceARN[strings.LastIndexByte(in.PolicySourceARN, '/')+1:]
	for _, other := range []string{kindRole, kindGroup} {
		if strings.Contains(in.PolicySourceARN, ":"+other+"/") {
			kind = other
		}
	}
	return thing{kind: kind, name: name}
}

// Evaluation is the result of one simulated request.
type Evaluation struct {
	EvalActionName       string
	EvalResourceName     string
	EvalDecision         string
	MatchedStatements    list[string] // Tripod does not tell which
	MissingContextValues list[string]
}

type evaluationList struct {
	EvaluationResults list[Evaluation]
	pageEnd
}

var decisionNames = map[iam.Decision]string{iam.Allowed: "allowed", iam.ImplicitDeny: "implicitDeny", iam.ExplicitDeny: "explicitDeny"}

func (s *Service) simulatePrincipal(call *wire.Call, in *simulatePrincipalInput) (*evaluationList, error) {
	principal, err := view(s, call, func(tx *region.Txn) (iam.Principal, error) {
		p, found := iam.PrincipalOf(tx, in.PolicySourceARN)
		if !found {
			return p, noSuchEntity("The entity %s cannot be found.", in.PolicySourceARN)
		}
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return in.run(call, principal)
}

type simulateCustomInput struct{ simulation }

func (s *Service) simulateCustom(call *wire.Call, in *simulateCustomInput) (*evaluationList, error) {
	if len(in.PolicyInputList) == 0 {
		return nil, invalid("The request must contain the parameter PolicyInputList.member.1.")
	}
	return in.run(call, iam.Principal{ARN: s.arn(kindUser, "/simulated"), AccountID: s.AccountID})
}

// run evaluates each action on each resource.
func (in simulation) run(call *wire.Call, principal iam.Principal) (*evaluationList, error) {
	for _, document := range in.PolicyInputList {
		if _, err := iam.ParseIdentity(document); err != nil {
			return nil, invalidInput("A policy of PolicyInputList is refused: %v.", err)
		}
	}
	if len(in.ResourceArns) == 0 {
		in.ResourceArns = []string{"*"}
	}
	if len(in.ActionNames)*len(in.ResourceArns) > maxSimulated {
		return nil, limitExceeded("A simulation is of at most %d actions on resources together.", maxSimulated)
	}
	keys := iam.Keys{}
	for _, entry := range in.ContextEntries {
		keys[strings.ToLower(entry.ContextKeyName)] = entry.ContextKeyValues
	}
	principal = principal.With(in.PolicyInputList...)
	type numbered struct {
		Evaluation
		number string
	}
	var results []numbered
	for _, action := range in.ActionNames {
		for _, resource := range in.ResourceArns {
			decision, _ := principal.Evaluate(action, resource, keys)
			one := Evaluation{EvalActionName: action, EvalResourceName: resource, EvalDecision: decisionNames[decision]}
			results = append(results, numbered{one, strconv.Itoa(maxSimulated + len(results))}) // as many digits each: pages go by it
		}
	}
	cut, end, err := page(call, in.paging, results, func(one numbered) string { return one.number })
	out := &evaluationList{pageEnd: end}
	for _, one := range cut {
		out.EvaluationResults = append(out.EvaluationResults, one.Evaluation)
	}
	return out, err
}

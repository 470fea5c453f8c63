package iamapi

import (
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/iam"
	"tripod/state"
)

const (
	maxSimulated = 1000 // evaluations of one call
	// maxSimulatedText is how long, in bytes, an ARN is at most, and here a condition key's value: no real call has longer
	// ones, and policies may repeat them.
	maxSimulatedText   = 2048
	maxSimulatedAction = 128
)

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
	// PermissionsBoundaryPolicyInputList replaces the principal's permissions boundary.
	PermissionsBoundaryPolicyInputList []string
	ContextEntries                     []contextEntry
	paging
}

type policySource struct {
	PolicySourceARN string `query:"PolicySourceArn,required"`
}

type simulatePrincipalInput struct {
	policySource
	simulation
}

func (in policySource) subject(*operation.Call) thing {
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
	// PermissionsBoundary is there where the simulated principal has one.
	PermissionsBoundary *boundaryDetail `xml:"PermissionsBoundaryDecisionDetail" json:"PermissionsBoundaryDecisionDetail,omitempty"`
}

type boundaryDetail struct{ AllowedByPermissionsBoundary bool }

type evaluationList struct {
	EvaluationResults list[Evaluation]
	pageEnd
}

var decisionNames = map[iam.Decision]string{iam.Allowed: "allowed", iam.ImplicitDeny: "implicitDeny", iam.ExplicitDeny: "explicitDeny"}

func (s *Service) simulatePrincipal(call *operation.Call, in *simulatePrincipalInput) (*evaluationList, error) {
	principal, err := s.principal(call, in.policySource)
	if err != nil {
		return nil, err
	}
	return in.run(call, principal)
}

// principal is whom a call names.
func (s *Service) principal(call *operation.Call, source policySource) (iam.Principal, error) {
	return view(s, call, func(tx *state.Txn) (iam.Principal, error) {
		p, found := iam.PrincipalOf(tx, source.PolicySourceARN)
		if !found {
			return p, noSuchEntity("The entity %s cannot be found.", source.PolicySourceARN)
		}
		return p, nil
	})
}

type simulateCustomInput struct{ simulation }

func (s *Service) simulateCustom(call *operation.Call, in *simulateCustomInput) (*evaluationList, error) {
	if len(in.PolicyInputList) == 0 {
		return nil, invalid("The request must contain the parameter PolicyInputList.member.1.")
	}
	return in.run(call, iam.Principal{ARN: s.arn(kindUser, "/simulated"), AccountID: s.AccountID})
}

// run evaluates each action on each resource.
func (in simulation) run(call *operation.Call, principal iam.Principal) (*evaluationList, error) {
	if err := checkInputList("PolicyInputList", in.PolicyInputList); err != nil {
		return nil, err
	}
	if err := checkInputList("PermissionsBoundaryPolicyInputList", in.PermissionsBoundaryPolicyInputList); err != nil {
		return nil, err
	}
	if len(in.ResourceArns) == 0 {
		in.ResourceArns = []string{"*"}
	}
	if len(in.ActionNames)*len(in.ResourceArns) > maxSimulated {
		return nil, limitExceeded("A simulation is of at most %d actions on resources together.", maxSimulated)
	}
	if err := in.checkTexts(); err != nil {
		return nil, err
	}
	keys := iam.Keys{}
	for _, entry := range in.ContextEntries {
		keys[strings.ToLower(entry.ContextKeyName)] = entry.ContextKeyValues
	}
	principal = principal.With(in.PolicyInputList...)
	switch len(in.PermissionsBoundaryPolicyInputList) {
	case 0:
	case 1:
		principal.Boundary = &in.PermissionsBoundaryPolicyInputList[0]
	default:
		return nil, invalidInput("PermissionsBoundaryPolicyInputList must have one policy: a principal has no more boundaries.")
	}
	known := principal.Keys().With(keys)
	type numbered struct {
		Evaluation
		number string
	}
	var results []numbered
	for _, action := range in.ActionNames {
		missing := slices.DeleteFunc(principal.ContextKeys(action), func(key string) bool { return len(known[strings.ToLower(key)]) > 0 })
		for _, resource := range in.ResourceArns {
			if err := call.Request.Context().Err(); err != nil {
				return nil, wrap(call, err) // nobody waits for it any more
			}
			decision, _ := principal.Evaluate(action, resource, keys)
			one := Evaluation{EvalActionName: action, EvalResourceName: resource, EvalDecision: decisionNames[decision]}
			one.MissingContextValues = missing
			if principal.Boundary != nil {
				one.PermissionsBoundary = &boundaryDetail{principal.Bounds(action, resource, keys) == iam.Allowed}
			}
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

// checkTexts refuses what is longer than in any real call.
func (in simulation) checkTexts() error {
	long := func(most int) func(string) bool { return func(text string) bool { return len(text) > most } }
	switch {
	case slices.ContainsFunc(in.ActionNames, long(maxSimulatedAction)):
		return invalid("A member of ActionNames must have at most %d characters.", maxSimulatedAction)
	case slices.ContainsFunc(in.ResourceArns, long(maxSimulatedText)):
		return invalid("A member of ResourceArns must have at most %d characters.", maxSimulatedText)
	case slices.ContainsFunc(in.ContextEntries, func(e contextEntry) bool {
		return slices.ContainsFunc(e.ContextKeyValues, long(maxSimulatedText))
	}):
		return invalid("A member of ContextKeyValues must have at most %d characters.", maxSimulatedText)
	}
	return nil
}

func checkInputList(name string, documents []string) error {
	for _, document := range documents {
		if err := iam.CheckIdentity(document); err != nil {
			return invalidInput("A policy of %s is refused: %v", name, err)
		}
	}
	return nil
}

type keysOfPrincipalInput struct {
	policySource
	PolicyInputList []string
}

type keysOfCustomInput struct {
	PolicyInputList []string `query:",required"`
}

type contextKeyNames struct{ ContextKeyNames list[string] }

func (s *Service) keysOfPrincipal(call *operation.Call, in *keysOfPrincipalInput) (*contextKeyNames, error) {
	if err := checkInputList("PolicyInputList", in.PolicyInputList); err != nil {
		return nil, err
	}
	principal, err := s.principal(call, in.policySource)
	if err != nil {
		return nil, err
	}
	return &contextKeyNames{principal.With(in.PolicyInputList...).ContextKeys("")}, nil
}

func (s *Service) keysOfCustom(_ *operation.Call, in *keysOfCustomInput) (*contextKeyNames, error) {
	if err := checkInputList("PolicyInputList", in.PolicyInputList); err != nil {
		return nil, err
	}
	return &contextKeyNames{iam.Principal{}.With(in.PolicyInputList...).ContextKeys("")}, nil
}

package iam_test

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"tripod/iam"
)

var (
	seedFlag = flag.Uint64("seed", 0, "seed of the random policies and mutations; 0 draws one")
	rounds   = flag.Int("rounds", 1000, "random policies, and mutations of each kind")
)

// newDice are the test's random numbers. The seed stands in the output of a failure.
func newDice(t *testing.T) dice {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("again with: go test ./iam -run '^%s$' -seed %d -rounds %d", t.Name(), seed, *rounds)
	return dice{rand.New(rand.NewPCG(seed, 0))}
}

type dice struct{ *rand.Rand }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func (d dice) of(texts ...string) string { return texts[d.IntN(len(texts))] }

// some is one of the texts, or a list of up to three.
func (d dice) some(texts ...string) any {
	if d.chance(50) {
		return d.of(texts...)
	}
	var list []string
	for range 1 + d.IntN(3) {
		list = append(list, d.of(texts...))
	}
	return list
}

// What policies and requests are made of: little, so that they meet.
var (
	actions        = []string{"eks:DescribeCluster", "eks:ListClusters", "iam:PassRole"}
	actionPatterns = []string{"*", "eks:*", "EKS:describe*", "eks:?istClusters", "iam:PassRole", "iam:*Role", "ec2:*"}
	resources      = []string{"arn:aws:eks:us-east-1:1:cluster/ann", "arn:aws:eks:us-east-1:1:cluster/a*",
		"arn:aws:iam::1:role/ann", "*"}
	resourcePatterns = []string{"*", "arn:aws:eks:*:cluster/*", "arn:aws:eks:*:cluster/${user}",
		"arn:aws:eks:us-east-1:1:cluster/a?n", "arn:aws:iam::1:role/${absent, 'ann'}",
		"arn:aws:iam::1:role/${many}", "arn:*/${star}", "arn:aws:eks:us-east-1:1:cluster/a${*}"}
	values = map[string][]string{
		"String":  {"ann", "Ann", "bob", "a*", "", "ann:1"},
		"Binary":  {"QQ==", "Qg=="},
		"Arn":     {"arn:aws:iam::1:role/a", "arn:aws:iam::2:role/b:c", "arn:aws:iam::1", "none"},
		"Ip":      {"10.0.0.1", "10.1.0.1", "192.168.0.1", "none"},
		"Numeric": {"1", "2", "3", "x"},
		"Date":    {"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-01T01:00:00+01:00", "never"},
		"Bool":    {"true", "false", "True"},
	}
	wanted = map[string][]string{
		"String": {"ann", "Ann", "a*", "?nn", "*", "${user}", "${star}", "${none}", "${many}", "bob", ""},
		"Binary": {"QQ==", "Qg=="},
		"Arn": {"arn:aws:iam::1:role/a", "arn:aws:iam::*:role/*", "arn:*", "arn:aws:*:*:*:*", "arn:aws:iam::?:role/b*",
			"*"},
		"Ip":      {"10.0.0.0/8", "10.0.0.1", "10.0.0.1/32", "0.0.0.0/0", "none"},
		"Numeric": {"1", "2", "x"},
		"Date":    {"2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "never"},
		"Bool":    {"true", "false"},
	}
	operators = map[string][]string{
		"String": {"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike",
			"StringNotLike"},
		"Binary": {"BinaryEquals"},
		"Arn":    {"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"},
		"Ip":     {"IpAddress", "NotIpAddress"},
		"Numeric": {"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan",
			"NumericGreaterThanEquals"},
		"Date": {"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan",
			"DateGreaterThanEquals"},
		"Bool": {"Bool"},
	}
	kinds      = []string{"String", "Binary", "Arn", "Ip", "Numeric", "Date", "Bool"}
	principals = []string{"*", "1", "arn:aws:iam::1:user/ann", "arn:aws:iam::2:root"}
)

// keys are a request's: of some kinds none, of others one value or several.
func (d dice) keys() iam.Keys {
	keys := iam.Keys{"user": {"ann"}, "star": {"*"}, "many": {"x", "y"}}
	for _, kind := range kinds {
		for range d.IntN(4) {
			name := "k:" + strings.ToLower(kind)
			keys[name] = append(keys[name], d.of(values[kind]...))
		}
	}
	return keys
}

func (d dice) condition() map[string]any {
	conditions := map[string]any{}
	for range d.IntN(3) {
		kind := d.of(kinds...)
		operator, want := d.of(operators[kind]...), d.some(wanted[kind]...)
		switch {
		case d.chance(10):
			operator, want = "Null", d.some("true", "false")
		case d.chance(30):
			operator = d.of("ForAllValues:", "ForAnyValue:") + operator
		}
		if operator != "Null" && d.chance(20) {
			operator += "IfExists"
		}
		conditions[operator] = map[string]any{"k:" + d.of(kind, strings.ToLower(kind)): want}
	}
	return conditions
}

// policy is a random valid policy: with principals and no resources it is a trust policy.
func (d dice) policy(t testing.TB, trust bool) string {
	t.Helper()
	var statements []map[string]any
	for range 1 + d.IntN(3) {
		s := map[string]any{"Effect": "Allow", d.of("Action", "Action", "NotAction"): d.some(actionPatterns...),
			"Condition": d.condition()}
		if d.chance(25) {
			s["Effect"] = "Deny"
		}
		switch {
		case !trust:
			s[d.of("Resource", "Resource", "Resource", "NotResource")] = d.some(resourcePatterns...)
		case s["Effect"] == "Deny" && d.chance(30):
			s["NotPrincipal"] = map[string]any{"AWS": d.some(principals...)}
		case d.chance(20):
			s["Principal"] = "*"
		default:
			s["Principal"] = map[string]any{d.of("AWS", "Service"): d.some(principals...)}
		}
		statements = append(statements, s)
	}
	text, err := json.Marshal(map[string]any{"Version": d.of("2012-10-17", "2012-10-17", "2008-10-17"),
		"Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (d dice) policies(t *testing.T) []string {
	t.Helper()
	var all []string
	for range 1 + d.IntN(2) {
		all = append(all, d.policy(t, false))
	}
	return all
}

func (d dice) request() iam.Request {
	caller := d.of(principals[1:]...)
	return iam.Request{Action: d.of(actions...), Resource: d.of(resources...), Keys: d.keys(),
		Principal: func(kind, element string) bool {
			return kind == "AWS" && (element == "*" || element == caller)
		}}
}

func TestEvaluatorDecidesAsThePlainReference(t *testing.T) {
	d := newDice(t)
	seen := map[iam.Decision]int{}
	for range *rounds {
		request := d.request()
		identity, p := d.policies(t), iam.Principal{}
		p.Documents = identity
		var boundary, session []string
		if d.chance(30) {
			boundary = []string{d.policy(t, false)}
			p.Boundary = &boundary[0]
		}
		if d.chance(30) {
			session = d.policies(t)
			p.SessionPolicies = session
		}
		want := reference{Request: request}.all(identity, boundary, session)
		seen[want]++
		if got, reason := p.Evaluate(request.Action, request.Resource, request.Keys); got != want ||
			(got == iam.Allowed) != (reason == "") {
			t.Fatalf("%s on %s with %q: got %d %q, want %d by\n%s\nboundary %s\nsession %s", request.Action, request.Resource,
				request.Keys, got, reason, want,
				strings.Join(identity, "\n"), boundary, strings.Join(session, "\n"))
		}
		trust := d.policy(t, true)
		document, err := iam.ParseTrust(trust)
		if err != nil {
			t.Fatalf("%v: %s", err, trust)
		}
		want = reference{Request: request}.decide(trust)
		if got := iam.Decide(request, document); got != want {
			t.Fatalf("%s with %q: got %d, want %d by %s", request.Action, request.Keys, got, want, trust)
		}
	}
	for _, decision := range []iam.Decision{iam.Allowed, iam.ImplicitDeny, iam.ExplicitDeny} {
		if seen[decision] < *rounds/50 {
			t.Errorf("decisions %v: the policies are no test of %d", seen, decision)
		}
	}
}

// TestMoreDeniesNeverAllowMore adds a Deny to policies: what was denied stays so.
func TestMoreDeniesNeverAllowMore(t *testing.T) {
	d := newDice(t)
	for range *rounds / 10 {
		request, identity := d.request(), d.policies(t)
		before, _ := iam.Principal{Documents: identity}.Evaluate(request.Action, request.Resource, request.Keys)
		denying := strings.ReplaceAll(d.policy(t, false), `"Allow"`, `"Deny"`)
		after, _ := iam.Principal{Documents: append(slices.Clone(identity), denying)}.Evaluate(request.Action,
			request.Resource, request.Keys)
		if before != iam.Allowed && after == iam.Allowed || before == iam.ExplicitDeny && after != iam.ExplicitDeny {
			t.Fatalf("%s: %d became %d by adding %s to %s", request.Action, before, after, denying, identity)
		}
	}
}

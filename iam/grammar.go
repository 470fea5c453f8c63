package iam

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What may be stored as a policy, after "Grammar of the IAM JSON policy language", in the order in which IAM finds
// fault and with IAM's own sentences: tools match on them.
const (
	saysSyntax  = "Syntax errors in policy."
	saysVersion = "Policy document must be version 2012-10-17 or greater."
	saysLegacy  = "The policy failed legacy parsing"
	saysUnique  = "Statement IDs (SID) in a single policy must be unique."
	saysSID     = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular " +
		"expression [0-9A-Za-z]*"
	saysActions    = "Policy statement must contain actions."
	saysResources  = "Policy statement must contain resources."
	saysPrincipal  = "Policy document should not specify a principal."
	saysVendor     = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	saysColons     = "Actions/Condition can contain only one colon."
	saysBadVendor  = "Vendor %s is not valid"
	saysNoARN      = `Resource %s must be in ARN format or "*".`
	saysPartition  = `Partition "%s" is not valid for resource "arn:%s:%s:%s:%s:%s".`
	saysNoVendor   = "Resource vendor must be fully qualified and cannot contain regexes."
	saysIAMRegion  = "IAM resource %s cannot contain region information."
	saysS3Region   = "Resource %s can not contain region information."
	saysIAMPath    = `IAM resource path must either be "*" or start with %s.`
	mostPolicyText = 131072 // characters, of any policy
)

// Malformed is why a document is no policy, in AWS's words.
type Malformed struct{ Sentence string }

func (e *Malformed) Error() string { return e.Sentence }

func malformed(format string, args ...any) error { return &Malformed{fmt.Sprintf(format, args...)} }

// CheckIdentity says whether IAM takes a document as an inline policy, of a user, group, role or session. The error is
// a *Malformed.
func CheckIdentity(text string) error { return checkIdentity(text, false) }

// CheckManaged is CheckIdentity for managed policies, which must have the newest version.
func CheckManaged(text string) error { return checkIdentity(text, true) }

func checkIdentity(text string, managed bool) error {
	p, ok := readDocument(text)
	if !ok {
		return malformed(saysSyntax)
	}
	if managed && p.version != policyVersion {
		return malformed(saysVersion)
	}
	if strings.HasPrefix(text, " ") {
		return malformed(saysLegacy)
	}
	for _, s := range p.statements {
		if !s.legacy() {
			return malformed(saysLegacy)
		}
	}
	resource := p.resources()
	for _, check := range []func() error{func() error { return legacyOnly(resource) }, p.noPrincipals, p.sids,
		p.someActions, func() error { return resource }, p.vendors, p.someResources} {
		if err := check(); err != nil {
			return err
		}
	}
	if _, err := ParseIdentity(text); err != nil { // what cannot be evaluated later must not be stored
		return malformed(saysSyntax)
	}
	return nil
}

// legacyOnly is the error if it is that of the legacy parser, which comes before others.
func legacyOnly(err error) error {
	if m, ok := err.(*Malformed); ok && m.Sentence == saysLegacy {
		return err
	}
	return nil
}

// grammarDocument is a policy whose syntax is right.
type grammarDocument struct {
	version    string
	statements []grammarStatement
}

// grammarStatement has a statement's elements as JSON has them.
type grammarStatement map[string]any

var elements = []string{"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource",
	"NotResource", "Condition"}

// readDocument reads a policy, and says whether its syntax is right.
func readDocument(text string) (p grammarDocument, ok bool) {
	if len(text) > mostPolicyText {
		return p, false
	}
	members, err := object([]byte(text), "Version", "Id", "Statement")
	if err != nil {
		return p, false
	}
	var id string
	if raw, found := members["Id"]; found && (json.Unmarshal(raw, &id) != nil || string(raw) == "null") {
		return p, false
	}
	if raw, found := members["Version"]; found &&
		(json.Unmarshal(raw, &p.version) != nil || p.version != policyVersion && p.version != oldVersion) {
		return p, false
	}
	list, ok := statementList(members["Statement"])
	if !ok || len(list) == 0 {
		return p, false
	}
	for _, raw := range list {
		s, ok := readStatement(raw)
		if !ok {
			return p, false
		}
		p.statements = append(p.statements, s)
	}
	return p, true
}

// statementList are the statements of a policy, which has one or a list of them.
func statementList(raw json.RawMessage) (list []json.RawMessage, ok bool) {
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		return list, json.Unmarshal(raw, &list) == nil
	}
	return []json.RawMessage{raw}, raw != nil
}

func readStatement(raw json.RawMessage) (grammarStatement, bool) {
	members, err := object(raw, elements...)
	if err != nil {
		return nil, false
	}
	s := grammarStatement{}
	for name, raw := range members {
		value, ok := readValue(raw)
		if !ok {
			return nil, false
		}
		s[name] = value
	}
	return s, s.syntax()
}

// readValue reads JSON, with numbers as they stand there. A member twice is wrong at any depth.
func readValue(raw json.RawMessage) (any, bool) {
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "{") {
		members, err := object(raw)
		if err != nil {
			return nil, false
		}
		value := make(map[string]any, len(members))
		for name, raw := range members {
			one, ok := readValue(raw)
			if !ok {
				return nil, false
			}
			value[name] = one
		}
		return value, true
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var value any
	return value, dec.Decode(&value) == nil
}

func (s grammarStatement) syntax() bool {
	effect, _ := s["Effect"].(string)
	if !strings.EqualFold(effect, effectAllow) && !strings.EqualFold(effect, effectDeny) || s.has("Action") &&
		s.has("NotAction") || s.has("Resource") && s.has("NotResource") {
		return false
	}
	if _, isText := s["Sid"].(string); s.has("Sid") && !isText {
		return false
	}
	for _, name := range []string{"Action", "NotAction", "Resource", "NotResource"} {
		if s.has(name) && !isTexts(s[name]) {
			return false
		}
	}
	return !s.has("Condition") || conditionSyntax(s["Condition"])
}

func (s grammarStatement) has(name string) bool { _, found := s[name]; return found }

// isTexts says whether a value is a text, or a list of texts and nulls.
func isTexts(value any) bool {
	list, several := value.([]any)
	if !several {
		_, isText := value.(string)
		return isText
	}
	return !slices.ContainsFunc(list, func(one any) bool { _, isText := one.(string); return !isText && one != nil })
}

// conditionSyntax says whether a condition's syntax is right: an operator that there is not may have no keys.
func conditionSyntax(value any) bool {
	operators, ok := value.(map[string]any)
	for name, block := range operators {
		keys, isBlock := block.(map[string]any)
		if !isBlock || len(keys) > 0 && !knownOperator(name) {
			return false
		}
		for _, values := range keys {
			if !conditionValues(values) {
				return false
			}
		}
	}
	return ok
}

func conditionValues(values any) bool {
	switch values := values.(type) {
	case string, bool, json.Number:
		return true
	case []any:
		return !slices.ContainsFunc(values,
			func(one any) bool { _, several := one.([]any); return several || one != nil && !conditionValues(one) })
	}
	return false
}

// texts are an element's, without nulls.
func (s grammarStatement) texts(name string) []string {
	list, several := s[name].([]any)
	if !several {
		list = []any{s[name]}
	}
	var texts []string
	for _, one := range list {
		if text, ok := one.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// lacks says whether a statement has neither of two elements, or an empty list for one.
func (s grammarStatement) lacks(name, not string) bool {
	if !s.has(name) {
		name = not
	}
	list, several := s[name].([]any)
	return !s.has(name) || several && len(list) == 0
}

func (p grammarDocument) noPrincipals() error {
	if slices.ContainsFunc(p.statements,
		func(s grammarStatement) bool { return s.has("Principal") || s.has("NotPrincipal") }) {
		return malformed(saysPrincipal)
	}
	return nil
}

func (p grammarDocument) sids() error {
	seen := map[string]bool{}
	for _, s := range p.statements {
		sid, _ := s["Sid"].(string)
		if sid != "" && seen[sid] {
			return malformed(saysUnique)
		}
		seen[sid] = true
	}
	if slices.ContainsFunc(slices.Collect(maps.Keys(seen)),
		func(sid string) bool { return strings.Trim(sid, alphanumeric) != "" }) {
		return malformed(saysSID)
	}
	return nil
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func (p grammarDocument) someActions() error {
	if slices.ContainsFunc(p.statements, func(s grammarStatement) bool { return s.lacks("Action", "NotAction") }) {
		return malformed(saysActions)
	}
	return nil
}

func (p grammarDocument) someResources() error {
	if slices.ContainsFunc(p.statements, func(s grammarStatement) bool { return s.lacks("Resource", "NotResource") }) {
		return malformed(saysResources)
	}
	return nil
}

package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxPolicyBytes bounds what is parsed at all; each kind of policy has its own, smaller limit where it is stored.
const maxPolicyBytes = 32 << 10

const (
	effectAllow = "Allow"
	effectDeny  = "Deny"
	// policyVersion is the version of the policy language that has variables.
	policyVersion = "2012-10-17"
	oldVersion    = "2008-10-17"
)

// Document is a policy that was parsed.
type Document struct {
	Version    string
	Statements []Statement
}

// Statement is one of a policy's statements. Of each pair with a Not one at most is set.
type Statement struct {
	SID                       string
	Effect                    string // Allow or Deny
	Actions, NotActions       []string
	Resources, NotResources   []string
	Principals, NotPrincipals map[string][]string // by kind: AWS, Service, Federated; "*" alone is AWS *
	Conditions                []Condition
}

// Condition is one key of a statement's Condition: the operator must hold for it.
type Condition struct {
	Operator, Key string
	Values        []string
}

// ParseTrust reads the policy of a role that says who may assume it: it has principals, and no resources. Like
// ParseIdentity and ParseResource it asks for what evaluation needs, so that what was stored stays readable; what may
// be stored is CheckTrust's and CheckIdentity's matter. The error is a sentence for the user.
func ParseTrust(text string) (*Document, error) {
	return parsePolicy(text, func(s Statement) error {
		switch {
		case s.Actions == nil && s.NotActions == nil:
			return errNoAction
		case s.Principals == nil && s.NotPrincipals == nil:
			return errors.New("a statement of a trust policy needs a Principal")
		case s.Resources != nil || s.NotResources != nil:
			return errors.New("a trust policy has no Resource: it is about the role that has it")
		}
		return nil
	})
}

// ParseIdentity reads a policy of a user, group, role or session: it has resources, and no principals.
func ParseIdentity(text string) (*Document, error) {
	return parsePolicy(text, func(s Statement) error {
		switch {
		case s.Actions == nil && s.NotActions == nil:
			return errNoAction
		case s.Principals != nil || s.NotPrincipals != nil:
			return errors.New("an identity-based policy has no Principal: it is about those who have it")
		case s.Resources == nil && s.NotResources == nil:
			return errors.New("a statement needs a Resource or a NotResource")
		}
		return nil
	})
}

// ParseResource reads the policy of a resource, such as a key: its statements have principals. One without an action or
// a resource is taken and has no effect ("Elements in a key policy" of KMS's guide).
func ParseResource(text string) (*Document, error) {
	d, err := parsePolicy(text, func(s Statement) error {
		if s.Principals == nil && s.NotPrincipals == nil {
			return errors.New("a statement of a resource's policy needs a Principal")
		}
		return nil
	})
	if err == nil {
		d.Statements = slices.DeleteFunc(d.Statements, func(s Statement) bool {
			return s.Actions == nil && s.NotActions == nil || s.Resources == nil && s.NotResources == nil
		})
	}
	return d, err
}

var errNoAction = errors.New("it needs either an Action or a NotAction")

func parsePolicy(text string, check func(Statement) error) (*Document, error) {
	if len(text) > maxPolicyBytes {
		return nil, fmt.Errorf("the policy is longer than %d bytes", maxPolicyBytes)
	}
	members, err := object([]byte(text), "Version", "Id", "Statement")
	if err != nil {
		return nil, fmt.Errorf("the policy: %w", err)
	}
	d := &Document{Version: oldVersion}
	if raw, ok := members["Version"]; ok {
		if json.Unmarshal(raw, &d.Version) != nil || d.Version != oldVersion && d.Version != policyVersion {
			return nil, errors.New("the policy's Version must be 2012-10-17 or 2008-10-17")
		}
	}
	statements := []json.RawMessage{members["Statement"]}
	if raw := bytes.TrimSpace(members["Statement"]); len(raw) > 0 && raw[0] == '[' {
		if err := json.Unmarshal(raw, &statements); err != nil {
			return nil, errors.New("the policy's Statement is not a list of statements")
		}
	}
	if len(statements) == 0 || statements[0] == nil {
		return nil, errors.New("the policy has no Statement")
	}
	for i, raw := range statements {
		s, err := parseStatement(raw)
		if err == nil {
			err = check(s)
		}
		if err != nil {
			return nil, fmt.Errorf("statement %d of the policy: %w", i+1, err)
		}
		d.Statements = append(d.Statements, s)
	}
	return d, nil
}

func parseStatement(raw json.RawMessage) (s Statement, err error) {
	members, err := object(raw, "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal",
		"NotPrincipal", "Condition")
	if err != nil {
		return s, err
	}
	if raw, ok := members["Sid"]; ok && json.Unmarshal(raw, &s.SID) != nil {
		return s, errors.New("the Sid is not a string")
	}
	if json.Unmarshal(members["Effect"], &s.Effect) != nil || s.Effect != effectAllow && s.Effect != effectDeny {
		return s, errors.New("the Effect must be Allow or Deny")
	}
	for name, into := range map[string]*[]string{
		"Action": &s.Actions, "NotAction": &s.NotActions, "Resource": &s.Resources, "NotResource": &s.NotResources,
	} {
		if raw, ok := members[name]; ok {
			if *into, err = oneOrMore(raw); err == nil && bytes.Equal(bytes.TrimSpace(raw), []byte("[]")) {
				err = errEmptyList
			}
			if err != nil {
				return s, fmt.Errorf("%s %w", name, err)
			}
		}
	}
	for name, into := range map[string]*map[string][]string{"Principal": &s.Principals, "NotPrincipal": &s.NotPrincipals} {
		if raw, ok := members[name]; ok {
			if *into, err = parsePrincipals(raw); err != nil {
				return s, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	switch {
	case s.Actions != nil && s.NotActions != nil:
		return s, errors.New("it has both an Action and a NotAction")
	case s.Resources != nil && s.NotResources != nil:
		return s, errors.New("it has both a Resource and a NotResource")
	case s.Principals != nil && s.NotPrincipals != nil:
		return s, errors.New("it has both a Principal and a NotPrincipal")
	case s.NotPrincipals != nil && s.Effect == effectAllow:
		return s, errors.New("NotPrincipal goes with the Effect Deny only")
	}
	for _, action := range append(slices.Clone(s.Actions), s.NotActions...) {
		if service, name, found := strings.Cut(action, ":"); action != "*" && (!found || service == "" || name == "") {
			return s, fmt.Errorf("the action %s is not of the form service:Action", quote(action))
		}
	}
	if raw, ok := members["Condition"]; ok {
		s.Conditions, err = parseConditions(raw)
	}
	return s, err
}

func parsePrincipals(raw json.RawMessage) (map[string][]string, error) {
	var all string
	if json.Unmarshal(raw, &all) == nil {
		if all != "*" {
			return nil, errors.New(`it must be "*" or an object of AWS, Service and Federated`)
		}
		return map[string][]string{"AWS": {"*"}}, nil
	}
	members, err := object(raw, "AWS", "Service", "Federated", "CanonicalUser")
	if err != nil {
		return nil, err
	}
	principals := make(map[string][]string, len(members))
	for kind, raw := range members {
		if principals[kind], err = oneOrMore(raw); err == nil && len(principals[kind]) == 0 {
			err = errEmptyList
		}
		if err != nil {
			return nil, fmt.Errorf("%s %w", kind, err)
		}
	}
	if len(principals) == 0 {
		return nil, errors.New("it is empty")
	}
	return principals, nil
}

func parseConditions(raw json.RawMessage) ([]Condition, error) {
	operators, err := object(raw)
	if err != nil {
		return nil, fmt.Errorf("Condition: %w", err)
	}
	var conditions []Condition
	for operator, raw := range operators {
		keys, err := object(raw)
		if err != nil {
			return nil, fmt.Errorf("the condition %s: %w", quote(operator), err)
		}
		if len(keys) > 0 && !knownOperator(operator) { // of one without keys IAM takes any name
			return nil, fmt.Errorf("Condition has the operator %s, which Tripod does not know", quote(operator))
		}
		for key, raw := range keys {
			values, err := oneOrMore(raw)
			if err != nil {
				return nil, fmt.Errorf("the condition key %s %w", quote(key), err)
			}
			conditions = append(conditions, Condition{operator, key, values})
		}
	}
	return conditions, nil
}

// object reads a JSON object, refusing what encoding/json lets pass: a member twice, where readers could differ on
// which counts, and something behind it. names are the members that it may have, in that very spelling; none means any.
func object(raw []byte, names ...string) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("it is not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, errors.New("it is not proper JSON")
		}
		name, _ := token.(string) // JSON allows nothing else here
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("it has %s more than once", quote(name))
		}
		if len(names) > 0 && !slices.Contains(names, name) {
			return nil, fmt.Errorf("it has the unknown member %s", quote(name))
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil, errors.New("it is not proper JSON")
		}
		members[name] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("it is not proper JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows its JSON")
	}
	return members, nil
}

var errEmptyList = errors.New("is an empty list")

// oneOrMore reads a string, number or boolean, or a list of them, as strings. A null in a list is nothing, as IAM has
// it.
func oneOrMore(raw json.RawMessage) ([]string, error) {
	list := []json.RawMessage{raw}
	several := bytes.HasPrefix(bytes.TrimSpace(raw), []byte("["))
	if several {
		if json.Unmarshal(raw, &list) != nil {
			return nil, errors.New("is not proper JSON")
		}
	}
	texts := make([]string, 0, len(list))
	for _, item := range list {
		item = bytes.TrimSpace(item)
		var text string
		switch {
		case several && string(item) == "null":
			continue
		case json.Unmarshal(item, &text) == nil && string(item) != "null":
		case len(item) > 0 && !strings.ContainsRune(`{["n`, rune(item[0])):
			text = string(item)
		default:
			return nil, errors.New("must be a string or a list of strings")
		}
		texts = append(texts, text)
	}
	return texts, nil
}

package events

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// Target is where events go. Parameters of other kinds of targets than queues are kept and shown.
type Target struct {
	ID          string       `json:"Id"`
	ARN         string       `json:"Arn"`
	RoleARN     string       `json:"RoleArn,omitempty"`
	Input       string       `json:",omitempty"`
	InputPath   string       `json:",omitempty"`
	Transformer *transformer `json:"InputTransformer,omitempty"`

	SQS       json.RawMessage `json:"SqsParameters,omitempty"`
	Retry     json.RawMessage `json:"RetryPolicy,omitempty"`
	DeadQueue json.RawMessage `json:"DeadLetterConfig,omitempty"`
	AppSync   json.RawMessage `json:"AppSyncParameters,omitempty"`
	Batch     json.RawMessage `json:"BatchParameters,omitempty"`
	ECS       json.RawMessage `json:"EcsParameters,omitempty"`
	HTTP      json.RawMessage `json:"HttpParameters,omitempty"`
	Kinesis   json.RawMessage `json:"KinesisParameters,omitempty"`
	Redshift  json.RawMessage `json:"RedshiftDataParameters,omitempty"`
	Command   json.RawMessage `json:"RunCommandParameters,omitempty"`
	SageMaker json.RawMessage `json:"SageMakerPipelineParameters,omitempty"`
}

// transformer makes a text of an event: the template with values of the event in it.
type transformer struct {
	Paths    map[string]string `json:"InputPathsMap,omitempty"` // by the variables' names
	Template string            `json:"InputTemplate"`
}

// Bounds, as EventBridge has them.
const (
	maxVariables = 100
	maxTemplate  = 8192
)

// placeholder is a variable in a template.
var placeholder = regexp.MustCompile(`<([A-Za-z0-9_.-]+)>`)

// The variables that EventBridge has itself.
const (
	ruleARNVariable   = "aws.events.rule-arn"
	ruleNameVariable  = "aws.events.rule-name"
	ingestionVariable = "aws.events.event.ingestion-time"
	eventVariable     = "aws.events.event"
	eventJSONVariable = "aws.events.event.json"
)

// check has the refusals of PutTargets.
func (t Target) check() error {
	ways := 0
	for _, given := range []bool{t.Input != "", t.InputPath != "", t.Transformer != nil} {
		if given {
			ways++
		}
	}
	switch {
	case t.ID == "" || !strings.HasPrefix(t.ARN, "arn:"):
		return operation.InvalidInput("Parameter " + wire.Clip(t.ARN) + " is not valid. Reason: Provided Arn is not in correct format.")
	case ways > 1:
		return operation.InvalidInput("Only one of Input, InputPath, or InputTransformer must be provided for target " + wire.Clip(t.ID) + ".")
	case t.Input != "" && !json.Valid([]byte(t.Input)):
		return operation.InvalidInput("JSON syntax error in input for target " + wire.Clip(t.ID) + ".")
	case t.InputPath != "" && !isPath(t.InputPath):
		return operation.InvalidInput("Invalid InputPath for target " + wire.Clip(t.ID) + ".")
	case t.Transformer != nil:
		return t.Transformer.check(t.ID)
	}
	return nil
}

func (f transformer) check(target string) error {
	refused := func(what string) error {
		return operation.InvalidInput("Invalid " + what + " for target " + wire.Clip(target) + ".")
	}
	if f.Template == "" || len(f.Template) > maxTemplate {
		return refused("InputTemplate")
	}
	if len(f.Paths) > maxVariables {
		return refused("InputPathsMap")
	}
	for name, path := range f.Paths {
		if !isPath(path) || strings.HasPrefix(strings.ToLower(name), "aws") {
			return refused("InputPathsMap")
		}
	}
	reserved := []string{ruleARNVariable, ruleNameVariable, ingestionVariable, eventVariable, eventJSONVariable}
	for _, found := range placeholder.FindAllStringSubmatch(f.Template, -1) {
		if _, mapped := f.Paths[found[1]]; !mapped && !slices.Contains(reserved, found[1]) {
			return operation.InvalidInput("Invalid InputTemplate for target " + wire.Clip(target) + " : placeholder " + wire.Clip(found[0]) +
				" is not in InputPathsMap.")
		}
	}
	return nil
}

// delivery is an event on its way to the targets of a rule.
type delivery struct {
	text    []byte         // the event
	fields  map[string]any // the same
	rule    Rule
	ruleARN string
}

// body is what a target gets: all of the event, a constant, a part, or what its transformer makes of it.
func (t Target) body(d delivery) string {
	switch {
	case t.Input != "":
		return t.Input
	case t.Transformer != nil:
		return t.Transformer.apply(d)
	case t.InputPath != "" && t.InputPath != "$":
		part, _ := at(d.fields, t.InputPath) // what is not there is null
		text, _ := json.Marshal(part)        // it was JSON
		return string(text)
	}
	return string(d.text)
}

// apply puts an event's values into the template: as JSON, and within a string of the template as text.
func (f transformer) apply(d delivery) string {
	var out strings.Builder
	rest, quoted := f.Template, false
	for {
		found := placeholder.FindStringSubmatchIndex(rest)
		if found == nil {
			out.WriteString(rest)
			return out.String()
		}
		quoted = endsQuoted(rest[:found[0]], quoted)
		out.WriteString(rest[:found[0]])
		if value, there := f.value(d, rest[found[2]:found[3]]); there {
			out.WriteString(written(value, quoted))
		}
		rest = rest[found[1]:]
	}
}

// endsQuoted says whether a part of a template that begins within a string, or not, ends within one.
func endsQuoted(text string, quoted bool) bool {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quoted:
			i++
		case text[i] == '"':
			quoted = !quoted
		}
	}
	return quoted
}

// value is that of a variable; one whose path leads nowhere is not there.
func (f transformer) value(d delivery, name string) (any, bool) {
	if path, mapped := f.Paths[name]; mapped {
		return at(d.fields, path)
	}
	switch name {
	case ruleARNVariable:
		return d.ruleARN, true
	case ruleNameVariable:
		return d.rule.Name, true
	case ingestionVariable:
		return d.fields["time"], true
	case eventVariable, eventJSONVariable:
		return json.RawMessage(d.text), true
	}
	return nil, false
}

// written is a value as it stands in a template.
func written(value any, quoted bool) string {
	text, _ := json.Marshal(value) // it was JSON
	if !quoted {
		return string(text)
	}
	if plain, is := value.(string); is {
		text, _ = json.Marshal(plain)
	} else {
		text, _ = json.Marshal(string(text))
	}
	return string(text[1 : len(text)-1])
}

// pathStep is one step of a JSON path: .name, ['name'] or [0].
var pathStep = regexp.MustCompile(`^(?:\.([A-Za-z0-9_:/-]+)|\[(?:'([^']+)'|"([^"]+)")\]|\[([0-9]{1,5})\])`)

func isPath(path string) bool {
	_, valid := steps(path)
	return valid
}

// steps are those of a path: names and numbers.
func steps(path string) (all []any, valid bool) {
	rest, valid := strings.CutPrefix(path, "$")
	for valid && rest != "" {
		found := pathStep.FindStringSubmatch(rest)
		if found == nil {
			return nil, false
		}
		rest = rest[len(found[0]):]
		if found[4] != "" {
			n, _ := strconv.Atoi(found[4]) // it has digits only
			all = append(all, n)
		} else {
			all = append(all, found[1]+found[2]+found[3])
		}
	}
	return all, valid
}

// at is what stands at a path.
func at(value any, path string) (any, bool) {
	all, valid := steps(path)
	if !valid {
		return nil, false
	}
	for _, step := range all {
		switch name := step.(type) {
		case string:
			within, _ := value.(map[string]any)
			next, there := within[name]
			if !there {
				return nil, false
			}
			value = next
		case int:
			list, _ := value.([]any)
			if name >= len(list) {
				return nil, false
			}
			value = list[name]
		}
	}
	return value, true
}

package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	// Hidden stands in place of a secret: CloudTrail's own words.
	Hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

	// maxParams bounds a call's parameters and its answer, in bytes of JSON; maxValue and maxName one string or name in
	// them.
	maxParams = 8 << 10
	maxValue  = 1 << 10
	maxName   = 128
	// maxDepth is far beyond what any AWS shape has.
	maxDepth = 64
)

// secretNames are members whose value is a secret, or may hold one, whatever service has them: in lower case, without
// separators. A name in plural is meant too, and so is one with something before it: oldPassword, awsSecretAccessKey.
var secretNames = []string{
	"password", "passphrase", "secret", "secretaccesskey", "secretkey", "secretstring", "secretbinary", "clientsecret",
	"sessiontoken", "securitytoken", "webidentitytoken", "identitytoken", "accesstoken", "refreshtoken", "idtoken",
	"bearertoken",
	"bootstraptoken", "authtoken", "authorizationtoken", "tradeintoken", "samlassertion", "tokencode",
	"authenticationcode1", "authenticationcode2", "activationcode",
	"privatekey", "privatekeymaterial", "keymaterial", "base32stringseed", "qrcodepng",
	"userdata", "authorization", "signature", "subjecttoken", "plaintext", "encodedmessage",
	"logevent", "logeventmessage", // of CloudWatch Logs: whatever somebody's program wrote
	"messagebody", "messageattribute", // of SQS, for the same reason
}

// hidden are members that are secrets, or may hold some, in the requests of one operation alone, by its service and name;
// hiddenAnswers are those in its answers. What services and programs send each other is no matter of the history.
var (
	hidden = map[string][]string{
		"ssm.PutParameter": {"Value"}, "sqs.SendMessageBatch": {"Entries"}, "events.PutEvents": {"Entries"},
		"events.TestEventPattern": {"Event"},
	}
	hiddenAnswers = map[string][]string{"sqs.ReceiveMessage": {"Messages"}}
)

// HideMembers replaces the members of a call that are secrets in that operation alone.
func HideMembers(service, operation string, params map[string]any) {
	hideNamed(hidden[service+"."+operation], params)
}

func hideNamed(names []string, within map[string]any) {
	for _, name := range names {
		if _, given := within[name]; given {
			within[name] = Hidden
		}
	}
}

// secretTexts are secrets that are known by their looks, wherever they stand.
var secretTexts = regexp.MustCompile(`k8s-aws-v1\.[A-Za-z0-9_=-]+` + // an EKS token
	`|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?` + // a JWT
	`|(?i:x-amz-(?:signature|security-token|credential))(?:=|%3[dD])[^&\s"]+` + // of a presigned URL
	`|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))`)

// Secret says whether the value under a name is a secret.
func Secret(name string) bool {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
	for _, secret := range secretNames {
		if strings.HasSuffix(strings.TrimSuffix(plain, "s"), secret) {
			return true
		}
	}
	return false
}

// secretPath is Secret for the names of the query protocols, such as LaunchTemplateData.UserData or
// Attribute.UserData.Value.
func secretPath(name string) bool { return slices.ContainsFunc(strings.Split(name, "."), Secret) }

// Hide replaces the secrets that are known by their looks.
func Hide(text string) string {
	lower := strings.ToLower(text) // the expression is slow, and most texts hold nothing
	if !strings.Contains(lower, "x-amz-") && !strings.Contains(text, "k8s-aws-v1.") && !strings.Contains(text, "eyJ") &&
		!strings.Contains(text, "-----BEGIN") {
		return text
	}
	return secretTexts.ReplaceAllLiteralString(text, Hidden)
}

// Redact is a value of JSON (maps, slices, strings, ...) as the history shows it: without secrets, at most 8 KiB long,
// and null for an empty map. What has no room is named under "omitted".
func Redact(value map[string]any) json.RawMessage {
	if len(value) == 0 {
		return nil
	}
	value = redact(value, 0).(map[string]any)
	if text, err := json.Marshal(value); err == nil && len(text) <= maxParams {
		return text
	}
	// Too long as a whole: the members that still fit, shortest first, so that most of them do.
	texts := make(map[string]json.RawMessage, len(value))
	for name, member := range value {
		text, err := json.Marshal(member)
		if err != nil {
			text = []byte("null")
		}
		texts[name] = text
	}
	names := slices.SortedFunc(maps.Keys(texts), func(a, b string) int {
		if d := len(texts[a]) + len(a) - len(texts[b]) - len(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	kept, room := map[string]any{}, maxParams-512
	var omitted []string
	for _, name := range names {
		// A character of a name may take six in JSON.
		if cost := len(texts[name]) + 6*len(name) + 4; cost <= room {
			kept[name], room = texts[name], room-cost
			continue
		}
		if len(omitted) < 8 {
			omitted = append(omitted, bounded(name, 32))
		}
	}
	kept["omitted"] = omitted
	text, err := json.Marshal(kept)
	if err != nil {
		return nil
	}
	return text
}

func redact(value any, depth int) any {
	if depth > maxDepth {
		return "..."
	}
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			shown := Hide(bounded(name, maxName))
			if secretPath(name) && !empty(member) {
				out[shown] = Hidden
				continue
			}
			out[shown] = redact(member, depth+1)
		}
		return hidePairs(out)
	case []any:
		out := make([]any, len(v))
		for i, member := range v {
			out[i] = redact(member, depth+1)
		}
		return out
	case string:
		if len(v) > maxValue {
			return fmt.Sprintf("%s (%d bytes)", Hide(bounded(v, maxValue)), len(v))
		}
		return Hide(v)
	}
	return value
}

// hidePairs hides the value of a pair whose name is a secret's, as in {"name": "PASSWORD", "value": "..."}, and as the
// query protocols write it: Parameters.member.1.ParameterKey.
func hidePairs(object map[string]any) map[string]any {
	var secret []string // the prefixes of such pairs
	for member, value := range object {
		prefix, last := lastOf(member)
		switch last {
		case "name", "key", "parameterkey", "attribute", "attributename":
			if name, ok := value.(string); ok && Secret(name) {
				secret = append(secret, prefix)
			}
		}
	}
	if len(secret) == 0 {
		return object
	}
	for member := range object {
		prefix, last := lastOf(member)
		switch last {
		case "value", "values", "parametervalue", "attributevalue":
			if slices.Contains(secret, prefix) {
				object[member] = Hidden
			}
		}
	}
	return object
}

// lastOf splits a name before its last dot; the end of it is in lower case.
func lastOf(name string) (prefix, last string) {
	dot := strings.LastIndexByte(name, '.')
	return name[:dot+1], strings.ToLower(name[dot+1:])
}

// empty says whether a value holds nothing that could be a secret.
func empty(value any) bool {
	switch v := value.(type) {
	case nil, bool:
		return true
	case string:
		return v == ""
	}
	return false
}

package history

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
)

// Answer is the body of an answer as the history shows it: a JSON object, or the result element of an XML answer as
// one, without what is secret in the answers of that operation. It is null for what is neither, or is not whole.
func Answer(service, operation, contentType string, body []byte) json.RawMessage {
	value := map[string]any{}
	switch {
	case strings.Contains(contentType, "json"):
		if json.Unmarshal(body, &value) != nil {
			return nil
		}
	case strings.Contains(contentType, "xml"):
		value = result(body)
	}
	hideNamed(hiddenAnswers[service+"."+operation], value)
	return Redact(value)
}

// result is what an answer of a query protocol has inside <ACTIONResponse><ACTIONResult>, or of EC2 inside
// <ACTIONResponse>.
func result(body []byte) map[string]any {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		if start, ok := token.(xml.StartElement); ok {
			root, ok := element(decoder, 0).(map[string]any)
			if !ok {
				return nil
			}
			if inner, ok := root[strings.TrimSuffix(start.Name.Local, "Response")+"Result"].(map[string]any); ok {
				return inner
			}
			delete(root, "ResponseMetadata")
			delete(root, "requestId")
			return root
		}
	}
}

// element is an element's content: its text, or its children by name, those that come several times as a list.
func element(decoder *xml.Decoder, depth int) any {
	children := map[string]any{}
	var text strings.Builder
	for {
		token, err := decoder.Token()
		if err != nil || depth > maxDepth {
			return "..."
		}
		switch t := token.(type) {
		case xml.StartElement:
			name, value := t.Name.Local, element(decoder, depth+1)
			switch before := children[name].(type) {
			case nil:
				children[name] = value
			case []any:
				children[name] = append(before, value)
			default:
				children[name] = []any{before, value}
			}
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			if len(children) == 0 {
				return strings.TrimSpace(text.String())
			}
			return children
		}
	}
}

package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep lists and objects may stand in each other in a body. The deepest input of EKS has 9 levels; the
// rest is for members that a newer client sends and Tripod ignores.
const maxDepth = 64

// tree is a JSON value: nil, bool, string, json.Number, []tree or map[string]tree.
type tree any

// parseJSON reads a body that is one JSON object. It is stricter than encoding/json, because what it lets pass is acted
// on: no member twice, no invalid UTF-8, nothing behind the object.
func parseJSON(body []byte) (map[string]tree, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not valid UTF-8")
	}
	p := jsonParser{dec: json.NewDecoder(bytes.NewReader(body))}
	p.dec.UseNumber()
	value, err := p.value(0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]tree)
	if !ok {
		return nil, errors.New("the body must be a JSON object")
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, errors.New("there is more text after the body's JSON object")
	}
	return object, nil
}

type jsonParser struct{ dec *json.Decoder }

func (p *jsonParser) value(depth int) (tree, error) {
	token, err := p.token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxDepth {
		return nil, errors.New("the body is nested deeper than " + strconv.Itoa(maxDepth) + " levels")
	}
	if delim == '[' {
		return p.list(depth + 1)
	}
	return p.object(depth + 1)
}

func (p *jsonParser) list(depth int) (tree, error) {
	list := []tree{}
	for p.dec.More() {
		item, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := p.token()
	return list, err
}

func (p *jsonParser) object(depth int) (tree, error) {
	object := map[string]tree{}
	for p.dec.More() {
		token, err := p.token()
		if err != nil {
			return nil, err
		}
		name := token.(string) // the decoder lets nothing else be a key
		if _, twice := object[name]; twice {
			return nil, errors.New("the member " + strconv.Quote(excerpt(name)) + " is there twice")
		}
		if object[name], err = p.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := p.token()
	return object, err
}

// token is the decoder's next one. Its own errors tell of offsets and types of Go, which mean nothing to a client.
func (p *jsonParser) token() (json.Token, error) {
	token, err := p.dec.Token()
	if err != nil {
		return nil, errors.New("the body is not valid JSON near byte " + strconv.FormatInt(p.dec.InputOffset(), 10))
	}
	return token, nil
}

// excerpt keeps a client's own text short in an answer to it, and valid UTF-8.
func excerpt(text string) string { return shorten(text, 256) }

// shorten keeps a text within so many bytes.
func shorten(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	end := longest
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}

package wire

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// EC2Namespace is the XML namespace of EC2's answers.
const EC2Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"

// Bounds of an EC2 call's parameters: no call of a real client comes near them.
const (
	maxEC2Params = 5000
	maxEC2Depth  = 10
)

// protocolParams are parameters of every EC2 call, and of a presigned URL.
var protocolParams = []string{"Action", "Version", "DryRun", "AUTHPARAMS"}

// ec2Node is one part of dotted parameter names: Filter.1.Value.1 is four of them.
type ec2Node struct {
	values   []string
	children map[string]*ec2Node
}

// DecodeEC2 fills the struct that into points to from a call's parameters. A field's tag `ec2:"Name"` is the
// parameter's name, with ",required" where it must be there. Fields are strings, bools, integers, pointers to them
// (nil: not given), structs, and slices of all these, written Name.1, Name.2 in the order of the numbers. The fields of
// an embedded struct are the struct's own.
//
// A parameter that has no field is refused, as EC2 refuses what it does not know: silence would be taken for effect.
// Only what is switched off ("false") passes, since it asks for nothing.
func DecodeEC2(params url.Values, into any) error {
	if len(params) > maxEC2Params {
		return ec2Error("InvalidParameterCombination",
			fmt.Sprintf("The request has more than %d parameters.", maxEC2Params))
	}
	root := &ec2Node{}
	for name, values := range params {
		if slices.Contains(protocolParams, name) || strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		if err := root.add(name, values); err != nil {
			return err
		}
	}
	return root.fill("", reflect.ValueOf(into).Elem())
}

func ec2Error(code, message string) *Error {
	return &Error{Code: code, Status: http.StatusBadRequest, Message: message}
}

func (n *ec2Node) add(name string, values []string) error {
	parts := strings.Split(name, ".")
	if len(parts) > maxEC2Depth {
		return unknownParameter(name)
	}
	for _, part := range parts {
		if n.children == nil {
			n.children = map[string]*ec2Node{}
		}
		if n.children[part] == nil {
			n.children[part] = &ec2Node{}
		}
		n = n.children[part]
	}
	n.values = values
	return nil
}

// fill sets value from the node, which stands under the dotted name path.
func (n *ec2Node) fill(path string, value reflect.Value) error {
	switch value.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		return n.fill(path, value.Elem())
	case reflect.Struct:
		return n.fillStruct(path, value)
	case reflect.Slice:
		return n.fillSlice(path, value)
	}
	if len(n.children) > 0 {
		return unknownParameter(path + "." + n.names()[0])
	}
	if len(n.values) != 1 {
		return ec2Error("InvalidParameterValue", fmt.Sprintf("The parameter %s is given %d times: give it once.",
			Clip(path), len(n.values)))
	}
	return setScalar(path, n.values[0], value)
}

func (n *ec2Node) fillStruct(path string, value reflect.Value) error {
	if len(n.values) > 0 {
		return ec2Error("InvalidParameterValue", fmt.Sprintf("The parameter %s has members: give those, as in %s.Name.",
			Clip(path), Clip(path)))
	}
	known := map[string]bool{}
	for _, field := range reflect.VisibleFields(value.Type()) {
		name, option, _ := strings.Cut(field.Tag.Get("ec2"), ",")
		if name == "" {
			continue
		}
		known[name] = true
		child := n.children[name]
		if child == nil {
			if option == "required" {
				return ec2Error("MissingParameter", "The request must contain the parameter "+dotted(path, name))
			}
			continue
		}
		if err := child.fill(dotted(path, name), value.FieldByIndex(field.Index)); err != nil {
			return err
		}
		if option == "required" && isEmpty(value.FieldByIndex(field.Index)) {
			return ec2Error("MissingParameter", "The request must contain a value for the parameter "+dotted(path,
				name))
		}
	}
	for _, name := range n.names() {
		if child := n.children[name]; !known[name] && !child.asksNothing() {
			return unknownParameter(dotted(path, name))
		}
	}
	return nil
}

// isEmpty says whether a value that was given says nothing: an empty text or list. False and zero are values like
// others.
func isEmpty(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.String, reflect.Slice:
		return value.Len() == 0
	}
	return false
}

func (n *ec2Node) fillSlice(path string, value reflect.Value) error {
	if len(n.values) > 0 {
		return ec2Error("InvalidParameterValue", fmt.Sprintf("The parameter %s is a list: give it as %s.1, %s.2.",
			Clip(path), Clip(path), Clip(path)))
	}
	type element struct {
		index int
		node  *ec2Node
	}
	var elements []element
	for name, child := range n.children {
		index, err := strconv.Atoi(name)
		if err != nil || index < 0 || strconv.Itoa(index) != name {
			return unknownParameter(dotted(path, name))
		}
		elements = append(elements, element{index, child})
	}
	slices.SortFunc(elements, func(a, b element) int { return a.index - b.index })
	value.Set(reflect.MakeSlice(value.Type(), len(elements), len(elements)))
	for i, e := range elements {
		if err := e.node.fill(dotted(path, strconv.Itoa(e.index)), value.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func setScalar(path, text string, value reflect.Value) error {
	wrong := func(expected string) error {
		return ec2Error("InvalidParameterValue", fmt.Sprintf("Value (%s) for parameter %s is invalid. It must be %s.",
			Clip(text), Clip(path), expected))
	}
	switch value.Kind() {
	case reflect.String:
		if !validXML(text) {
			return wrong("text without control characters")
		}
		value.SetString(text)
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true", "1":
			value.SetBool(true)
		case "false", "0":
			value.SetBool(false)
		default:
			return wrong("true or false")
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		number, err := strconv.ParseInt(text, 10, value.Type().Bits())
		if err != nil {
			return wrong("an integer")
		}
		value.SetInt(number)
	case reflect.Float64:
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || number != number || number > 1e300 || number < -1e300 {
			return wrong("a number")
		}
		value.SetFloat(number)
	default: // a programming error in an input's type
		panic(fmt.Sprintf("wire: no EC2 parameter can fill a %s", value.Type()))
	}
	return nil
}

// asksNothing says whether all below the node is switched off or empty.
func (n *ec2Node) asksNothing() bool {
	for _, value := range n.values {
		if value != "" && !strings.EqualFold(value, "false") {
			return false
		}
	}
	for _, child := range n.children {
		if !child.asksNothing() {
			return false
		}
	}
	return true
}

// names are the children's, sorted, so that the same request always has the same error.
func (n *ec2Node) names() []string {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func unknownParameter(name string) error {
	return ec2Error("UnknownParameter", fmt.Sprintf("The parameter %s is not recognized: Tripod's EC2 does not have "+
		"it here, so leave it out.", Clip(name)))
}

// validXML says whether an XML 1.0 document can hold the text: what comes in as a name or tag goes out in an answer.
func validXML(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFD || r == 0xFFFE || r == 0xFFFF
	})
}

// Clip keeps a client's own text short and printable in an answer to it.
func Clip(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text[:min(len(text), 100)], "?"))
}

func dotted(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// WriteEC2 answers an EC2 call: <ACTIONResponse> with the request's id and then the members of result, a struct.
func WriteEC2(w http.ResponseWriter, operation, requestID string, result any) {
	var members bytes.Buffer
	enc := xml.NewEncoder(&members)
	enc.Indent("", "  ")
	name := operation + "Response"
	if err := enc.EncodeElement(result, xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
		panic(fmt.Sprintf("wire: marshal %T: %v", result, err)) // only types that encoding/xml cannot write
	}
	inner := bytes.TrimPrefix(members.Bytes(), []byte("<"+name+">"))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s<%s xmlns=%q>\n  <requestId>%s</requestId>", xml.Header, name, EC2Namespace, requestID)
	b.Write(inner)
	b.WriteByte('\n')
	Write(w, http.StatusOK, "text/xml;charset=UTF-8", b.Bytes())
}

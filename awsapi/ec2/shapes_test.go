package ec2

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"sync"
)

// checked is the model that each answer which a test gets is held against.
var checked = sync.OnceValues(parseModel)

// unmodelled are the elements of an operation's answer that Amazon's model does not have.
func unmodelled(operation, body string) (all []string, err error) {
	m, err := checked()
	if err != nil {
		return nil, err
	}
	answer, err := parseAnswer(body)
	if err != nil {
		return nil, err
	}
	if output := m.Operations[operation].Output; output != "" {
		// requestId is the protocol's, and return is in answers of the API reference that the model has without.
		answer.children = slices.DeleteFunc(answer.children,
			func(n *node) bool { return n.name == "requestId" || n.name == "return" })
		m.check(func(path string) { all = append(all, path) }, operation, output, answer)
	}
	return all, nil
}

// node is an element of an answer.
type node struct {
	name     string
	children []*node
}

func parseAnswer(body string) (*node, error) {
	d := xml.NewDecoder(strings.NewReader(body))
	stack := []*node{{}}
	for {
		token, err := d.Token()
		if err == io.EOF {
			return stack[0].children[0], nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			child := &node{name: token.Name.Local}
			top := stack[len(stack)-1]
			top.children = append(top.children, child)
			stack = append(stack, child)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
}

// check reports each element below n, which is a structure of the model, that the model does not have.
func (m model) check(report func(path string), path, structure string, n *node) {
	for _, child := range n.children {
		at := path + "." + child.name
		kind, found := m.Outputs[structure][child.name]
		if !found {
			report(at)
			continue
		}
		kind = strings.TrimSuffix(kind, "!")
		items := []*node{child}
		if element, list := strings.CutPrefix(kind, "[]"); list {
			items, kind = child.children, element
		}
		for _, item := range items {
			if m.Outputs[kind] != nil {
				m.check(report, at, kind, item)
			} else if len(item.children) > 0 {
				report(at + ".*")
			}
		}
	}
}

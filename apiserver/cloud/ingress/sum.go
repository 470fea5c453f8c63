package ingress

import (
	"encoding/json"
	"slices"
)

// printable is all of a model in a form that two equal ones share.
func printable(m *model) string {
	type shownRule struct {
		Conditions, Action any
		Groups             []string
	}
	type shownListener struct {
		Port         port
		Certificates []string
		Rules        []shownRule
	}
	var listeners []shownListener
	for _, l := range m.listeners {
		shown := shownListener{Port: l.port, Certificates: l.certificates}
		for _, r := range append(slices.Clone(l.rules), l.otherwise) {
			shown.Rules = append(shown.Rules, shownRule{r.conditions, r.action, r.groups})
		}
		listeners = append(listeners, shown)
	}
	groups := map[string]any{}
	for name, g := range m.targets {
		targets := []string{}
		for _, t := range g.targets {
			targets = append(targets, targetKey(t))
		}
		slices.Sort(targets)
		groups[name] = []any{g.kind, g.protocol, g.version, g.port, g.check, g.attributes, g.tags, targets}
	}
	text, _ := json.Marshal([]any{m.name, m.scheme, m.subnets, m.security, m.inbound, m.attributes, m.tags, m.ipAddressType,
		m.sslName, listeners,
		groups})
	return string(text)
}

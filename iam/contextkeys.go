package iam

import (
	"regexp"
	"slices"
	"strings"
)

var variable = regexp.MustCompile(`\$\{([^},]+)`)

// ContextKeys are the condition keys that the principal's policies ask for where they speak of an action, as they are
// written there, sorted; with an empty action, wherever they ask. A policy that cannot be read asks for none.
func (p Principal) ContextKeys(action string) []string {
	documents, _ := p.identityDocuments()
	for _, limit := range p.limits() {
		more, _ := parseAll(limit.texts)
		documents = append(documents, more...)
	}
	var keys []string
	for _, d := range documents {
		for _, s := range d.Statements {
			if action == "" || s.acts(action) {
				keys = append(keys, s.contextKeys(d.Version == policyVersion)...)
			}
		}
	}
	slices.Sort(keys)
	return slices.CompactFunc(keys, strings.EqualFold)
}

func (s Statement) contextKeys(variables bool) []string {
	var keys []string
	texts := slices.Concat(s.Resources, s.NotResources)
	for _, condition := range s.Conditions {
		keys = append(keys, condition.Key)
		texts = append(texts, condition.Values...)
	}
	if !variables {
		return keys
	}
	for _, text := range texts {
		for _, found := range variable.FindAllStringSubmatch(text, -1) {
			if name := strings.TrimSpace(found[1]); name != "*" && name != "?" && name != "$" {
				keys = append(keys, name)
			}
		}
	}
	return keys
}

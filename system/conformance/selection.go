package main

import (
	"regexp"
	"slices"
)

var (
	conformance = regexp.MustCompile(`\[Conformance\]`)
	// others are areas of which the simulated nodes can pass some specs, whether they are of the conformance suite or not.
	others = regexp.MustCompile(`^\[sig-(node|apps|scheduling|network|storage)\]`)
	// elsewhere are areas whose specs send packets between containers, or look at the files in them.
	elsewhere = regexp.MustCompile(`^\[sig-(node|storage|network|windows)\]`)
	// webhooks run in a container.
	webhooks = regexp.MustCompile(`(?i)webhook`)
	// alone are specs that run for long, break the nodes, or let no other run beside them.
	alone = regexp.MustCompile(`\[(Serial|Slow|Disruptive|Flaky)\]`)
	// optional is what a cluster must have been configured for.
	optional = regexp.MustCompile(`\[(Feature|FeatureGate|Alpha|Beta|NodeFeature|LinuxOnly|Driver|Deprecated)[:\]]`)
)

// required says that a spec is one of the conformance suite that the region is measured by.
func required(name string) bool {
	return conformance.MatchString(name) && !elsewhere.MatchString(name) && !webhooks.MatchString(name) && !alone.MatchString(name)
}

// choose is what to run: the required specs, those in the list, and with all those that might be.
func choose(names, listed []string, focus *regexp.Regexp, all bool) (chosen []string) {
	for _, name := range names {
		wanted := required(name) || slices.Contains(listed, name) ||
			all && others.MatchString(name) && !alone.MatchString(name) && !webhooks.MatchString(name) &&
				(conformance.MatchString(name) || !optional.MatchString(name))
		if wanted && focus.MatchString(name) {
			chosen = append(chosen, name)
		}
	}
	return chosen
}

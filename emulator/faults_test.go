package emulator

import (
	"testing"

	"tripod/api"
)

// TestEveryVerbHasAnEffectAndAWayBack: a verb is listed in api.Verbs and in effects, and what a fault is lifted by is a
// verb that mends.
func TestEveryVerbHasAnEffectAndAWayBack(t *testing.T) {
	for _, verb := range api.Verbs {
		if effects[verb.Name] == nil {
			t.Errorf("%s does nothing to a zone", verb.Name)
		}
		lift, found := api.FindVerb(verb.Lift)
		if (verb.Fault != "") != found || lift.Fault != "" {
			t.Errorf("%s leaves %q, and %q takes that back", verb.Name, verb.Fault, verb.Lift)
		}
	}
	for name := range effects {
		if _, found := api.FindVerb(name); !found {
			t.Errorf("%s has an effect and is no verb", name)
		}
	}
}

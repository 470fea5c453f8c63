package eks

import "testing"

func TestEveryOperationIsDocumented(t *testing.T) {
	known, actions := map[string]bool{}, (&Service{}).actions()
	for _, schema := range operations {
		name := schema.ID().Name
		known[name] = true
		if line := documented[name]; actions[name] != nil && (line.State == "" || line.Effect == "") {
			t.Errorf("%s is not documented", name)
		}
	}
	for name := range documented {
		if !known[name] || actions[name] == nil {
			t.Errorf("%s is documented, and nothing that Tripod has", name)
		}
	}
}

package eks

import "testing"

func TestEveryOperationIsDocumented(t *testing.T) {
	known := map[string]bool{}
	for _, schema := range operations {
		name := schema.ID().Name
		known[name] = true
		if line := documented[name]; line.State == "" || line.Effect == "" {
			t.Errorf("%s is not documented", name)
		}
	}
	for name := range documented {
		if !known[name] {
			t.Errorf("%s is documented, and no operation", name)
		}
	}
}

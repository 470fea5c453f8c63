package state

import (
	"os/exec"
	"strings"
	"testing"
)

// The store must not know what its records mean: of this module it may use what sleeps, and nothing else.
func TestStoreKnowsNoDomain(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for _, path := range strings.Fields(string(out)) {
		switch {
		case path == "tripod/state", path == "tripod/internal/sleep":
		case strings.HasPrefix(path, "tripod/"), strings.HasPrefix(path, "github.com/aws/"),
			strings.HasPrefix(path, "k8s.io/"):
			t.Errorf("package state imports %s", path)
		}
	}
}

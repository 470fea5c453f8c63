package plan

import (
	"errors"
	"strings"
	"testing"

	"tripod/internal/options"
	"tripod/internal/ports"
)

func TestPodsLeadToPortsThatTheOperatorAllowsAndNeverToTheRegions(t *testing.T) {
	config := Zone{
		Agent:    options.Agent{LocalPorts: ports.Ranges{{First: 8000, Last: 8999}, {First: 20000, Last: 65535}}},
		OwnPorts: ports.Ranges{{First: 8566, Last: 8566}, {First: 20000, Last: 20127}},
	}
	for port, want := range map[int]string{
		8000: "", 20128: "", 8566: "one of the region's own", 20014: "one of the region's own",
		5432: "tripod up --local-ports 5432",
	} {
		err := config.LocalPort(port)
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrLocalPort) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d: got %v, want %q", port, err, want)
		}
	}
	if config = (Zone{}); config.LocalPort(8000) == nil {
		t.Error("without --local-ports a port is allowed")
	}
}

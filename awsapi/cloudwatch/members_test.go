package cloudwatch

import (
	"math"
	"strings"
	"testing"

	"tripod/awsapi/wire"
)

// TestAlarmsKeepWhatTheAPIPromises: who reads them is to find nothing else.
func TestAlarmsKeepWhatTheAPIPromises(t *testing.T) {
	got, err := known(wire.Document{"AlarmName": "a", "": "x", ".x": "1", "Threshold": 1.5, "Period": 60.0, "ActionsEnabled": true,
		"Dimensions": []any{wire.Document{"Name": "n", "Value": "v", "Moon": "full"}}, "Unit": nil}, alarmMembers)
	if err != nil || len(got) != 5 || len(got["Dimensions"].([]any)[0].(wire.Document)) != 2 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, wrong := range []wire.Document{{"AlarmName": 5.0}, {"Dimensions": "x"}, {"Dimensions": []any{"x"}}, {"Threshold": math.NaN()},
		{"Threshold": "1"}, {"ActionsEnabled": "yes"}, {"AlarmName": strings.Repeat("a", 256)},
		{"AlarmActions": []any{"1", "2", "3", "4", "5", "6"}}} {
		if got, err := known(wrong, alarmMembers); err == nil {
			t.Errorf("%v is kept as %v", wrong, got)
		}
	}
}

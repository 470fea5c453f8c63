package boot

import (
	"strings"
	"testing"
)

func TestMaxPodsExpressions(t *testing.T) {
	for expression, want := range map[string]int{ // of m5.large
		"max_pods": 29, "(default_enis - 1) * (ips_per_eni - 1) + 2": 20, "110": 110, "max_pods > 20 ? 20 : max_pods": 20,
		"default_enis * ((ips_per_eni - 1) * 16) + 2": 434, "ips_per_eni >= 10 && !(default_enis == 4) ? 1 : 2": 1, "7 % 4": 3,
	} {
		if got, err := MaxPodsOf(expression, 3, 10, 29); got != want || err != nil {
			t.Errorf("%s is %d, %v, want %d", expression, got, err, want)
		}
	}
	for expression, want := range map[string]string{
		"0": "must be a positive integer", "-3": "must be a positive integer", "1 / 0": "division by zero", "max_pod": "undeclared reference",
		"1 +": "<EOF>", "1 2": "extraneous input", "true ? 1": "expecting ':'", "1 && 2": "no matching overload", "(1": "missing ')'",
		strings.Repeat("(", 100) + "1": "recursion limit",
	} {
		if _, err := MaxPodsOf(expression, 3, 10, 29); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", expression, err, want)
		}
	}
}
